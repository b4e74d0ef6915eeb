// The kernel's work: one cell after another, compiled here and run in the session's process, and what editors ask between.
import { createRequire } from "node:module";
import { complete, inspect, isComplete } from "../cells/assist.mjs";
import { createNotebook, diagnosticsAsError } from "../cells/notebook.mjs";
import { createHistory } from "./history.mjs";
import { createOutputs } from "./outputs.mjs";
import { KernelServer } from "./server.mjs";
import { createSession } from "./session.mjs";
import { PROTOCOL_VERSION } from "./wire.mjs";

const require = createRequire(import.meta.url);
const ABORTED = { status: "aborted" };

/**
 * @param {{ts: typeof import("typescript"), root: string, folder: string, configPath: string}} options folder: where the
 *   notebook lies; configPath: the connection file
 */
export function startKernel({ ts, root, folder, configPath }) {
  const notebook = createNotebook(ts, { root, folder });
  const history = createHistory();
  /** @type {{message: any, reply: Function}[]} */
  const queue = [];
  /** The cell that runs: its request, and what to do when it is done. */
  let running;
  /** The requests whose cells may still print, by the session's number for them. */
  const requests = new Map();
  let count = 0;
  let cells = 0;

  /** Channels between pages and cells that are open: id → target. */
  const comms = new Map();
  /** The pages' messages by their numbers: a page looks which of them an answer belongs to. */
  const heard = new Map();
  let messages = 0;

  function track(type, { comm_id: id, target_name: target }) {
    if (type === "comm_open") comms.set(id, target);
    else if (type === "comm_close") comms.delete(id);
  }

  function fromPage(message) {
    const { header, content, buffers } = message;
    track(header.msg_type, content);
    // A stop button's click ends whatever runs, as Interrupt does; the cell may be too busy to hear of it.
    if (content.data?.method === "custom" && content.data.content?.interrupt === true) interrupt();
    const number = ++messages;
    heard.set(number, message);
    heard.delete(number - 1000);
    session.send({ type: "comm", number, message: header.msg_type, content, buffers });
  }

  const server = new KernelServer(configPath, {
    running: () => running?.message,
    onAnswer: ({ content }) => session.send({ type: "answer", value: content.value }),
    handlers: {
      kernel_info_request: (_, reply) => reply(kernelInfo()),
      execute_request(message, reply) {
        queue.push({ message, reply });
        void next();
      },
      is_complete_request: ({ content }, reply) => reply(isComplete(ts, content.code)),
      complete_request({ content }, reply) {
        const { code, cursor_pos: cursor } = content;
        const found = complete(notebook, code, utf16(code, cursor));
        const [cursor_start, cursor_end] = [found.cursor_start, found.cursor_end].map(
          (units) => [...code.slice(0, units)].length,
        );
        reply({ status: "ok", ...found, cursor_start, cursor_end });
      },
      inspect_request({ content }, reply) {
        const { code, cursor_pos: cursor } = content;
        const data = inspect(notebook, code, utf16(code, cursor));
        reply({ status: "ok", found: data !== undefined, data: data ?? {}, metadata: {} });
      },
      history_request: ({ content }, reply) =>
        reply({ status: "ok", history: history.ask(content) }),
      comm_info_request({ content }, reply) {
        const wanted = [...comms].filter(([, target]) =>
          [undefined, target].includes(content.target_name),
        );
        const found = wanted.map(([id, target]) => [id, { target_name: target }]);
        reply({ status: "ok", comms: Object.fromEntries(found) });
      },
      comm_open: fromPage,
      comm_msg: fromPage,
      comm_close: fromPage,
      interrupt_request(_, reply) {
        interrupt();
        reply({ status: "ok" });
      },
      async shutdown_request({ content }, reply) {
        reply({ status: "ok", restart: content.restart === true });
        setImmediate(() => shutdown());
      },
    },
  });
  const outputs = createOutputs((type, content, parent) => server.publish(type, content, parent));

  const session = createSession({
    root,
    onEvent(event) {
      const parent = requests.get(event.cell) ?? running?.message;
      if (event.type === "stream") return outputs.print(event.name, event.text, parent);
      outputs.flush();
      if (event.type === "display") {
        const { data, metadata, transient } = event;
        const type = event.update ? "update_display_data" : "display_data";
        server.publish(type, { data, metadata, transient }, parent);
      } else if (event.type === "clear")
        server.publish("clear_output", { wait: event.wait }, parent);
      else if (event.type === "comm") {
        track(event.message, event.content);
        const { metadata, buffers } = event;
        const answered = heard.get(event.answers) ?? parent;
        server.publish(event.message, event.content, answered, { metadata, buffers });
      } else if (event.type === "input") ask(event);
      else if (event.type === "result") running?.onResult(event);
      else if (event.type === "done") running?.onDone(event);
    },
    onDeath({ name, text, where = [] }) {
      notebook.forget();
      for (const id of comms.keys()) server.publish("comm_close", { comm_id: id, data: {} });
      comms.clear();
      const error = { ename: name, evalue: text, traceback: [`${name}: ${text}`, ...where] };
      if (running !== undefined) return running.onDone({ set: [], error });
      outputs.print("stderr", `${error.traceback.join("\n")}\n`, [...requests.values()].at(-1));
    },
  });

  function kernelInfo() {
    const { JupyterHandlerImpl } = require("tslab/dist/jupyter.js");
    const stock = JupyterHandlerImpl.prototype.handleKernel.call({ isJs: false });
    return {
      ...stock,
      status: "ok",
      protocol_version: PROTOCOL_VERSION,
      implementation_version: require("tslab/package.json").version,
      language_info: { ...stock.language_info, version: ts.version },
      banner: `TypeScript ${ts.version} on Node ${process.version}`,
      help_links: [{ text: "TypeScript", url: "https://www.typescriptlang.org/docs/" }],
    };
  }

  async function next() {
    if (running !== undefined || queue.length === 0) return;
    const request = queue.shift();
    running = request;
    const { message, reply } = request;
    const { stop_on_error: stop = true } = message.content;
    server.publish("status", { execution_state: "busy" }, message);
    const error = await execute(request);
    outputs.flush();
    if (error !== undefined) server.publish("error", error, message);
    reply({
      ...(error === undefined
        ? { status: "ok", payload: request.payload ?? [] }
        : { status: "error", ...error }),
      execution_count: count,
      user_expressions: {},
    });
    server.publish("status", { execution_state: "idle" }, message);
    running = undefined;
    if (error !== undefined && stop) {
      // Requests that arrived while the cell ran are read before those queued here are refused.
      await new Promise((resolve) => setImmediate(resolve));
      for (const refused of queue.splice(0)) abort(refused);
    }
    void next();
  }

  function abort({ message, reply }) {
    server.publish("status", { execution_state: "busy" }, message);
    reply({ ...ABORTED, execution_count: count });
    server.publish("status", { execution_state: "idle" }, message);
  }

  /** Runs one cell; resolves with its error, or undefined. */
  async function execute(request) {
    const { message } = request;
    const { code: source, silent = false, store_history: store = !silent } = message.content;
    if (!silent && store) {
      count += 1;
      history.add(count, source);
    }
    if (!silent) server.publish("execute_input", { code: source, execution_count: count }, message);
    if (source.trim() === "") return undefined;
    const asked = /^\s*([\p{ID_Continue}$.]+)\?\s*$/u.exec(source)?.[1];
    if (asked !== undefined) {
      const data = inspect(notebook, asked, asked.length) ?? {
        "text/plain": `Nothing is known of ${asked}.`,
      };
      request.payload = [{ source: "page", data, start: 0 }];
      return undefined;
    }
    const compiled = notebook.compile(source);
    if (compiled.errors !== undefined) return diagnosticsAsError(compiled.errors);
    const { run, code, map, names, keep } = compiled;
    const id = ++cells;
    requests.set(id, message);
    requests.delete(id - 100);
    return new Promise((resolve) => {
      request.onResult = ({ data, metadata }) => {
        if (silent) return;
        history.setOutput(count, data["text/plain"]);
        server.publish("execute_result", { data, metadata, execution_count: count }, message);
      };
      request.onDone = ({ set, error }) => {
        keep(set);
        resolve(error);
      };
      session.send({ type: "execute", id, number: count, run, code, map, source, names });
    });
  }

  function ask({ prompt, password }) {
    const message = running?.message;
    if (message?.content.allow_stdin === true) return server.ask({ prompt, password }, message);
    session.send({
      type: "answer",
      error: "this client cannot be asked for input (allow_stdin is off)",
    });
  }

  /** Also between cells: a widget's listener or a timer may loop. */
  function interrupt() {
    session.send({ type: "interrupt" });
  }

  async function shutdown() {
    outputs.flush();
    session.close();
    await server.flush();
    server.close();
    process.exit(0);
  }

  process.on("SIGINT", interrupt);
  process.on("SIGTERM", shutdown);
  void server.init();
  // The first cell, and the first completion, then need not wait for TypeScript to read its libraries.
  setImmediate(() => notebook.scratch(""));
  return { shutdown };
}

/** Jupyter counts characters, JavaScript counts UTF-16 units. */
function utf16(text, characters) {
  return [...text].slice(0, characters).join("").length;
}
