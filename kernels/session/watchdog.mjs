// The session's second thread. It reads the kernel's orders, so that an interrupt is heard while the first thread is busy,
// and ends what does not listen: V8 can be told from another thread to stop whatever JavaScript runs.
import { Session } from "node:inspector";
import { Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { frameReader } from "../frames.mjs";

/** How long the first thread may take to say that it has heard an interrupt. */
const PATIENCE_MS = 250;

const { ordersFd, shared } = workerData;
/** [0] interrupts heard by the first thread, [1] listeners of SIGINT that stop by themselves */
const state = new Int32Array(shared);
const inspector = new Session();
inspector.connectToMainThread();

let sent = 0;
let asked = false;

function interrupt() {
  const number = ++sent;
  parentPort.postMessage({ type: "interrupt", number });
  const again = asked;
  const deadline = Date.now() + PATIENCE_MS;
  const look = () => {
    if (Atomics.load(state, 0) >= number) return;
    // A training stage is heard at its next step, however long that takes; only a second interrupt cuts it off.
    const polite = Atomics.load(state, 1) > 0 && !again;
    if (!polite && Date.now() >= deadline) return terminate();
    setTimeout(look, 20);
  };
  asked = true;
  look();
}

function terminate() {
  inspector.post("Runtime.terminateExecution", () =>
    parentPort.postMessage({ type: "terminated" }),
  );
}

const orders = new Socket({ fd: ordersFd, readable: true, writable: false });
orders.on(
  "data",
  frameReader((order) => {
    if (order.type === "interrupt") return interrupt();
    if (order.type === "execute") asked = false;
    parentPort.postMessage(order);
  }),
);
// The kernel is gone: nothing may stay behind, whatever the first thread is doing.
orders.on("close", () => process.kill(process.pid, "SIGKILL"));
