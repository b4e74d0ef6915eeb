/** `srpo doctor`: what the lab found on this machine, what it chose, and how to mend what is missing. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, statfsSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, freemem, totalmem } from "node:os";
import { join } from "node:path";
import { bindingFiles, describeEngine, readBindingStamp, ready, renderEngine, tf } from "./backend";
import { describeFused } from "./fused";

/** One thing that was looked at. */
export interface Check {
  name: string;
  /** `warning`: everything runs, but slower or with something left out. */
  status: "ok" | "warning" | "missing";
  detail: string;
  /** What to do about it; present unless the check is `ok`. */
  fix?: string;
}

export interface DiagnoseOptions {
  /** The clone's folder; the working directory's unless told. */
  root?: string;
}

/** A wheel's environment, the packages and a run's checkpoints need about this much. */
const DISK_NEEDED = 2e9;
const MEMORY_NEEDED = 3e9;
const SETUP = "npm run setup";

const load = createRequire(__filename);

/** Looks at everything the lab needs, and changes nothing. A check that stumbles reports so; it does not throw. */
export async function diagnose({ root = process.cwd() }: DiagnoseOptions = {}): Promise<Check[]> {
  const python = join(root, ".venv", "bin", "python");
  return [
    checkNode(process.versions.node),
    await checkEngine(),
    checkBinding(),
    checkTensorflow(),
    checkFused(),
    checkGpu(),
    checkPython(python),
    checkJupyter(python),
    checkKernelspec(root),
    ...["tslab/dist/main.js", "onnxruntime-node", "sharp"].map(checkPackage),
    checkOneTfjs(root),
    checkDisk(root),
    checkMemory(),
  ];
}

/** The checks as lines, worst last, and a verdict. */
export function renderDoctor(checks: readonly Check[]): string {
  const marks = { ok: "✓", warning: "!", missing: "✗" } as const;
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.flatMap(({ name, status, detail, fix }) => {
    const line = `${marks[status]} ${name.padEnd(width)}  ${detail}`;
    return fix === undefined ? [line] : [line, `${" ".repeat(width + 4)}→ ${fix}`];
  });
  const count = (status: Check["status"]): number =>
    checks.filter((check) => check.status === status).length;
  const verdict =
    count("missing") > 0
      ? `${count("missing")} missing, ${count("warning")} to know about.`
      : count("warning") > 0
        ? `Everything runs; ${count("warning")} to know about.`
        : "Everything is in place.";
  return [...lines, "", verdict].join("\n");
}

/** Whether nothing needed is missing: the exit status of `srpo doctor`. */
export function isHealthy(checks: readonly Check[]): boolean {
  return checks.every(({ status }) => status !== "missing");
}

/** @param version like `22.11.0` */
export function checkNode(version: string): Check {
  const [major, minor] = version.split(".").map(Number);
  const enough = major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19);
  return enough
    ? ok("node", `${version}, ${availableParallelism()} threads`)
    : missing("node", version, "install Node 20.19 or later (22.12 or later of the 22 line)");
}

async function checkEngine(): Promise<Check> {
  try {
    const engine = await ready();
    // One product proves that the back end computes, not only that it loads.
    const product = tf.tidy(() => tf.matMul(tf.ones([2, 3]), tf.ones([3, 2])).dataSync()[0]);
    if (product !== 3) return missing("engine", `computes 1·1 + 1·1 + 1·1 = ${product}`, SETUP);
    const { warning, ...quiet } = engine;
    const detail = renderEngine(quiet);
    return warning === undefined ? ok("engine", detail) : warn("engine", detail, warning);
  } catch (error) {
    return missing("engine", message(error), SETUP);
  }
}

function checkBinding(): Check {
  const { binding } = bindingFiles();
  const stamp = readBindingStamp();
  if (!existsSync(binding)) {
    return warn("binding", "not compiled", `install g++ and Python 3.10 or later, then ${SETUP}`);
  }
  if (stamp === undefined) return warn("binding", "of unknown origin", SETUP);
  return ok("binding", `tfjs-node ${stamp.tfjs}, ${stamp.device} build`);
}

/** A GPU and WebAssembly do without them; on a CPU they are worth a half of the time. */
function checkFused(): Check {
  const { used, reason } = describeFused();
  const { backend, device } = describeEngine();
  return used || backend !== "native" || device !== "cpu"
    ? ok("operations", reason)
    : warn("operations", `tfjs's own, about half as fast: ${reason}`, SETUP);
}

function checkTensorflow(): Check {
  const stamp = readBindingStamp();
  if (stamp === undefined) return warn("libtensorflow", "none", SETUP);
  const library = join(stamp.folder, "libtensorflow_cc.so.2");
  return existsSync(library)
    ? ok("libtensorflow", `${stamp.tensorflow} in ${stamp.folder}`)
    : warn("libtensorflow", `${library} is gone`, SETUP);
}

