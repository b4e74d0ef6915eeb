// The process that runs the cells. The kernel's other process compiles them, speaks with Jupyter, and starts this one anew
// when it dies.
//   node kernels/session/main.mjs    with pipes: 3 events to the kernel, 4 orders from it
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import util from "node:util";
import vm from "node:vm";
import { Worker } from "node:worker_threads";
import { writeFrame } from "../frames.mjs";
import { createComms } from "./comms.mjs";
import { createDisplay, withinLimit } from "./display.mjs";
import { Interrupted, failWaits, gateOf, setRunning, tieTimersToCells } from "./interrupt.mjs";
import { createModules } from "./modules.mjs";
import { createScope } from "./scope.mjs";
import { cellFile, describeError, rememberCell, stackOf } from "./traceback.mjs";
import { bundleOf } from "./views.mjs";
import { createWidgets } from "./widgets.mjs";

const EVENTS_FD = 3;
const ORDERS_FD = 4;
/** How long an interrupted cell may take for its `finally` blocks before it is given up. */
const GRACE_MS = 300;
const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
// The kernel's own timers are not tied to any cell.
const { setImmediate: soon, setTimeout: later } = globalThis;

// Node 23 removed these two and tfjs-node 4.22 calls them; a cell may import tfjs or danfojs before the library does it.
util.isNullOrUndefined = (value) => value === null || value === undefined;
util.isArray = Array.isArray;
process.setSourceMapsEnabled(true);

/** The cell that runs, or the one that ran last: what is printed belongs to it. */
let cell;
let busy = false;
const send = (event) => writeFrame(EVENTS_FD, { cell: cell?.id, ...event });

const modules = createModules({ root });
const scope = createScope(modules);
const display = createDisplay({ send, require: modules.require });
const comms = createComms(send);
const widgets = createWidgets(comms.globals);
const questions = [];

Object.assign(globalThis, display.globals, widgets, {
  comms: comms.globals,
  /** Asks the person at the notebook. */
  input: (prompt = "", { password = false } = {}) =>
    new Promise((resolve, reject) => {
      questions.push({ resolve, reject });
      send({ type: "input", prompt: String(prompt), password });
    }),
});
globalThis[Symbol.for("srpo-lab.kernel.widgets")] = widgets;
// The library's own displays, and those of `import { display } from "tslab"`.
const write = (message, update) =>
  display.show(message.data, { ...message, id: message.transient?.display_id, update });
globalThis[Symbol.for("srpo-lab.kernel.write")] = write;
const require = createRequire(join(root, "cell.js"));
const load = modules.load;
modules.load = async (name) => {
  const lookUp = await load(name);
  if (name === "tslab") require("tslab/dist/jupyter.js").lastWriteDisplayData = write;
  return lookUp;
};

for (const name of ["stdout", "stderr"]) {
  process[name].write = (chunk, encoding, done) => {
    const text = typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8");
    send({ type: "stream", name, text });
    const callback = typeof encoding === "function" ? encoding : done;
    if (typeof callback === "function") process.nextTick(callback);
    return true;
  };
}

process.exit = (code = process.exitCode ?? 0) => {
  const where = describeError(new Error("process.exit")).traceback.slice(1);
  send({ type: "exit", code, where });
  process.emit("exit", code);
  // Node's own way out waits for the watchdog, which it takes for a debugger.
  process.kill(process.pid, "SIGKILL");
};

/** Thrown on purpose after a cut, to make Node forget the callbacks that it believes to be inside. */
const UNWIND = new Error("unwind");
const say = (what, error) => {
  const { traceback } = describeError(error);
  send({ type: "stream", name: "stderr", text: `${what}\n${traceback.join("\n")}\n` });
};
const complain = (what) => (error) => {
  if (error !== UNWIND && !(error instanceof Interrupted)) say(what, error);
};
process.on("uncaughtException", complain("Not caught by any cell:"));
process.on("unhandledRejection", complain("A promise that nobody awaits failed:"));

