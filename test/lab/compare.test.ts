import assert from "node:assert/strict";
import { join } from "node:path";
import { writeFileAtomic, writeJsonl } from "../../lib/engine/files";
import { loadSpec } from "../../lib/config";
import { showComparison } from "../../lib/lab/compare";
import { PLOTLY_MIME } from "../../lib/lab/figure";
import { plannedSeconds } from "../../lib/lab/first-cell";
import { runRows, showRuns } from "../../lib/lab/run-list";
import { listRuns } from "../../lib/lab/runs";
import { temporaryFolder } from "../policy/fixture";
import { fakeNotebook } from "./surfaces";

describe("runs side by side", function () {
  // The first table loads danfo.
  this.timeout(60_000);
  const root = temporaryFolder();
  const folder = (name: string): string => join(root, name);
  before(() => {
    const write = (name: string, spec: object, rows: object[], summary?: object): void => {
      writeFileAtomic(join(folder(name), "spec.json"), JSON.stringify(spec));
      if (rows.length > 0) writeJsonl(join(folder(name), "metrics.jsonl"), rows);
      if (summary !== undefined) {
        writeFileAtomic(join(folder(name), "summary.json"), JSON.stringify(summary));
      }
    };
    const rows = (slope: number): object[] =>
      [1, 2, 3].map((step) => ({ step, reward: slope * step, "accuracy/final": 0.5, other: 1 }));
    const ended = { policy: "SRPO", steps: 3, seconds: 75 };
    write("grpo-small-aaaa", { seed: 1, grpo: { group: 8 } }, rows(1), ended);
    write("grpo-small-bbbb", { seed: 2, grpo: { group: 8 } }, rows(2), ended);
    write("grpo-small-cccc", { seed: 1, grpo: { group: 8 } }, rows(3).slice(0, 2));
    const judged = { policy: "SRPO", steps: 512, seconds: 9, accuracy: 0.75 };
    write("eval-small-dddd", { seed: 1 }, [], judged);
  });

  it("are overlaid, one panel a metric, and their specs' differences stand below", async () => {
    const { surface, sent } = fakeNotebook();
    await showComparison([folder("grpo-small-aaaa"), folder("grpo-small-bbbb")], { surface });
    const [figure, table] = sent.map(({ bundle }) => bundle);
    const { data } = figure[PLOTLY_MIME] as { data: { name: string; y: number[] }[] };
    // Two policies of one name are told apart by their hashes.
    assert.deepEqual(
      data.map(({ name, y }) => [name, ...y]),
      [
        ["SRPO (aaaa)", 1, 2, 3],
        ["SRPO (bbbb)", 2, 4, 6],
        ["SRPO (aaaa)", 0.5, 0.5, 0.5],
        ["SRPO (bbbb)", 0.5, 0.5, 0.5],
      ],
    );
    assert.match(figure["text/plain"], /^reward\n[^]*\naccuracy\/final\n/);
    assert.match(table["text/plain"], /key +SRPO \(aaaa\) +SRPO \(bbbb\)\n.*\nseed +1 +2$/);
  });

  it("can be named and asked for other metrics; equal specs are said to be equal", async () => {
    const { surface, sent } = fakeNotebook();
    await showComparison([folder("grpo-small-aaaa"), folder("grpo-small-cccc")], {
      ...{ surface, names: ["whole", "half"], metrics: ["other"] },
    });
    assert.match(
      sent[0].bundle["text/plain"],
      /^other\n {2}whole: .* 1 to 3\n {2}half: .* 1 to 2$/,
    );
    assert.match(sent[1].bundle["text/plain"], /^the specs do not differ/);
  });

  it("say what they have measured where that is nothing to compare", async () => {
    const { surface } = fakeNotebook();
    await assert.rejects(
      showComparison([folder("eval-small-dddd")], { surface }),
      /showComparison: .* expected runs with metrics/,
    );
    await assert.rejects(
      showComparison([folder("grpo-small-aaaa")], { surface, metrics: ["rewrd"] }),
      /"rewrd", expected reward, accuracy\/final, other/,
    );
  });

  it("make a list: what each made, whether it has ended, and with what result", async () => {
    const rows = new Map(runRows(listRuns(root)).map((row) => [row.run, row]));
    const { changed, ...whole } = rows.get("grpo-small-bbbb") ?? {};
    assert.match(String(changed), /^\d{4}-\d\d-\d\d \d\d:\d\d$/);
    assert.deepEqual(whole, {
      ...{ run: "grpo-small-bbbb", policy: "SRPO", state: "finished", steps: 3, took: "1m15s" },
      ...{ reward: 6, accuracy: 0.5 },
    });
    const half = rows.get("grpo-small-cccc");
    assert.deepEqual([half?.policy, half?.state, half?.steps], ["–", "not finished", 2]);
    assert.equal(rows.get("eval-small-dddd")?.accuracy, 0.75);

    const { surface, sent } = fakeNotebook();
    await showRuns({ root, stage: "grpo", surface });
    assert.match(sent[0].bundle["text/plain"], /^3 runs, newest first[^]*50\.0 %/);
    assert.doesNotMatch(sent[0].bundle["text/plain"], /eval-small/);
    await showRuns({ root: join(root, "nowhere"), surface });
    assert.match(sent[1].bundle["text/plain"], /^no runs/);
  });
});

describe("the time that a stage is said to take", () => {
  it("follows the settings that make it longer", () => {
    const stage = { stage: "grpo", seconds: 100 } as const;
    assert.equal(plannedSeconds(loadSpec({}, "small"), stage), 100);
    const { steps } = loadSpec({}, "small").grpo;
    const longer = loadSpec({ grpo: { steps: 3 * steps } }, "small");
    assert.equal(plannedSeconds(longer, stage), 300);
    for (const kind of ["construct", "sft", "grpo", "evaluate"] as const) {
      assert.ok(plannedSeconds(loadSpec({}, "smoke"), { stage: kind, seconds: 100 }) < 20, kind);
    }
  });
});
