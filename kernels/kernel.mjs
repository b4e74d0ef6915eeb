// The Jupyter kernel `tslab`: stock tslab, started so that notebooks of this clone just work.
//   node kernels/kernel.mjs CONNECTION_FILE
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import util from "node:util";
import vm from "node:vm";
import { spellOutShorthands } from "./shorthand.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const configPath = process.argv[2];
if (configPath === undefined) {
  console.error("kernel.mjs: no connection file, expected `node kernels/kernel.mjs FILE`.");
  process.exit(2);
}

// tslab lets a notebook import sources only from below the working directory, and Jupyter starts kernels in the notebook's.
process.chdir(root);

process.env.TF_CPP_MIN_LOG_LEVEL ??= "2";
process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= "true";
// Node 23 removed these two and tfjs-node 4.22 calls them; a cell may import tfjs or danfojs before the library does it.
util.isNullOrUndefined = (value) => value === null || value === undefined;
util.isArray = Array.isArray;

// A kernel whose server was killed would stay for ever.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.exit(0);
}, 1000).unref();

// tslab runs the synchronous part of a cell under vm's `breakOnSigint`, which leaves the signal's default action behind:
// with a listener that the cell itself added meanwhile, Node takes SIGINT to be armed already, and it kills the kernel.
const { runInThisContext } = vm;
vm.runInThisContext = (...args) => {
  try {
    return runInThisContext(...args);
  } finally {
    const listeners = process.rawListeners("SIGINT");
    process.removeAllListeners("SIGINT");
    for (const listener of listeners) process.on("SIGINT", listener);
  }
};

const load = createRequire(createRequire(join(root, "package.json")).resolve("tslab/dist/main.js"));
const converter = load("./converter.js");
const { createConverter } = converter;
converter.createConverter = (options) => {
  const made = createConverter(options);
  const ts = load("@tslab/typescript-for-tslab");
  const { convert } = made;
  made.convert = (declarations, source) =>
    convert(declarations, spellOutShorthands(ts, source, declarations));
  return made;
};

const { startKernel } = load("./main.js");
startKernel({ configPath, enableFindLocal: false });

// tslab answers SIGINT by abandoning the cell, while what the cell awaits runs on behind it. A stage of the library listens
// for SIGINT itself while it trains, stops within a step and fails the cell, so the first signal is left to it; a second one abandons.
const [abandon] = process.listeners("SIGINT");
process.off("SIGINT", abandon);
let asked;
const interrupt = () => {
  const stage = process.listeners("SIGINT").find((listener) => listener !== interrupt);
  if (stage === undefined || stage === asked) abandon();
  asked = stage;
};
process.on("SIGINT", interrupt);
