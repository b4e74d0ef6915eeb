import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import {
  createDisplay,
  currentSurface,
  display,
  displayable,
  escapeMarkup,
} from "../../lib/lab/display";
import { fakeNotebook, fakeTerminal } from "./surfaces";

const lab = join(__dirname, "../../lib/lab");

/** What a fresh Node process prints as JSON for a piece of CommonJS. */
function inNode(code: string): unknown {
  const printed = execFileSync(process.execPath, ["-e", code], { encoding: "utf8", cwd: lab });
  return JSON.parse(printed.slice(printed.indexOf("<<") + 2, printed.indexOf(">>")));
}

describe("display", () => {
  it("sends a bundle whole, before it returns", () => {
    const { surface, sent } = fakeNotebook();
    const bundle = { "text/plain": "1", "text/html": "<b>1</b>" };
    void display(bundle, { surface, id: "a" });
    assert.deepEqual(sent, [{ bundle, id: "a", update: false }]);
  });

  it("asks objects for their bundle under Jupyter's symbol, also when it takes a while", async () => {
    const { surface, sent } = fakeNotebook();
    const own = { [Symbol.for("Jupyter.display")]: () => ({ "text/plain": "own" }) };
    await display(own as never, { surface });
    await display(
      displayable(async () => ({ "text/plain": "late" })),
      { surface },
    );
    assert.deepEqual(
      sent.map(({ bundle }) => bundle["text/plain"]),
      ["own", "late"],
    );
  });

  it("refuses a value without a text and says what is expected", async () => {
    await assert.rejects(display({} as never, fakeNotebook()), /display: .*text\/plain/);
  });

  it("prints the text once in a terminal, and nothing of live updates", async () => {
    const { surface, out, progress } = fakeTerminal(true);
    await display({ "text/plain": "numbers", "text/html": "<b>no</b>" }, { surface });
    assert.deepEqual(out, ["numbers\n"]);
    const live = createDisplay({ surface });
    live.update({ "text/plain": "half" });
    assert.deepEqual(progress, []);
    live.finish({ "text/plain": "done" });
    assert.deepEqual(progress, ["done\n"]);
    assert.deepEqual(out, ["numbers\n"]);
  });

  it("draws a live display first as new, then in place under one id", () => {
    const { surface, sent } = fakeNotebook();
    const live = createDisplay({ surface });
    for (const text of ["1", "2"]) live.update({ "text/plain": text });
    live.finish({ "text/plain": "3" });
    assert.deepEqual(
      sent.map(({ update }) => update),
      [false, true, true],
    );
    assert.deepEqual(new Set(sent.map(({ id }) => id)), new Set([live.id]));
    assert.notEqual(createDisplay({ surface }).id, live.id);
  });

  it("makes text harmless in markup and keeps it readable", () => {
    assert.equal(escapeMarkup(`<a href="x">'&`), "&#60;a href=&#34;x&#34;&#62;&#39;&#38;");
    assert.equal(escapeMarkup("a\u0000b\ud800c\td\n"), "a\ufffdb\ufffdc\td\n");
    assert.equal(escapeMarkup("5 − 3 = 2 😀"), "5 − 3 = 2 😀");
  });

  it("is a terminal outside a kernel, and loads neither tslab nor danfo nor tfjs", () => {
    assert.equal(currentSurface().kind, "terminal");
    const files = ["display", "figure", "monitor", "tables", "viewer", "contact-sheet", "info"];
    const loaded = inNode(
      `${JSON.stringify(files)}.forEach((name) => require("./" + name));
       const names = Object.keys(require.cache).filter((path) => /node_modules.(tslab|danfojs|@tensorflow)/.test(path));
       console.log("<<" + JSON.stringify(names) + ">>");`,
    );
    assert.deepEqual(loaded, []);
  });

  it("speaks through tslab's own writer where tslab is loaded", function () {
    this.timeout(30_000);
    const messages = inNode(
      `const jupyter = require("tslab/dist/jupyter");
       const sent = [];
       jupyter.lastWriteDisplayData = (message, update) => sent.push({ ...message, update });
       const { createDisplay } = require("./display");
       const live = createDisplay({ id: "x" });
       live.update({ "text/plain": "1", "text/html": "<b>1</b>" });
       live.update({ "text/plain": "2" });
       console.log("<<" + JSON.stringify(sent) + ">>");`,
    );
    const rest = { metadata: {}, transient: { display_id: "x" } };
    assert.deepEqual(messages, [
      { data: { "text/plain": "1", "text/html": "<b>1</b>" }, ...rest, update: false },
      { data: { "text/plain": "2" }, ...rest, update: true },
    ]);
  });
});