function checkGpu(): Check {
  const answer = ask("nvidia-smi", ["--query-gpu=name,memory.total", "--format=csv,noheader"]);
  const build = readBindingStamp()?.device;
  if (answer === undefined) return ok("gpu", "none (nvidia-smi does not answer): the CPU works");
  return build === "cuda"
    ? ok("gpu", answer)
    : warn("gpu", `${answer}, unused: libtensorflow is the CPU build`, SETUP);
}

function checkPython(python: string): Check {
  const version = ask(python, ["--version"]);
  return version === undefined
    ? missing("python", "no .venv: no notebooks", `install Python 3.10 or later, then ${SETUP}`)
    : ok("python", `${version} in .venv`);
}

function checkJupyter(python: string): Check {
  const versions = ask(python, [
    "-c",
    "from importlib.metadata import version as v; " +
      "print(', '.join(f'{n} {v(n)}' for n in ('jupyterlab', 'nbclient', 'plotly')))",
  ]);
  return versions === undefined
    ? missing("jupyter", "not in .venv: no notebooks", SETUP)
    : ok("jupyter", versions);
}

function checkKernelspec(root: string): Check {
  const file = join(root, ".venv", "share", "jupyter", "kernels", "tslab", "kernel.json");
  try {
    const { argv } = JSON.parse(readFileSync(file, "utf8")) as { argv: string[] };
    const gone = argv.slice(0, 2).find((path) => !existsSync(path));
    return gone === undefined
      ? ok("kernel", file)
      : missing("kernel", `${file} starts ${gone}, which is gone`, SETUP);
  } catch {
    return missing("kernel", "tslab is not installed in .venv", SETUP);
  }
}

function checkPackage(path: string): Check {
  const name = path.split("/", 1)[0];
  try {
    load(path);
    return ok(name, installedVersion(name));
  } catch (error) {
    return missing(name, message(error), "rm -r node_modules, then " + SETUP);
  }
}

/** Read from the file: not every package exports its package.json. */
function installedVersion(name: string): string {
  const file = (load.resolve.paths(name) ?? [])
    .map((folder) => join(folder, name, "package.json"))
    .find((path) => existsSync(path));
  return file === undefined
    ? "?"
    : (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

/** Two copies of tfjs do not know each other's tensors, so danfojs must find the one that the engine runs. */
function checkOneTfjs(root: string): Check {
  const copies = findPackages(join(root, "node_modules"), "@tensorflow/tfjs-core");
  if (copies.length > 1) {
    return missing("danfojs", `${copies.length} copies of tfjs: ${copies.join(", ")}`, "npm ci");
  }
  try {
    void tf.version_core;
    const { tensorflow } = load("danfojs-node") as { tensorflow: unknown };
    return tensorflow === tf || (tensorflow as typeof tf).engine() === tf.engine()
      ? ok("danfojs", "shares the engine's tfjs")
      : missing("danfojs", "runs a tfjs of its own", "npm ci");
  } catch (error) {
    return missing("danfojs", message(error), "npm ci");
  }
}

/** Folders of a package in a tree of node_modules. */
function findPackages(modules: string, name: string): string[] {
  if (!existsSync(modules)) return [];
  const here = existsSync(join(modules, name, "package.json")) ? [join(modules, name)] : [];
  const folders = readdirSync(modules, { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  const nested = folders.flatMap((entry) =>
    entry.name.startsWith("@")
      ? readdirSync(join(modules, entry.name)).map((inner) => join(modules, entry.name, inner))
      : [join(modules, entry.name)],
  );
  return [...here, ...nested.flatMap((folder) => findPackages(join(folder, "node_modules"), name))];
}

function checkDisk(root: string): Check {
  const { bavail, bsize } = statfsSync(root);
  const free = bavail * bsize;
  return free >= DISK_NEEDED
    ? ok("disk", `${gigabytes(free)} free`)
    : warn("disk", `${gigabytes(free)} free`, `free ${gigabytes(DISK_NEEDED - free)} more`);
}

function checkMemory(): Check {
  const detail = `${gigabytes(freemem())} free of ${gigabytes(totalmem())}`;
  return totalmem() >= MEMORY_NEEDED
    ? ok("memory", detail)
    : warn("memory", detail, "choose the smoke preset, or a machine with more memory");
}

function ask(command: string, args: string[]): string | undefined {
  const { status, stdout } = spawnSync(command, args, { encoding: "utf8", timeout: 20_000 });
  return status === 0 ? stdout.trim() : undefined;
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
const message = (error: unknown): string => String((error as Error).message).split("\n", 1)[0];

function ok(name: string, detail: string): Check {
  return { name, status: "ok", detail };
}

function warn(name: string, detail: string, fix: string): Check {
  return { name, status: "warning", detail, fix };
}

function missing(name: string, detail: string, fix: string): Check {
  return { name, status: "missing", detail, fix };
}
