// The kernel as Jupyter's clients see it: tslab's sockets, loops and heartbeat, with all of the protocol's messages on them.
import { createRequire } from "node:module";
import { formatMessage, parseMessage } from "./wire.mjs";

const require = createRequire(import.meta.url);
const { ZmqServer } = require("tslab/dist/jupyter.js");
const SUBSCRIBES = 1;

/**
 * @typedef {import("./wire.mjs").Message} Message
 * @typedef {(message: Message, reply: (content: object) => void) => void | Promise<void>} Handler
 */

export class KernelServer extends ZmqServer {
  /**
   * @param {string} configPath the connection file
   * @param {{handlers: Record<string, Handler>, onAnswer(message: Message): void, running(): Message | undefined}} kernel
   *   handlers: by message type, e.g. `complete_request`; running: the request of the cell that runs
   */
  constructor(configPath, kernel) {
    super({ close() {} }, configPath);
    this.kernel = kernel;
    /** Socket → the end of what it has been given to send: a socket takes one message at a time. */
    this.sending = new Map();
  }

  async bindSocket(socket, port) {
    if (socket === this.iopub) socket = this.iopub = this.welcoming();
    // A burst of outputs waits in memory rather than being dropped, and a closed kernel does not wait for its readers.
    if ("sendHighWaterMark" in socket) socket.sendHighWaterMark = 0;
    socket.linger = 1000;
    await super.bindSocket(socket, port);
  }

  /** A publisher that hears of its subscribers, to tell each when it can rely on hearing everything. */
  welcoming() {
    const { XPublisher } = require("zeromq");
    return new XPublisher({ verbosity: "allSubs" });
  }

  async init() {
    await super.init();
    void this.listenForAnswers();
    void this.welcome();
  }

  async welcome() {
    let isFirst = true;
    for await (const [subscription] of this.iopub) {
      if (subscription[0] !== SUBSCRIBES) continue;
      const topic = subscription.subarray(1);
      const content = { subscription: topic.toString() };
      this.send(this.iopub, { type: "iopub_welcome", content, identities: [topic] });
      // Told before, it would reach nobody.
      if (isFirst) this.publish("status", { execution_state: "starting" });
      isFirst = false;
    }
  }

  async listenForAnswers() {
    for await (const frames of this.stdin) {
      const message = this.parse(frames);
      if (message?.header.msg_type === "input_reply") this.kernel.onAnswer(message);
    }
  }

  parse(frames) {
    try {
      return parseMessage(this.connInfo.key, frames);
    } catch (error) {
      console.error("The kernel leaves out", error.message);
      return undefined;
    }
  }

  /** Called by tslab's loops with every message on the shell and on the control channel. */
  async handleShellMessage(socket, ...frames) {
    const message = this.parse(frames);
    if (message === undefined) return;
    const type = message.header.msg_type;
    const handler = this.kernel.handlers[type];
    // Executions say themselves when they begin, which is when those before them have ended.
    const isQueued = type === "execute_request";
    if (!isQueued) this.publish("status", { execution_state: "busy" }, message);
    const reply = (content, metadata) => {
      const frames = {
        type: type.replace("_request", "_reply"),
        content,
        metadata,
        parent: message,
      };
      this.send(socket, { ...frames, identities: message.identities });
    };
    try {
      await handler?.(message, reply);
    } catch (error) {
      reply({
        status: "error",
        ename: error.name,
        evalue: error.message,
        traceback: [error.stack],
      });
    }
    if (isQueued) return;
    this.publish("status", { execution_state: "idle" }, message);
    // Clients show the state that they heard last, and a cell may still be running.
    const running = this.kernel.running();
    if (running !== undefined) this.publish("status", { execution_state: "busy" }, running);
  }

  /** Sends to everybody who listens. */
  publish(type, content, parent, { metadata, buffers } = {}) {
    this.send(this.iopub, { type, content, parent, metadata, buffers, identities: [type] });
  }

  /** Asks the client that sent a request, on its stdin channel. */
  ask(content, parent) {
    const { identities } = parent;
    this.send(this.stdin, { type: "input_request", content, parent, identities });
  }

  send(socket, message) {
    const frames = formatMessage(this.connInfo.key, message);
    const before = this.sending.get(socket) ?? Promise.resolve();
    // A client that has gone away is no reason to stop.
    this.sending.set(
      socket,
      before.then(() => socket.send(frames)).catch(() => {}),
    );
  }

  /** Resolves when everything is sent. */
  async flush() {
    await Promise.all(this.sending.values());
  }
}
