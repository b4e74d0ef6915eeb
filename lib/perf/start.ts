/** How long it takes until a policy can be used, step by step, each time in a process of its own. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { fault } from "../engine/errors";
import { basePolicyFolder } from "../paths";
import { median } from "./spread";

/** Seconds. */
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
  const starts = measureStarts({ runs });
  const middle = (key: keyof StartTime): number => median(starts.map((start) => start[key]));
  return {
    node_s: middle("node_s"),
    library_s: middle("library_s"),
    engine_s: middle("engine_s"),
    policy_s: middle("policy_s"),
    total_s: middle("total_s"),
  };
}

/** The same, every start by itself. */
export function measureStarts({ runs }: { runs: number }): StartTime[] {
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
  return Array.from({ length: runs }, () => {
    const called = performance.timeOrigin + performance.now();
    const { stdout, stderr } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
    if (stdout === "") throw fault("measureStart", `a start failed: ${stderr.trim()}`);
    const at = [called, ...(JSON.parse(stdout) as number[])];
    const [node_s, library_s, engine_s, policy_s] = [1, 2, 3, 4].map(
      (i) => (at[i] - at[i - 1]) / 1000,
    );
    return { node_s, library_s, engine_s, policy_s, total_s: (at[4] - at[0]) / 1000 };
  });
}
