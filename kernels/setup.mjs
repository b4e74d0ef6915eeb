// Set-up: from a fresh clone to a lab that runs. Every command calls it; what is there already is left alone.
//   npm run setup
import { pathToFileURL } from "node:url";
import { library, kernel } from "./steps/library.mjs";
import { binding, operations, tensorflow } from "./steps/native.mjs";
import { packages, self } from "./steps/packages.mjs";
import { papermill } from "./steps/papermill.mjs";
import { python } from "./steps/python.mjs";
import { Interrupted, StepFailure, Without, duration, ticker, withLock } from "./tools.mjs";

/**
 * A step looks first (`missing` says what there is to do, or nothing), and leaves its stamp only when it is complete: one
 * that broke in the middle is simply taken again. `make` may return a remark; it throws StepFailure to stop set-up and
 * Without to go on, loudly.
 */
const STEPS = [packages, self, python, kernel, papermill, tensorflow, binding, operations, library];

/** Why this Node cannot run the lab, or undefined. @param {string} version like `22.11.0` */
export function nodeTooOld(version) {
  const [major, minor] = version.split(".").map(Number);
  // 22 got `require` of ES modules (mocha needs it) later than 20 did.
  const enough = major === 20 ? minor >= 19 : major === 22 ? minor >= 12 : major > 22;
  return enough
    ? undefined
    : `Node ${version} is too old: the lab needs 20.19 or later (22.12 or later of the 22 line). ` +
        "Install a current LTS version of Node, then run the same command again.";
}

/**
 * Does whatever set-up is missing, one line a step.
 * @param {{steps?: string[], quiet?: boolean}} [options] steps: names to take, all unless told; quiet: say nothing when
 *   there is nothing to do
 * @returns {Promise<{without: string[], took: {phase: string, seconds: number}[]}>} the steps that this machine goes without,
 *   and how long those took that were made
 * @throws StepFailure | Interrupted
 */
export async function setup({ steps = STEPS.map((step) => step.name), quiet = false } = {}) {
  const old = nodeTooOld(process.versions.node);
  if (old !== undefined) throw new StepFailure("set-up cannot start", { fix: old });
  const chosen = STEPS.filter((step) => steps.includes(step.name));
  if (quiet && chosen.every((step) => !broken(step) && step.missing() === undefined)) {
    return { without: [], took: [] };
  }
  return withLock(() => take(chosen));
}

/** A step's look at the disk may itself stumble over a half-made state, which is then something to do. */
function broken(step) {
  try {
    step.missing();
    return false;
  } catch {
    return true;
  }
}

async function take(steps) {
  const [without, took] = [[], []];
  const start = Date.now();
  for (const step of steps) {
    const begun = Date.now();
    const work = broken(step) ? "make it again" : step.missing();
    if (work === undefined) {
      line(`· ${step.title}: already there`);
      continue;
    }
    const stop = ticker(`${step.title}: ${work}`);
    try {
      const remark = await step.make();
      stop();
      const detail = remark ? ` (${remark})` : "";
      line(`✓ ${step.title}${detail}  ${duration(Date.now() - begun)}`);
      took.push({ phase: step.title, seconds: (Date.now() - begun) / 1000 });
    } catch (error) {
      stop();
      if (!(error instanceof Without)) {
        throw Object.assign(error, { step: step.title, took: Date.now() - begun });
      }
      without.push(step.name);
      line(`! ${step.title}: ${error.message}  ${duration(Date.now() - begun)}`);
    }
  }
  if (without.includes("binding")) {
    line("");
    line("! WARNING: no native back end. Everything runs on WebAssembly, about ten times slower.");
    line("!          `npx srpo doctor` explains; set-up tries again at the next command.");
  }
  line(`  set-up took ${duration(Date.now() - start)}`);
  return { without, took };
}

/** Progress goes to stderr: stdout belongs to the command that set-up serves. */
function line(text) {
  process.stderr.write(text === "" ? "\n" : `${text}\n`);
}

/**
 * Runs a command's main function and turns what it throws into words and an exit status.
 * @param {() => Promise<number | void>} main returns the exit status
 */
export async function command(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    if (error instanceof Interrupted) {
      process.stderr.write(`\n${error.message}\n`);
      process.exitCode = 130;
      return;
    }
    if (!(error instanceof StepFailure)) {
      process.stderr.write(`✗ ${error?.stack ?? error}\n`);
      process.exitCode = 1;
      return;
    }
    const took = error.took === undefined ? "" : `  ${duration(error.took)}`;
    process.stderr.write(`✗ ${error.step ? `${error.step}: ` : ""}${error.message}${took}\n`);
    if (error.output) process.stderr.write(error.output.replace(/^/gm, "    | ") + "\n");
    process.stderr.write(`  What to do: ${error.fix}.\n`);
    if (error.step)
      process.stderr.write("  The same command then continues where this one stopped.\n");
    process.exitCode = 1;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  // Not awaited: a module that awaits cannot be required, and the tests do.
  void command(() => setup().then(() => 0));
}
