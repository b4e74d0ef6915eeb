/**
 * The contract with VS Code's Jupyter extension, as far as a client of the protocol can test it: what the extension's raw
 * kernels do (src/kernels/raw and src/kernels/execution of microsoft/vscode-jupyter), done the same way.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { needJupyter, plain, root, type CellError } from "./jupyter";
import { startRaw, type Answered, type Message, type RawKernel } from "./raw-client";

interface KernelSpec {
  argv: string[];
  display_name: string;
  language: string;
  interrupt_mode?: string;
  env?: Record<string, string>;
}

/** What the extension sends for a cell, and for what it wants to know behind the user's back. */
const CELL = { silent: false, stop_on_error: false, allow_stdin: true, store_history: true };
const HIDDEN = { silent: true, stop_on_error: false, allow_stdin: false, store_history: false };
const METADATA = { cellId: "vscode-notebook-cell:/1-data-construction.ipynb#W0sZmlsZQ%3D%3D" };

describe("kernels: VS Code's contract", () => {
  let folder: string;
  let kernel: RawKernel;
  let spec: KernelSpec;

  /** As Python environments offer kernels, without any of Jupyter's own variables. */
  async function start(): Promise<RawKernel> {
    const env = Object.entries(process.env).filter(([name]) => !name.startsWith("JUPYTER_"));
    return startRaw(spec.argv, folder, { ...Object.fromEntries(env), ...spec.env });
  }

  before(async function () {
    needJupyter(this);
    const file = join(root, ".venv", "share", "jupyter", "kernels", "tslab", "kernel.json");
    spec = JSON.parse(readFileSync(file, "utf8")) as KernelSpec;
    mkdirSync(join(root, ".cache"), { recursive: true });
    folder = mkdtempSync(join(root, ".cache", "vs code "));
    kernel = await start();
  });
  after(() => {
    kernel?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });
  afterEach(() => assert.deepEqual(kernel.faults.splice(0), []));

  const begin = (code: string, content: object = CELL): string =>
    kernel.send("shell", "execute_request", { code, ...content }, METADATA);
  const run = (code: string, content?: object): Promise<Answered> =>
    kernel.done(begin(code, content));
  const typesOf = ({ published }: Answered): string[] => published.map(({ type }) => type);
  const contentOf = ({ published }: Answered, type: string): Record<string, any> | undefined =>
    published.find((one) => one.type === type)?.content;
  /** Waits until a cell has printed something. */
  const printed = (id: string): Promise<Message> =>
    kernel.wait("output", (one) => one.parent.msg_id === id && one.header.msg_type === "stream");
  const isIdle = async (): Promise<void> => {
    assert.equal((await run("1 + 1")).reply.status, "ok");
  };

  it("is found by its language, takes the connection file and says what it speaks", async () => {
    assert.equal(spec.language, "typescript");
    assert.ok(spec.argv.includes("{connection_file}"), String(spec.argv));
    const { reply, published } = await kernel.request("shell", "kernel_info_request", {});
    assert.equal(reply.status, "ok");
    assert.equal(reply.language_info.name, "typescript");
    assert.equal(reply.language_info.file_extension, ".ts");
    assert.deepEqual(
      published.map(({ content }) => content.execution_state),
      ["busy", "idle"],
    );
  });

  it("runs a cell: busy, its input, its outputs, its result, idle, all under its number", async () => {
    const done = await run('console.log("printed"); 6 * 7');
    assert.deepEqual(typesOf(done), [
      ...["status", "execute_input", "stream", "execute_result", "status"],
    ]);
    assert.equal(contentOf(done, "execute_result")?.data["text/plain"], "42");
    assert.equal(contentOf(done, "execute_result")?.execution_count, done.reply.execution_count);
    assert.equal(contentOf(done, "execute_input")?.execution_count, done.reply.execution_count);
    const [first, last] = [done.published[0], done.published.at(-1)];
    assert.deepEqual(
      [first.content, last?.content],
      [{ execution_state: "busy" }, { execution_state: "idle" }],
    );
  });

  it("shows an error, and runs what waits behind it, as `stop_on_error: false` asks", async () => {
    const ids = ['throw new RangeError("far");', '"next"'].map((code) => begin(code));
    const [failed, next] = await Promise.all(ids.map((id) => kernel.done(id)));
    assert.equal(failed.reply.status, "error");
    const error = contentOf(failed, "error") as CellError;
    assert.deepEqual([error.ename, error.evalue], ["RangeError", "far"]);
    assert.match(plain(error), /> 1 \| throw new RangeError/);
    assert.equal(contentOf(next, "execute_result")?.data["text/plain"], "'next'");
  });

  it("runs hidden code without a trace: no input, no result, no count, no history", async () => {
    const { reply: before } = await run("0");
    const hidden = await run('var behind = 5; console.log("told"); behind', HIDDEN);
    assert.deepEqual(typesOf(hidden), ["status", "stream", "status"]);
    const failed = await run("await input()", HIDDEN);
    assert.match(failed.reply.evalue, /allow_stdin/);
    const { reply: after } = await run("behind");
    assert.equal(after.execution_count, before.execution_count + 1);
    const range = { hist_access_type: "tail", n: 2, output: false, raw: true };
    const { reply } = await kernel.request("shell", "history_request", range);
    assert.deepEqual(
      reply.history.map(([, , source]: [number, number, string]) => source),
      ["0", "behind"],
    );
  });

  it("completes and explains, counting characters", async () => {
    await run('import { loadSpec } from "srpo-lab"; const spec = loadSpec();');
    const code = "// 😀\nspec.gr";
    const cursor_pos = [...code].length;
    const { reply } = await kernel.request("shell", "complete_request", { code, cursor_pos });
    assert.deepEqual([reply.matches, reply.cursor_start, reply.cursor_end], [["grpo"], 10, 12]);
    const about = { code: "loadSpec", cursor_pos: 4, detail_level: 0 };
    const { reply: told } = await kernel.request("shell", "inspect_request", about);
    assert.equal(told.found, true);
    assert.match(told.data["text/plain"], /loadSpec[^]*A preset with changes/);
  });

  it("asks for input on the stdin channel of whoever ran the cell", async () => {
    const id = begin('const said = await input("Name? "); said');
    const asked = await kernel.wait("a question", ({ channel }) => channel === "stdin");
    assert.deepEqual(asked.content, { prompt: "Name? ", password: false });
    assert.equal(asked.parent.msg_id, id);
    // The extension's replies name no parent.
    kernel.send("stdin", "input_reply", { status: "ok", value: "Ada" });
    assert.equal(contentOf(await kernel.done(id), "execute_result")?.data["text/plain"], "'Ada'");
  });

  it("sends a bundle of forms, and draws anew in its place from another cell", async () => {
    const plotly = { data: [{ y: [1, 2] }], layout: {} };
    const bundle = { "application/vnd.plotly.v1+json": plotly, "text/html": "<b>two</b>" };
    const shown = await run(
      `await display(${JSON.stringify(bundle)}, { raw: true, id: "figure" }); undefined`,
    );
    const first = contentOf(shown, "display_data");
    assert.deepEqual(first?.data, bundle);
    assert.deepEqual(first?.transient, { display_id: "figure" });
    const again = await run(
      'clearOutput({ wait: true }); await updateDisplay("figure", md`# 3`); 0',
    );
    assert.deepEqual(typesOf(again).slice(2, 4), ["clear_output", "update_display_data"]);
    const update = contentOf(again, "update_display_data");
    assert.equal(update?.data["text/markdown"], "# 3");
    assert.deepEqual(update?.transient, { display_id: "figure" });
  });

  it("opens, lists and closes channels to widgets", async () => {
    const shown = await run("const one = slider({ value: 3 }); one");
    const opened = contentOf(shown, "comm_open");
    assert.equal(opened?.target_name, "jupyter.widget");
    const view = contentOf(shown, "execute_result")?.data[
      "application/vnd.jupyter.widget-view+json"
    ];
    assert.equal(view.model_id, opened?.comm_id);
    const known = async (): Promise<object> =>
      (await kernel.request("shell", "comm_info_request", { target_name: "jupyter.widget" })).reply
        .comms;
    assert.deepEqual(await known(), { [opened?.comm_id]: { target_name: "jupyter.widget" } });
    const data = { method: "update", state: { value: 8 }, buffer_paths: [] };
    const change = kernel.send("shell", "comm_msg", { comm_id: opened?.comm_id, data });
    await kernel.wait(
      "idle",
      ({ parent, content }) => parent.msg_id === change && content.execution_state === "idle",
    );
    assert.equal(
      contentOf(await run("one.get('value')"), "execute_result")?.data["text/plain"],
      "8",
    );
    const closed = kernel.send("shell", "comm_close", { comm_id: opened?.comm_id, data: {} });
    await kernel.wait(
      "idle",
      ({ parent, content }) => parent.msg_id === closed && content.execution_state === "idle",
    );
    assert.deepEqual(await known(), {});
  });

  it("is interrupted by SIGINT to its own process, and by a message on the shell channel", async () => {
    // For `interrupt_mode: message` the extension sends it there, beside the channel that the protocol names.
    assert.equal(spec.interrupt_mode, "signal");
    const ways = {
      signal: () => void kernel.process.kill("SIGINT"),
      message: () => void kernel.send("shell", "interrupt_request", {}),
    };
    for (const [name, interrupt] of Object.entries(ways)) {
      const id = begin('console.log("go"); for (;;);');
      await printed(id);
      interrupt();
      const stopped = await kernel.done(id);
      assert.equal(stopped.reply.status, "error", name);
      assert.equal(contentOf(stopped, "error")?.ename, "Interrupted", name);
      await isIdle();
    }
  });

  it("outlives a cell that ends its process", async () => {
    const ended = await run("process.exit(1)");
    assert.equal(contentOf(ended, "error")?.ename, "ProcessExit");
    assert.equal(kernel.process.exitCode, null);
    await isIdle();
  });

  /** Whether a process is there; one that is dead and not yet buried is not. */
  const isAlive = (pid: number): boolean =>
    existsSync(`/proc/${pid}/stat`) && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  async function untilGone(pids: number[]): Promise<void> {
    for (let tries = 0; tries < 100 && pids.some(isAlive); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.deepEqual(pids.filter(isAlive), []);
  }
  const pidsOf = async (): Promise<[number, number]> => {
    const done = await run("process.pid");
    return [kernel.process.pid ?? 0, Number(contentOf(done, "execute_result")?.data["text/plain"])];
  };

  it("is gone when the extension kills its children and then it, and starts again", async function () {
    if (!existsSync("/proc/self/stat")) this.skip();
    const [own, cells] = await pidsOf();
    process.kill(cells, "SIGTERM");
    kernel.process.kill();
    await untilGone([own, cells]);
    kernel.close();
    kernel = await start();
    assert.equal((await run("1")).reply.execution_count, 1);
  });

  it("ends by a request on the control channel, with status 0", async function () {
    const [own, cells] = await pidsOf();
    const exited = new Promise((resolve) => kernel.process.once("exit", resolve));
    const id = kernel.send("control", "shutdown_request", { restart: false });
    const reply = await kernel.wait(
      "the reply",
      ({ parent, header }) => parent.msg_id === id && header.msg_type === "shutdown_reply",
    );
    assert.deepEqual(reply.content, { status: "ok", restart: false });
    assert.equal(await exited, 0);
    if (existsSync("/proc/self/stat")) await untilGone([own, cells]);
  });
});
