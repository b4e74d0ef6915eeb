/** Widgets as a page speaks with them: Jupyter's widget protocol 2.1. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { needJupyter, openSession, plain, root, type Session } from "./jupyter";

interface Opened {
  comm_id: string;
  target_name: string;
  data: { state: Record<string, unknown>; buffer_paths: unknown[] };
}

describe("kernels: widgets", () => {
  let session: Session;
  before(async function () {
    needJupyter(this);
    session = await openSession();
  });
  after(() => session?.close());

  async function open(code: string): Promise<Opened> {
    const { status, displays, error } = await session.run(code);
    assert.equal(status, "ok", plain(error));
    return displays.find(({ type }) => type === "comm_open") as unknown as Opened;
  }

  async function value(code: string): Promise<unknown> {
    return (await session.run(code)).result?.["text/plain"];
  }

  it("open with what anywidget's front end needs, of the version that set-up installs", async () => {
    const { target_name, data } = await open(
      'const alpha = slider({ label: "α", max: 2, value: 0.5 });',
    );
    assert.equal(target_name, "jupyter.widget");
    const { state } = data;
    assert.deepEqual(
      [state._model_module, state._model_name, state._view_module, state._view_name],
      ["anywidget", "AnyModel", "anywidget", "AnyView"],
    );
    const pins = readFileSync(join(root, "kernels", "requirements.txt"), "utf8");
    const pinned = /^anywidget==(\d+\.\d+)\./m.exec(pins)?.[1];
    assert.equal(state._model_module_version, `~${pinned}.*`);
    assert.match(String(state._esm), /export default/);
    assert.deepEqual([state.min, state.max, state.value], [0, 2, 0.5]);
    const { result } = await session.run("alpha");
    assert.equal(result?.["text/plain"], "α: 0.5 (0 to 2)");
    assert.deepEqual(Object.keys(result), [
      "application/vnd.jupyter.widget-view+json",
      "text/plain",
    ]);
  });

  it("take a page's change, tell their listeners, and echo it to the other pages", async () => {
    const { comm_id } = await open(
      `const heard: unknown[] = [];
       const drag = slider({ label: "drag" });
       drag.onChange((changes, state) => heard.push([changes.value, state.label]));`,
    );
    const update = { comm_id, data: { method: "update", state: { value: 0.7 }, buffer_paths: [] } };
    const [echo] = await session.comm("comm_msg", update, 1);
    assert.deepEqual(echo.content.data, {
      method: "echo_update",
      state: { value: 0.7 },
      buffer_paths: [],
    });
    assert.equal(echo.answers, true, "a page drops the echoes of its own messages");
    assert.equal(await value("JSON.stringify([drag.value, heard])"), `'[0.7,[[0.7,"drag"]]]'`);
  });

  it("give their whole state, bytes included, to a page that was loaded anew", async () => {
    const { comm_id, data } = await open(
      `const bytes = anywidget({
         esm: "export default {}",
         state: { data: new Uint16Array([1, 2]), deep: { list: [new Uint8Array([7]), 3] } },
       });`,
    );
    assert.deepEqual(data.buffer_paths, [["data"], ["deep", "list", 0]]);
    assert.deepEqual(data.state.deep, { list: [null, 3] });
    const change = { method: "update", state: {}, buffer_paths: [["data"]] };
    const [echo] = await session.comm("comm_msg", { comm_id, data: change }, 1, [[9, 8]]);
    assert.deepEqual(
      [echo.content.data, echo.buffers],
      [{ ...change, method: "echo_update" }, [[9, 8]]],
    );

    const [one] = await session.comm("comm_msg", { comm_id, data: { method: "request_state" } }, 1);
    const { method, state, buffer_paths } = one.content.data as Record<string, unknown>;
    assert.deepEqual([method, buffer_paths], ["update", [["data"], ["deep", "list", 0]]]);
    assert.equal((state as Record<string, unknown>)._esm, "export default {}");
    assert.deepEqual(one.buffers, [[9, 8], [7]]);

    const control = { comm_id: "page", target_name: "jupyter.widget.control", data: {} };
    await session.comm("comm_open", control, 0);
    const ask = { comm_id: "page", data: { method: "request_states" } };
    const [all] = await session.comm("comm_msg", ask, 1);
    const states = all.content.data as {
      states: Record<string, { model_name: string; state: object }>;
      buffer_paths: unknown[];
    };
    assert.equal(states.states[comm_id].model_name, "AnyModel");
    assert.equal(Object.keys(states.states).length, 3);
    assert.deepEqual(states.buffer_paths, [
      [comm_id, "state", "data"],
      [comm_id, "state", "deep", "list", 0],
    ]);
    assert.deepEqual(all.buffers, [[9, 8], [7]]);
  });

  it("hear and say messages of their own, and are gone when they are closed", async () => {
    const { comm_id } = await open(
      'let clicks = 0; const go = button({ label: "Go", onClick: (own) => { clicks++; own.set({ label: "Gone" }); } });',
    );
    const click = { comm_id, data: { method: "custom", content: { click: true } } };
    const [changed] = await session.comm("comm_msg", click, 1);
    assert.deepEqual((changed.content.data as { state: object }).state, { label: "Gone" });
    assert.equal(await value("clicks"), "1");
    const { displays } = await session.run("go.close()");
    assert.deepEqual(
      displays.map(({ type }) => type),
      ["comm_close"],
    );
    const known = await session.request("comm_info_request", { target_name: "jupyter.widget" });
    assert.ok(!(comm_id in (known.content.comms as object)));
    const { error } = await session.run("anywidget({ esm: 5 as any })");
    assert.match(error?.evalue ?? "", /anywidget: `esm` is the source of an ES module.*got 5/);
  });
});
