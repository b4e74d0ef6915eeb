// The session's second thread. It reads the kernel's orders, so that an interrupt is heard while the first thread is busy,
// and ends what does not listen: V8 can be told from another thread to stop whatever JavaScript runs.
import { Session } from "node:inspector";
import { Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { frameReader } from "../frames.mjs";

/** How long the first thread may take to say that it has heard an interrupt. */
const PATIENCE_MS = 250;

const { ordersFd, shared } = workerData;
/** [0] interrupts heard by the first thread, [1] listeners of SIGINT that stop by themselves, [2] interrupts that cut it off */
const state = new Int32Array(shared);
const inspector = new Session();
inspector.connectToMainThread();

let sent = 0;
let asked = false;
/** The cell that was ordered last. */
let ordered;

function interrupt() {
  const number = ++sent;
  parentPort.postMessage({ type: "interrupt", number });
  const again = asked;
  const during = ordered;
  const deadline = Date.now() + PATIENCE_MS;
  const look = () => {
    if (Atomics.load(state, 0) >= number) return;
    // A training stage is heard at its next step, however long that takes; only a second interrupt cuts it off.
    const polite = Atomics.load(state, 1) > 0 && !again;
    if (!polite && Date.now() >= deadline) return terminate(number, during);
    setTimeout(look, 20);
  };
  asked = true;
  look();
}

/** Steps that may be taken out of the kernel's own code, and Node's, to the line of the user's that is running. */
const MAX_STEPS = 50;
const kernelFolder = new URL(".", import.meta.url).href;
const isUsers = ({ file }) =>
  file !== "" && !file.startsWith("node:") && !file.startsWith(kernelFolder);

/** Stops the first thread where it is, which only a debugger can read, and ends from there whatever it runs. */
function terminate(number, during) {
  const files = new Map();
  const remember = ({ params }) => files.set(params.scriptId, params.url);
  let steps = 0;
  const paused = ({ params }) => {
    const frames = params.callFrames.map(({ functionName, location }) => {
      const { scriptId, lineNumber, columnNumber } = location;
      const file = files.get(scriptId) ?? "";
      return { name: functionName, file, line: lineNumber + 1, column: columnNumber + 1 };
    });
    // It may have come out of a native call, and heard, by now.
    const heard = Atomics.load(state, 0) >= number;
    if (!heard && !frames.some(isUsers) && ++steps <= MAX_STEPS) {
      return inspector.post("Debugger.stepInto");
    }
    inspector.off("Debugger.scriptParsed", remember);
    inspector.off("Debugger.paused", paused);
    if (!heard) {
      Atomics.store(state, 2, number);
      parentPort.postMessage({ type: "terminated", during, frames });
      inspector.post("Runtime.terminateExecution");
    }
    inspector.post("Debugger.resume");
    inspector.post("Debugger.disable");
  };
  inspector.on("Debugger.scriptParsed", remember);
  inspector.on("Debugger.paused", paused);
  inspector.post("Debugger.enable");
  inspector.post("Debugger.pause");
}

const orders = new Socket({ fd: ordersFd, readable: true, writable: false });
orders.on(
  "data",
  frameReader((order) => {
    if (order.type === "interrupt") return interrupt();
    if (order.type === "execute") [asked, ordered] = [false, order.id];
    parentPort.postMessage(order);
  }),
);
// The kernel is gone: nothing may stay behind, whatever the first thread is doing.
orders.on("close", () => process.kill(process.pid, "SIGKILL"));
