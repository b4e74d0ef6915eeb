// The native back end: libtensorflow from PyPI's wheel, and tfjs-node's binding compiled against it.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus } from "node:os";
import { join } from "node:path";
import {
  StepFailure,
  Without,
  ask,
  filesUnder,
  hash,
  hashFiles,
  lastLines,
  readJson,
  root,
  run,
  stampFits,
  venv,
  venvPython,
  writeStamp,
} from "../tools.mjs";
import { pipInstall, requirementsHash } from "./python.mjs";

let build;
/** `cuda` where `nvidia-smi` answers, else `cpu`. */
function device() {
  build ??= ask("nvidia-smi", ["-L"])?.includes("GPU") ? "cuda" : "cpu";
  return build;
}

/** @throws Without where nobody wants the native back end, or nobody could load it */
function refuse() {
  const { SRPO_ENGINE: engine } = process.env;
  if (engine === "wasm" || engine === "cpu") throw new Without(`SRPO_ENGINE=${engine} is set`);
  if (process.platform !== "linux") throw new Without("this build is for Linux");
  if (!existsSync(venvPython)) throw new Without("there is no .venv");
}

const tensorflowStamp = join(venv, "srpo-lab-tensorflow.json");
const wanted = () => ({
  root,
  device: device(),
  requirements: requirementsHash(`requirements-${device()}.txt`),
});

/** Finds the wheel without importing it, which would take seconds. */
const LOCATE = `
import importlib.metadata, importlib.util
spec = importlib.util.find_spec("tensorflow")
names = ("tensorflow-cpu", "tensorflow")
found = {d.metadata["Name"].replace("_", "-"): d.version for d in importlib.metadata.distributions()}
print(spec.submodule_search_locations[0])
print(next(found[name] for name in names if name in found))`;

export const tensorflow = {
  name: "tensorflow",
  title: "libtensorflow in .venv",
  missing() {
    return existsSync(venvPython) && stampFits(tensorflowStamp, wanted())
      ? undefined
      : `pip install, ${device() === "cuda" ? "CUDA build (minutes)" : "CPU build (a minute)"}`;
  },
  async make() {
    refuse();
    rmSync(tensorflowStamp, { force: true });
    // The two builds are two packages that write the same files: the other one has to go first.
    const other = device() === "cuda" ? "tensorflow-cpu" : "tensorflow";
    if (ask(venvPython, ["-m", "pip", "show", "-q", other]) !== undefined) {
      await run(venvPython, ["-m", "pip", "uninstall", "-y", "tensorflow-cpu", "tensorflow"]);
    }
    await pipInstall(`requirements-${device()}.txt`);
    const [folder, version] = ask(venvPython, ["-c", LOCATE])?.split("\n") ?? [];
    if (!existsSync(join(folder ?? "", "libtensorflow_cc.so.2"))) {
      throw new Without("the tensorflow wheel for this platform holds no libtensorflow_cc.so.2");
    }
    writeStamp(tensorflowStamp, { ...wanted(), folder, version });
    return `${version}, ${device() === "cuda" ? "CUDA" : "CPU"} build`;
  },
};

const tfjsNode = join(root, "node_modules", "@tensorflow", "tfjs-node");
const folder = join(tfjsNode, "lib", "napi-v8");
const ownSources = join(root, "kernels", "binding");
// lib/engine/backend.ts reads it, to tell versions.
const bindingStampFile = join(folder, "srpo-binding.json");

function bindingStamp() {
  const wheel = readJson(tensorflowStamp);
  return {
    tfjs: readJson(join(tfjsNode, "package.json"))?.version,
    tensorflow: wheel?.version,
    device: wheel?.device,
    folder: wheel?.folder,
    sources: hashFiles([...filesUnder(join(tfjsNode, "binding")), ...filesUnder(ownSources)]),
  };
}

