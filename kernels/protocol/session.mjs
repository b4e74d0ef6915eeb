// The other process, in which the cells run: started, spoken to, and started again when it dies.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { fileURLToPath } from "node:url";
import { frame, frameReader } from "../frames.mjs";

const program = fileURLToPath(new URL("../session/main.mjs", import.meta.url));
const KEPT_STDERR = 20_000;
const STDERR_LINES = 5;
/** How long a dead process's streams are waited for: programs that its cells have started may hold them for hours. */
const LAST_WORDS_MS = 300;
/** What Node says at its end, because the watchdog is a debugger to it. */
const DEBUGGER_LEAVES = "Waiting for the debugger to disconnect...\n";
const V8_DIES = /<--- Last few GCs|FATAL ERROR:/;

/**
 * @param {{root: string, onEvent(event: any): void, onDeath(report: {name: string, text: string, where?: string[]}): void}}
 *   options onDeath: it died by itself, and another one has been started
 */
export function createSession({ root, onEvent, onDeath }) {
  let child;
  let closed = false;

  function start() {
    let exit;
    let errors = "";
    const began = Date.now();
    // Cells that loop are cut off by the watchdog, which leaves Node's record of nested callbacks behind.
    child = spawn(process.execPath, ["--no-force-async-hooks-checks", program], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"],
      // A group of its own: Jupyter's SIGINT goes to the whole group, and is for the kernel to hand on.
      detached: true,
    });
    const [, out, err, events, orders] = child.stdio;
    // What native code prints comes here, past Node's own streams.
    for (const [name, stream] of Object.entries({ stdout: out, stderr: err })) {
      const decoder = new StringDecoder("utf8");
      stream.on("data", (chunk) => {
        const text = decoder.write(chunk).replace(DEBUGGER_LEAVES, "");
        if (name === "stderr") errors = (errors + text).slice(-KEPT_STDERR);
        // V8's last words are for the report alone.
        if (text !== "" && !V8_DIES.test(errors)) onEvent({ type: "stream", name, text });
      });
    }
    const read = frameReader((event) => {
      if (event.type === "exit") exit = event;
      else onEvent(event);
    });
    events.on("data", read);
    orders.on("error", () => {});
    let ended = false;
    const end = (code, signal) => {
      if (closed || ended) return;
      ended = true;
      // One that dies at its start would do so for ever: it is started again when a cell wants it.
      if (Date.now() - began > 1000 || exit !== undefined) start();
      else child = undefined;
      onDeath(explain({ code, signal, exit, errors }));
    };
    child.on("close", end);
    child.on("exit", (code, signal) => setTimeout(end, LAST_WORDS_MS, code, signal));
  }
  start();

  return {
    /** @param {{type: string}} order */
    send(order) {
      if (child === undefined) start();
      child.stdio[4].write(frame(order));
    },
    close() {
      closed = true;
      child?.kill("SIGKILL");
    },
  };
}

/** Why a process is gone, and what to do about it. */
function explain({ code, signal, exit, errors }) {
  const lost =
    "The kernel has started again; variables are gone, and what stages wrote to runs/ is there.";
  if (exit !== undefined) {
    return {
      name: "ProcessExit",
      text: `process.exit(${exit.code}) ended the kernel.\n${lost}`,
      where: exit.where,
    };
  }
  if (/heap out of memory|heap limit/i.test(errors)) {
    const text =
      "The cells ran out of JavaScript memory. Keep less in variables, or start JupyterLab with " +
      `NODE_OPTIONS=--max-old-space-size=8192 (MB).\n${lost}`;
    return { name: "OutOfMemory", text };
  }
  if (signal === "SIGKILL") {
    const text = `The system killed the kernel (SIGKILL), most likely because memory ran out.\n${lost}`;
    return { name: "OutOfMemory", text };
  }
  const how = signal === null ? `with status ${code}` : `by ${signal}, in native code`;
  const said = errors.trim().split("\n").slice(-STDERR_LINES).join("\n");
  return { name: "KernelDied", text: `The kernel's process ended ${how}.\n${said}\n${lost}` };
}
