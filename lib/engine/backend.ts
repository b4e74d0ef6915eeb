/**
 * Which tfjs back end runs, and why.
 *
 * One tfjs serves the whole process (danfojs included), on the best of four back ends:
 *
 * | back end | what runs the operations | relative speed |
 * | --- | --- | --- |
 * | `native` | libtensorflow of the lab's `.venv`, through the tfjs-node binding that set-up compiles | 1 |
 * | `webgpu` | any GPU, through Dawn on npm's `webgpu` (`webgpu.ts`) | the GPU's |
 * | `wasm` | WebAssembly with SIMD; one thread, because tfjs starts no wasm workers in Node | ~ 1/10 |
 * | `cpu` | plain JavaScript | ~ 1/200 |
 *
 * `import { tf } from "../engine/backend"` costs nothing: the first use of `tf` chooses and loads. The native back end is
 * usable at once; the others must be awaited, so every entry point starts with `await ready()`.
 *
 * Environment: `SRPO_DEVICE` (`cuda`, `webgpu`, `cpu`) says what is to compute, `SRPO_ENGINE` (`native`, `webgpu`, `wasm`,
 * `cpu`) forces a back end, `SRPO_THREADS` limits the native threads. Without them a GPU that only WebGPU reaches is taken
 * where there is no libtensorflow; where there is, the small policies may well be faster on the CPU, and `srpo doctor`
 * measures both.
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire, syncBuiltinESMExports } from "node:module";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fault } from "./errors";
import { completeWasm } from "./wasm";
import { findAdapter, mayHaveGpu, startWebgpu, type GpuAdapter } from "./webgpu";

type Tfjs = typeof import("@tensorflow/tfjs");

export type BackendName = "native" | "webgpu" | "wasm" | "cpu";

/** What runs the operations, as `srpo doctor` and the first cell of a notebook tell it. */
export interface Engine {
  backend: BackendName;
  device: "cpu" | "cuda" | "webgpu";
  /** On WebGPU, the GPU as its driver names it; known once {@link ready} has been awaited. */
  adapter?: string;
  /** Why this back end and not a faster one. */
  reason: string;
  /** Threads that one operation may use. */
  threads: number;
  versions: { node: string; tfjs: string; libtensorflow?: string };
  /** Present when the user would want to know: everything runs, but slower than it could. */
  warning?: string;
}

/** What set-up leaves beside the binding that it compiled. */
export interface BindingStamp {
  tfjs: string;
  tensorflow: string;
  device: "cpu" | "cuda";
  /** The wheel's folder, which the binding finds its libraries in. */
  folder: string;
}

interface Loaded {
  tf: Tfjs;
  engine: Engine;
  started: Promise<void>;
}

const load = createRequire(__filename);
let loaded: Loaded | undefined;
/** What only {@link ready} can look for before the choice is made: asking for a GPU has to be awaited. */
let gpu: GpuAdapter | undefined;

/** tfjs, loaded at its first use. All of the library takes its tensors from here. */
export declare const tf: Tfjs;
// A getter, because TypeScript's CommonJS output reads `backend_1.tf` at every use: code that needs no tensors never pays
// for libtensorflow, and `SRPO_THREADS` may be set until the first tensor is made.
Object.defineProperty(exports, "tf", { enumerable: true, get: () => choose().tf });

/**
 * Starts the back end; every command and every first cell awaits it before it makes a tensor.
 * @throws LabError when what `SRPO_DEVICE` or `SRPO_ENGINE` asks for cannot run
 */
export async function ready(): Promise<Engine> {
  if (loaded === undefined && gpuWouldBeTaken()) gpu = await findGpu();
  const { started } = choose();
  await started;
  return describeEngine();
}

/** The engine that was chosen, choosing it now when nobody has. */
export function describeEngine(): Engine {
  const { engine } = choose();
  return { ...engine, versions: { ...engine.versions } };
}

/** The engine in one line, with its warning in a second. */
export function renderEngine(engine: Engine): string {
  const { backend, device, adapter = device, threads, versions, reason, warning } = engine;
  const runtime =
    versions.libtensorflow === undefined ? "" : ` · libtensorflow ${versions.libtensorflow}`;
  const line =
    `engine ${backend} on ${adapter}, ${threads} thread${threads === 1 ? "" : "s"}` +
    ` · tfjs ${versions.tfjs}${runtime} · Node ${versions.node} (${reason})`;
  return warning === undefined ? line : `${line}\n! ${warning}`;
}

/** Where set-up puts what it compiles, and its stamp; each may be absent. */
export function bindingFiles(): Record<"binding" | "operations" | "quiet" | "stamp", string> {
  const folder = join(dirname(load.resolve("@tensorflow/tfjs-node/package.json")), "lib/napi-v8");
  return {
    binding: join(folder, "tfjs_binding.node"),
    operations: join(folder, "operations.node"),
    quiet: join(folder, "quiet.node"),
    stamp: join(folder, "srpo-binding.json"),
  };
}

