/** How long it takes until a policy can be used, step by step, each time in a process of its own. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { fault } from "../engine/errors";
import { basePolicyFolder } from "../paths";
import { median } from "./grpo";

/** Seconds; medians over the runs. */
export interface StartTime {
  /** Node itself, from its call to its first line. */
  node_s: number;
  /** Importing the library. */
  library_s: number;
  /** Choosing and loading the engine. */
  engine_s: number;
  /** Opening the embedded policy. */
  policy_s: number;
  /** All of it. */
  total_s: number;
}

/** Measures `runs` fresh starts. @throws LabError when one fails */
export function measureStart({ runs }: { runs: number }): StartTime {
  const library = join(__dirname, "../index.js");
  const script = `
    const laps = [Date.now()];
    const { ready, openPolicy } = require(${JSON.stringify(library)});
    laps.push(Date.now());
    ready().then(() => {
      laps.push(Date.now());
      openPolicy(${JSON.stringify(basePolicyFolder)});
      process.stdout.write(JSON.stringify([...laps, Date.now()]), () => process.exit(0));
    });`;
  const starts = Array.from({ length: runs }, () => {
    const called = performance.timeOrigin + performance.now();
    const { stdout, stderr } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
    if (stdout === "") throw fault("measureStart", `a start failed: ${stderr.trim()}`);
    return [called, ...(JSON.parse(stdout) as number[])];
  });
  const lap = (i: number): number => median(starts.map((at) => (at[i + 1] - at[i]) / 1000));
  return {
    node_s: lap(0),
    library_s: lap(1),
    engine_s: lap(2),
    policy_s: lap(3),
    total_s: median(starts.map((at) => (at[4] - at[0]) / 1000)),
  };
}
