// The Jupyter kernel `tslab`: TypeScript in notebooks of this clone, as a layer over tslab from npm.
//   node kernels/kernel.mjs CONNECTION_FILE
//
// Two processes, so that Jupyter is answered whatever a cell does:
//   this one      speaks with Jupyter (protocol/), and compiles cells with TypeScript (cells/)
//   its child     runs what the cells became (session/); its second thread hears interrupts while the first is busy
// It is plain JavaScript because it has to start, and to say what is wrong, also where the library does not compile.
import Module, { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const configPath = process.argv[2];
if (configPath === undefined) {
  console.error("kernel.mjs: no connection file, expected `node kernels/kernel.mjs FILE`.");
  process.exit(2);
}

// Jupyter starts kernels in the notebook's folder; cells run at the clone's root.
const folder = process.cwd();
process.chdir(root);
process.env.TF_CPP_MIN_LOG_LEVEL ??= "2";
process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= "true";

// Node 22 keeps what it compiled, which spares a fifth of a second of reading TypeScript.
Module.enableCompileCache?.(join(root, ".cache", "node"));

// tslab brings a TypeScript of its own, 5.0 with changes for a compiler that is not used here: one is enough.
const require = createRequire(import.meta.url);
const resolveFilename = Module._resolveFilename;
Module._resolveFilename = function (request, ...rest) {
  const wanted = request === "@tslab/typescript-for-tslab" ? "typescript" : request;
  return resolveFilename.call(this, wanted, ...rest);
};

const { startKernel } = await import("./protocol/kernel.mjs");
const { shutdown } = startKernel({ ts: require("typescript"), root, folder, configPath });

// A kernel whose server was killed would stay for ever.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) void shutdown();
}, 1000).unref();