/** What set-up recorded when it compiled the binding, if it did. */
export function readBindingStamp(): BindingStamp | undefined {
  try {
    return JSON.parse(readFileSync(bindingFiles().stamp, "utf8")) as BindingStamp;
  } catch {
    return undefined;
  }
}

function choose(): Loaded {
  if (loaded === undefined) {
    const { SRPO_THREADS } = process.env;
    if (SRPO_THREADS !== undefined && !/^([1-9]\d*)?$/.test(SRPO_THREADS)) {
      throw fault("engine", "SRPO_THREADS is not a number of threads", {
        got: SRPO_THREADS,
        expected: "a whole number from 1",
      });
    }
    loaded = pick(wantedEngine());
  }
  return loaded;
}

/** The back end that the environment asks for. `SRPO_DEVICE` is what users think in; it settles the engine. */
function wantedEngine(): string | undefined {
  const { env } = process;
  switch (env.SRPO_DEVICE) {
    case undefined:
    case "":
      break;
    case "webgpu":
      return "webgpu";
    case "cuda":
      return "native";
    case "cpu":
      // Read by libtensorflow when it loads.
      env.CUDA_VISIBLE_DEVICES = "-1";
      break;
    default:
      throw fault("engine", "unknown device in SRPO_DEVICE", {
        got: env.SRPO_DEVICE,
        expected: "cuda, webgpu or cpu",
        try: "unset SRPO_DEVICE to let the lab choose",
      });
  }
  return env.SRPO_ENGINE;
}

function pick(wanted: string | undefined): Loaded {
  if (wanted === "native") return startNative();
  if (wanted === "webgpu") return startGpu("the environment asks for it");
  if (wanted === "wasm" || wanted === "cpu") {
    return startPortable(wanted, `SRPO_ENGINE=${wanted} asks for it`);
  }
  if (wanted !== undefined && wanted !== "") {
    throw fault("engine", "unknown back end in SRPO_ENGINE", {
      got: wanted,
      expected: "native, webgpu, wasm or cpu",
      try: "unset SRPO_ENGINE to let the lab choose",
    });
  }
  try {
    return startNative();
  } catch (error) {
    const why = existsSync(bindingFiles().binding)
      ? `the native back end does not load: ${(error as Error).message.split("\n", 1)[0]}`
      : "the tfjs-node binding is not compiled";
    if (gpu !== undefined) return startGpu(why);
    const portable = startPortable("wasm", why);
    portable.engine.warning =
      "running on WebAssembly: everything works, about ten times slower than with libtensorflow." +
      " `npm run setup` says what it needs; `srpo doctor` explains.";
    return portable;
  }
}

/** Whether a GPU would be used if there were one: not where the user has decided or libtensorflow is there. */
function gpuWouldBeTaken(): boolean {
  const { SRPO_DEVICE = "", SRPO_ENGINE = "" } = process.env;
  return SRPO_DEVICE + SRPO_ENGINE === "" && !existsSync(bindingFiles().binding) && mayHaveGpu();
}

/** A GPU worth choosing unasked; none where WebGPU is not installed. */
async function findGpu(): Promise<GpuAdapter | undefined> {
  const found = await findAdapter().catch(() => undefined);
  return found?.software === true ? undefined : found;
}

/** libtensorflow through the binding that set-up compiled. */
function startNative(): Loaded {
  const { binding } = bindingFiles();
  if (!existsSync(binding)) {
    throw fault("engine", "the tfjs-node binding has not been compiled", {
      expected: binding,
      try: "npm run setup (it needs g++ and Python 3.10 or later)",
    });
  }
  restoreUtil();
  prepareTensorflow();
  const tfjs = quietly(() => load("@tensorflow/tfjs-node") as Tfjs);
  const backend = tfjs.engine().backend as unknown as { isUsingGpuDevice: boolean };
  const stamp = readBindingStamp();
  const device = backend.isUsingGpuDevice ? "cuda" : "cpu";
  const engine: Engine = {
    backend: "native",
    device,
    reason:
      process.env.SRPO_ENGINE === "native"
        ? "SRPO_ENGINE=native asks for it"
        : "the compiled binding loads",
    threads: Number(process.env.TF_NUM_INTRAOP_THREADS ?? availableParallelism()),
    versions: {
      node: process.versions.node,
      tfjs: tfjs.version_core,
      ...(stamp === undefined ? {} : { libtensorflow: stamp.tensorflow }),
    },
  };
  if (process.env.SRPO_DEVICE === "cuda" && device === "cpu") {
    throw fault("engine", "SRPO_DEVICE=cuda, and libtensorflow sees no GPU", {
      got: stamp === undefined ? "a binding of unknown origin" : `its ${stamp.device} build`,
      try: "npm run setup where `nvidia-smi` answers; SRPO_DEVICE=webgpu for other GPUs",
    });
  }
  if (stamp?.device === "cuda" && device === "cpu" && process.env.SRPO_DEVICE !== "cpu") {
    engine.warning =
      "libtensorflow is the CUDA build but sees no GPU, so the CPU does the work;" +
      " check `nvidia-smi` and CUDA_VISIBLE_DEVICES.";
  }
  return { tf: tfjs, engine, started: Promise.resolve() };
}