function execute(order) {
  const { id, number, run, code, map, source, names } = order;
  const file = cellFile(number, run);
  rememberCell(file, { number, source, map });
  cell = { id, over: false, interrupted: false, declared: scope.begin(names) };
  busy = true;
  setRunning(cell);
  const mine = cell;
  const end = (outcome) => finish(mine, outcome);
  mine.end = end;
  // In a callback of its own: where the watchdog cuts it off, nothing of the kernel is cut with it.
  soon(() => {
    let result;
    try {
      modules.refresh();
      const body = new vm.Script(code, { filename: file, lineOffset: -1 }).runInThisContext();
      result = body(scope.variables, gateOf(mine), scope, modules.require);
    } catch (error) {
      return end({ error });
    }
    result.then(
      (returned) => end({ returned }),
      (error) => end({ error }),
    );
  });
}

/** Ends a cell once: with its result, with its error, or interrupted. */
async function finish(mine, { returned, error, failed = error !== undefined }) {
  if (mine.over || mine.ended) return;
  mine.ended = true;
  let report;
  if (!failed && returned !== undefined && "value" in returned && returned.value !== undefined) {
    try {
      const bundle = bundleOf(returned.value, { require: modules.require });
      const data = typeof bundle.then === "function" ? await bundle : bundle;
      send({ type: "result", data: withinLimit(data), metadata: {} });
    } catch (problem) {
      [failed, error] = [true, problem];
    }
  }
  if (failed) report = describeError(error);
  // Only an interrupted cell is over for good; what another left running, such as a timer, is wanted.
  if (mine.interrupted) mine.over = true;
  busy = false;
  setRunning(undefined);
  // A question of a cell that has ended is nobody's any more.
  questions.length = 0;
  send({ type: "done", id: mine.id, set: mine.declared.end(), error: report });
}

// Shared with the watchdog: [0] the number of the last interrupt heard, [1] how many stages stop by themselves, [2] the
// number of the last one that cut off what ran.
const shared = new SharedArrayBuffer(12);
const state = new Int32Array(shared);
// Always there, so that a stage's own listener is never the last one, whose signal would end the process.
const keepAlive = () => {};
process.on("SIGINT", keepAlive);
const stages = () => process.listeners("SIGINT").filter((listener) => listener !== keepAlive);
// Told at once: the event loop may be blocked from here on. A listener is announced before it is there.
process.on("newListener", (event) => {
  if (event === "SIGINT") Atomics.store(state, 1, stages().length + 1);
});
process.on("removeListener", (event) => {
  if (event === "SIGINT") Atomics.store(state, 1, stages().length);
});

function interrupt() {
  if (!busy) return;
  const first = !cell.interrupted;
  cell.interrupted = true;
  // A stage of the library stops by itself, with a checkpoint, and fails the cell; a second interrupt does not wait for it.
  if (first && stages().length > 0) {
    process.emit("SIGINT", "SIGINT");
    return;
  }
  const mine = cell;
  failWaits();
  later(() => mine.end({ error: new Interrupted("the cell was interrupted") }), GRACE_MS);
}

function terminated({ during, frames }) {
  soon(() => {
    throw UNWIND;
  });
  const error = new Interrupted("the cell was interrupted while it computed");
  error.stack = stackOf(frames);
  // The cell that runs now may have been ordered while something else was cut off.
  if (!busy || cell.id !== during) return say("Interrupted between cells:", error);
  failWaits();
  cell.interrupted = true;
  cell.end({ error });
}

function answer({ value, error }) {
  const question = questions.shift();
  if (error === undefined) question?.resolve(value);
  else question?.reject(new Error(error));
}

const watchdog = new Worker(new URL("./watchdog.mjs", import.meta.url), {
  workerData: { ordersFd: ORDERS_FD, shared },
  stdout: false,
  stderr: false,
});
watchdog.on("message", (order) => {
  if (order.type === "interrupt") {
    Atomics.store(state, 0, order.number);
    // What was cut off is told apart, with where it was.
    if (Atomics.load(state, 2) < order.number) interrupt();
  } else if (order.type === "terminated") terminated(order);
  else if (order.type === "execute") execute(order);
  else if (order.type === "answer") answer(order);
  else if (order.type === "comm") comms.receive(order);
});
watchdog.once("online", () => send({ type: "ready", pid: process.pid }));

tieTimersToCells();
