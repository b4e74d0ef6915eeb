// Every test, after whatever set-up is missing; the last line counts them.
//   npm test [-- --grep PATTERN] [-- test/reflection/template.test.ts]
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command, setup } from "./setup.mjs";
import { readJson, root } from "./tools.mjs";

/** Tests train small policies and start kernels, on machines with two cores. */
const TIMEOUT_MS = 120_000;

/** A source file among the arguments stands for what tsc made of it. */
const compiled = (argument) =>
  argument.startsWith("test/") ? join("dist", argument.replace(/\.ts$/, ".js")) : argument;

async function test() {
  await setup({ quiet: true });
  const extra = process.argv.slice(2).map(compiled);
  const files = extra.some((argument) => argument.startsWith("dist/"))
    ? []
    : ["dist/test/**/*.test.js"];
  const folder = mkdtempSync(join(tmpdir(), "srpo-test-"));
  const counts = join(folder, "counts.json");
  const mocha = join(root, "node_modules", "mocha", "bin", "mocha.js");
  const reporter = join(root, "kernels", "reporter.cjs");
  const args = ["--exit", "--timeout", String(TIMEOUT_MS), "--reporter", reporter];
  const child = spawn(process.execPath, [mocha, ...args, ...extra, ...files], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, SRPO_TEST_COUNTS: counts },
  });
  // Ctrl-C reaches mocha by itself; a supervisor's signal is passed on. Either way the counts are printed.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  const [code, signal] = await new Promise((resolve) => {
    child.on("close", (...how) => resolve(how));
  });
  const found = readJson(counts);
  rmSync(folder, { recursive: true, force: true });

  const { passed, skipped } = found ?? { passed: 0, skipped: 0 };
  let failed = found?.failed ?? 0;
  if (signal !== null || found?.done !== true) {
    const where = found?.running === undefined ? "" : ` in "${found.running}"`;
    console.log(`The test process ended early${where} (${signal ?? `status ${code}`}).`);
    failed += 1;
  } else if (passed + failed === 0) {
    console.log("No test ran: does the pattern fit any?");
  }
  if (found?.peers !== undefined) {
    const { found: there, missing } = found.peers;
    const which = missing.length > 0 ? `; not here: ${missing.join(", ")}` : "";
    console.log(`peer environments: ${there.length} of ${there.length + missing.length}${which}`);
  }
  const tail = skipped > 0 ? `, ${skipped} skipped` : "";
  console.log(`${passed} passed, ${failed} failed${tail}`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

await command(test);