/** A GPU through WebGPU. */
function startGpu(reason: string): Loaded {
  const tfjs = loadPortable();
  const engine = portableEngine(tfjs, "webgpu", reason);
  const start = async (): Promise<void> => {
    const adapter = gpu ?? (await findAdapter());
    if (adapter === undefined) {
      throw fault("engine", "WebGPU finds no GPU", {
        expected: "a GPU with its driver and, on Linux, a Vulkan loader (libvulkan1)",
        try: "SRPO_DEVICE=cpu",
      });
    }
    engine.adapter = adapter.name;
    if (adapter.software) {
      engine.warning = `${adapter.name} is a GPU played by the CPU: good for tests, slower than SRPO_DEVICE=cpu.`;
    }
    await startWebgpu(tfjs, adapter);
  };
  return { tf: tfjs, engine, started: start() };
}

/** WebAssembly or plain JavaScript: nothing to compile, nothing but npm packages. */
function startPortable(backend: "wasm" | "cpu", reason: string): Loaded {
  const tfjs = loadPortable();
  const engine = portableEngine(tfjs, backend, reason);
  return { tf: tfjs, engine, started: startBackend(tfjs, backend) };
}

function portableEngine(tfjs: Tfjs, backend: "webgpu" | "wasm" | "cpu", reason: string): Engine {
  return {
    backend,
    device: backend === "webgpu" ? "webgpu" : "cpu",
    reason,
    threads: 1,
    versions: { node: process.versions.node, tfjs: tfjs.version_core },
  };
}

function loadPortable(): Tfjs {
  const tfjs = load("@tensorflow/tfjs") as Tfjs;
  // Without this tfjs prints an advert for tfjs-node, once a process, into the user's cell.
  tfjs.enableProdMode();
  shareWithDanfo(tfjs);
  return tfjs;
}

async function startBackend(tfjs: Tfjs, backend: "wasm" | "cpu"): Promise<void> {
  if (backend === "wasm") {
    const wasm = load(
      "@tensorflow/tfjs-backend-wasm",
    ) as typeof import("@tensorflow/tfjs-backend-wasm");
    const folder = dirname(load.resolve("@tensorflow/tfjs-backend-wasm/package.json"));
    wasm.setWasmPaths(join(folder, "dist") + "/");
    completeWasm(tfjs);
  }
  if (!(await tfjs.setBackend(backend))) {
    throw fault("engine", `tfjs cannot start its ${backend} back end`, {
      try: "SRPO_ENGINE=cpu (plain JavaScript, very slow), or npm run setup for the native one",
    });
  }
}

/**
 * Node 23 removed two functions of `util` that tfjs-node 4.22 still calls, and Node 22 warns at each of them; both versions
 * get their old behaviour back, silently.
 */
export function restoreUtil(): void {
  const util = load("node:util") as Record<string, unknown>;
  util.isNullOrUndefined = (value: unknown): boolean => value === null || value === undefined;
  util.isArray = Array.isArray;
  syncBuiltinESMExports();
}

/** libtensorflow reads these once, while it loads. What the user has set stays. */
function prepareTensorflow(): void {
  const { env } = process;
  env.TF_CPP_MIN_LOG_LEVEL ??= "2";
  // Otherwise TensorFlow takes nearly all of a GPU's memory at once, and ONNX Runtime finds none.
  env.TF_FORCE_GPU_ALLOW_GROWTH ??= "true";
  // The lab's own operations run on OpenMP; its idle threads would otherwise spin while TensorFlow's want the core.
  env.OMP_WAIT_POLICY ??= "passive";
  const { SRPO_THREADS: threads } = env;
  if (threads === undefined || threads === "") return;
  env.TF_NUM_INTRAOP_THREADS = threads;
  env.TF_NUM_INTEROP_THREADS = threads;
  env.OMP_NUM_THREADS = threads;
}

/** Runs `work` without what libtensorflow writes to standard error before it reads its log level. */
function quietly<T>(work: () => T): T {
  if (Number(process.env.TF_CPP_MIN_LOG_LEVEL) < 2) return work();
  let quiet: { mute(): void; restore(): void };
  try {
    quiet = load(bindingFiles().quiet) as typeof quiet;
  } catch {
    return work();
  }
  quiet.mute();
  try {
    return work();
  } finally {
    quiet.restore();
  }
}

/** danfojs asks for tfjs-node, which cannot load without its binding; it gets the tfjs that runs instead. */
function shareWithDanfo(tfjs: Tfjs): void {
  const path = load.resolve("@tensorflow/tfjs-node");
  const stand = Object.assign(Object.create(Object.getPrototypeOf(module)) as NodeJS.Module, {
    id: path,
    filename: path,
    loaded: true,
    exports: tfjs,
    children: [],
    paths: [],
  });
  load.cache[path] = stand;
}