export const binding = {
  name: "binding",
  title: "tfjs-node binding",
  missing() {
    const built = ["tfjs_binding.node", "quiet.node"].every((file) =>
      existsSync(join(folder, file)),
    );
    const current = existsSync(tensorflowStamp) && stampFits(bindingStampFile, bindingStamp());
    return built && current ? undefined : "compile against libtensorflow (ten seconds)";
  },
  async make() {
    refuse();
    const stamp = bindingStamp();
    if (stamp.folder === undefined) throw new Without("there is no libtensorflow");
    const compiler = findCompiler();
    rmSync(bindingStampFile, { force: true });
    mkdirSync(folder, { recursive: true });
    const flags = ["-O2", ...addonFlags()];
    await compile(compiler, "quiet.node", [...flags, join(ownSources, "quiet.cc")]);
    await compile(compiler, "tfjs_binding.node", [
      ...flags,
      ...["-I..", "-I.", "binding/tfjs_backend.cc", "binding/tfjs_binding.cc"],
      ...tensorflowFlags(stamp.folder),
    ]);
    writeStamp(bindingStampFile, stamp);
    return `tfjs ${stamp.tfjs} on libtensorflow ${stamp.tensorflow}`;
  },
};

const operationSources = join(root, "lib", "engine", "native");
const operationStampFile = join(folder, "srpo-operations.json");

function operationStamp() {
  const { tensorflow, folder: wheel } = bindingStamp();
  const sources = hashFiles(filesUnder(operationSources));
  // They are compiled for this very processor, and another one may not know its instructions.
  return { tensorflow, folder: wheel, sources, processor: hash(JSON.stringify(processor())) };
}

function processor() {
  const text = existsSync("/proc/cpuinfo") ? readFileSync("/proc/cpuinfo", "utf8") : "";
  return [process.arch, cpus()[0]?.model, text.match(/^(flags|Features)\s*:.*$/m)?.[0]];
}

/** The lab's own operations for libtensorflow on a CPU; without them the same is computed by tfjs's, more slowly. */
export const operations = {
  name: "operations",
  title: "fused operations",
  missing() {
    const built = existsSync(join(folder, "operations.node"));
    const current = existsSync(tensorflowStamp) && stampFits(operationStampFile, operationStamp());
    return built && current ? undefined : "compile for this processor (ten seconds)";
  },
  async make() {
    refuse();
    const stamp = operationStamp();
    if (stamp.folder === undefined) throw new Without("there is no libtensorflow");
    const compiler = findCompiler();
    rmSync(operationStampFile, { force: true });
    mkdirSync(folder, { recursive: true });
    await compile(compiler, "operations.node", [
      ...["-O3", "-march=native", "-fopenmp", "-fno-math-errno", "-fno-trapping-math"],
      ...["-Wno-psabi", ...addonFlags()],
      ...filesUnder(operationSources, (file) => file.endsWith(".cc")),
      ...tensorflowFlags(stamp.folder),
    ]);
    writeStamp(operationStampFile, stamp);
  },
};

/** @throws Without where there is none */
function findCompiler() {
  const compiler = [process.env.CXX, "g++", "clang++", "c++"].find(
    (command) => command && ask(command, ["--version"]) !== undefined,
  );
  if (compiler !== undefined) return compiler;
  throw new Without("there is no C++ compiler (Debian and Ubuntu: apt install g++)");
}

function addonFlags() {
  const headers = createRequire(join(root, "package.json"))("node-api-headers").include_dir;
  return ["-std=c++17", "-shared", "-fPIC", "-DNAPI_VERSION=8", `-I${headers}`];
}

const tensorflowFlags = (wheel) => [
  ...[`-I${join(wheel, "include")}`, `-L${wheel}`],
  ...["-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2", `-Wl,-rpath,${wheel}`],
];

/** Compiles beside the old file and swaps it in once it loads: a process that runs on the old one keeps it. */
async function compile(compiler, name, args) {
  const aside = join(folder, `${process.pid}-${name}`);
  const fix =
    "read the compiler's lines above; SRPO_ENGINE=wasm goes on without it, about ten times slower";
  try {
    const built = await run(compiler, [...args.slice(0, -1), "-o", aside, args.at(-1)], {
      cwd: tfjsNode,
    });
    if (built.code !== 0) {
      throw new StepFailure(`${compiler} could not compile ${name}`, {
        output: lastLines(built.output),
        fix,
      });
    }
    const loaded = await run(process.execPath, ["-e", "require(process.argv[1])", aside]);
    if (loaded.code !== 0) {
      throw new StepFailure(`Node could not load the compiled ${name}`, {
        output: lastLines(loaded.output),
        fix,
      });
    }
    renameSync(aside, join(folder, name));
  } finally {
    rmSync(aside, { force: true });
  }
}
