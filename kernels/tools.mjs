// What set-up's steps share: the clone's paths, child processes, stamps, the lock, and lines on the terminal.
// Plain JavaScript, because it runs before anything is installed or built.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const venv = join(root, ".venv");
export const venvPython = join(venv, "bin", "python");

/** A step that could not do its work: what failed, the tool's last words, and what to do. */
export class StepFailure extends Error {
  /** @param {string} what @param {{output?: string, fix: string}} detail */
  constructor(what, { output = "", fix }) {
    super(what);
    this.output = output;
    this.fix = fix;
  }
}

/**
 * The command line's options, each with its value.
 * @param {string} usage how the command is called: what `--help` shows
 * @param {import("node:util").ParseArgsConfig["options"]} options
 * @throws {StepFailure} for an option that there is not, or one without its value
 */
export function readOptions(usage, options) {
  try {
    const help = { type: "boolean", short: "h", default: false };
    const { values } = parseArgs({ options: { ...options, help } });
    if (!values.help) return values;
  } catch (error) {
    throw new StepFailure(error.message.split(". ")[0], { fix: `call it as ${usage}` });
  }
  console.log(`Usage: ${usage}`);
  process.exit(0);
}

/** A step that cannot be taken on this machine, and that the lab can do without, loudly. */
export class Without extends Error {}

/** The user pressed Ctrl-C, or a supervisor asked us to end. */
export class Interrupted extends Error {
  constructor() {
    super("Interrupted. Nothing is lost: the same command continues where this one stopped.");
  }
}

/**
 * Runs a program to its end and keeps its output, both streams as they came.
 * @param {string} command @param {string[]} args
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv}} [options]
 * @returns {Promise<{code: number, output: string}>} code 127 when there is no such program
 */
export function run(command, args, { cwd = root, env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    if (heldLock !== undefined) writeWhole(heldLock, `${process.pid} ${child.pid ?? ""}`);
    let output = "";
    let interrupted = false;
    const keep = (chunk) => (output = (output + chunk).slice(-100_000));
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    // A terminal sends Ctrl-C to the child as well; a supervisor may tell only us, so it is passed on.
    const stop = () => {
      interrupted = true;
      child.kill("SIGTERM");
    };
    process.on("SIGINT", stop).on("SIGTERM", stop);
    const forget = () => process.off("SIGINT", stop).off("SIGTERM", stop);
    child.on("error", (error) => {
      forget();
      resolve({ code: 127, output: String(error) });
    });
    child.on("close", (code) => {
      forget();
      if (interrupted) reject(new Interrupted());
      else resolve({ code: code ?? 1, output });
    });
  });
}

/** What a short command prints, trimmed, or undefined when it is missing or fails. */
export function ask(command, args) {
  const { status, stdout } = spawnSync(command, args, { encoding: "utf8", timeout: 20_000 });
  return status === 0 ? stdout.trim() : undefined;
}

/** The last lines that say something. @param {string} output */
export function lastLines(output, count = 12) {
  const lines = output.split(/\r?\n|\r/).filter((line) => line.trim() !== "");
  return lines.slice(-count).join("\n");
}

/** @param {string | Buffer} content */
export function hash(content) {
  return createHash("sha256").update(content).digest("hex").slice(0, 16);
}

/** One hash of several files' names and contents. @param {string[]} files absolute paths */
export function hashFiles(files) {
  return hash(
    files.map((file) => `${relative(root, file)} ${hash(readFileSync(file))}\n`).join(""),
  );
}

/** The JSON in a file, or undefined when it is absent or not JSON (a write that was cut short). */
export function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

/** Writes aside and renames, so that nobody ever reads half a file. */
export function writeWhole(file, content) {
  mkdirSync(dirname(file), { recursive: true });
  const aside = `${file}.${process.pid}.tmp`;
  writeFileSync(aside, content);
  renameSync(aside, file);
}

/** A stamp says what a finished step was made from; it fits when every field is equal. */
export function stampFits(file, wanted) {
  const found = readJson(file);
  return (
    found !== undefined && Object.entries(wanted).every(([key, value]) => found[key] === value)
  );
}

/** @param {string} file @param {object} stamp */
export function writeStamp(file, stamp) {
  writeWhole(file, JSON.stringify(stamp, null, 2) + "\n");
}

/** Every file under a folder of the clone, sorted; empty when there is no such folder. */
export function filesUnder(folder, keep = () => true) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter(keep)
    .sort();
}

/** The lock file while this process holds it. */
let heldLock;

/**
 * Holds the clone's set-up lock while `work` runs; waits while another process holds it.
 * The lock names its owner and the program that the owner runs: it is void when both are gone. (A set-up that was killed
 * may leave a pip behind, and two of them in one environment ruin it.)
 */
export async function withLock(work, say = console.error) {
  const file = join(root, ".cache", "setup.lock");
  mkdirSync(dirname(file), { recursive: true });
  for (let waited = false; !takeLock(file);) {
    const owners = readOwners(file);
    if (owners.length === 0) continue;
    if (!owners.some(isAlive)) {
      breakLock(file, owners);
      continue;
    }
    if (!waited) say(`  waiting for another set-up (process ${owners.join(", ")}; lock ${file})`);
    waited = true;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  heldLock = file;
  try {
    return await work();
  } finally {
    heldLock = undefined;
    if (readOwners(file)[0] === process.pid) rmSync(file, { force: true });
  }
}

/** A link appears whole or not at all, so a lock always names its owner. */
function takeLock(file) {
  const aside = `${file}.${process.pid}`;
  writeFileSync(aside, String(process.pid));
  try {
    linkSync(aside, file);
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    return false;
  } finally {
    rmSync(aside, { force: true });
  }
}

/** Removes the lock of dead processes; if a living one took it meanwhile, gives it back. */
function breakLock(file, owners) {
  const aside = `${file}.${process.pid}.stale`;
  try {
    renameSync(file, aside);
    if (readOwners(aside)[0] !== owners[0]) linkSync(aside, file);
  } catch (error) {
    if (error.code !== "ENOENT" && error.code !== "EEXIST") throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function readOwners(file) {
  try {
    return readFileSync(file, "utf8").trim().split(" ").map(Number);
  } catch {
    return [];
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** `4.2 s`, `1 min 03 s`. @param {number} ms */
export function duration(ms) {
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
}

/** On a terminal, a line that counts seconds while a long step works; it wipes itself. */
export function ticker(text) {
  if (!process.stderr.isTTY) {
    process.stderr.write(`  … ${text}\n`);
    return () => {};
  }
  const start = Date.now();
  const draw = () => process.stderr.write(`\r\x1b[K  … ${text} (${duration(Date.now() - start)})`);
  draw();
  const timer = setInterval(draw, 1000);
  return () => {
    clearInterval(timer);
    process.stderr.write("\r\x1b[K");
  };
}
