import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accuracyReport } from "../../lib/bench/report";
import { reportFigure, reportTable } from "../../lib/lab/report-view";
import {
  describeColumns,
  groupMeans,
  saveTable,
  showTable,
  table,
  tableBundle,
  toFrame,
} from "../../lib/lab/tables";
import { jupyterDisplay } from "../../lib/lab/display";
import { fakeNotebook } from "./surfaces";

const rows = [
  { family: "bars", right: true, tokens: 40, reward: 0.25 },
  { family: "clock", right: false, tokens: 60, reward: 0.5 },
  { family: "bars", right: false, tokens: 20, reward: null },
];

describe("tables", function () {
  // danfo loads tfjs at the first table.
  this.timeout(60_000);

  it("makes a danfo frame that computes", () => {
    const frame = toFrame(rows);
    assert.deepEqual(frame.shape, [3, 4]);
    assert.deepEqual(frame.columns, ["family", "right", "tokens", "reward"]);
    assert.equal(frame.column("tokens").mean(), 40);
  });

  it("shows numbers, fractions, truth values and gaps, aligned", () => {
    const bundle = tableBundle(rows, {
      columns: ["family", "tokens", "reward", "right"],
      caption: "rollouts",
      percent: ["reward"],
      sortBy: { column: "tokens", descending: true },
    });
    assert.equal(
      bundle["text/plain"],
      [
        "rollouts",
        "family  tokens  reward  right",
        "──────  ──────  ──────  ─────",
        "clock       60  50.0 %  no",
        "bars        40  25.0 %  yes",
        "bars        20       –  no",
      ].join("\n"),
    );
  });

  it("keeps digits where they matter", () => {
    const text = tableBundle([{ a: 1 / 3, b: 0.00001234, c: 7 }], { digits: 2 })["text/plain"];
    assert.match(text, /0\.33 +1\.23e-5 +7$/);
  });

  it("escapes cells, headings and captions, and shows objects as JSON", () => {
    const bundle = tableBundle([{ "<a>": "<b>x</b>", o: { k: [1] } }], { caption: "<i>" });
    const html = String(bundle["text/html"]);
    assert.doesNotMatch(html, /<(a|b|i)>/);
    assert.match(html, /&#60;b&#62;x&#60;\/b&#62;/);
    assert.match(bundle["text/plain"], /\{"k":\[1\]\}/);
  });

  it("counts the rows it leaves out, and shows an empty table as one", () => {
    const many = Array.from({ length: 60 }, (_, i) => ({ i }));
    assert.match(tableBundle(many)["text/plain"], /\n49\n… and 10 more rows$/);
    assert.equal(tableBundle([], { columns: ["a"] })["text/plain"], "a\n─");
  });

  it("names a column that is not there, and those that are", () => {
    assert.throws(() => toFrame(rows, ["famly"]), /"famly".*family, right, tokens, reward/);
  });

  it("describes columns without their gaps", () => {
    const [tokens, reward] = describeColumns(rows, ["tokens", "reward"]);
    // numpy: np.std([40, 60, 20], ddof=1) == 20, np.std([.25, .5], ddof=1) == 0.17677669529663687
    assert.deepEqual(tokens, {
      column: "tokens",
      count: 3,
      mean: 40,
      std: 20,
      min: 20,
      median: 40,
      max: 60,
    });
    assert.equal(reward.count, 2);
    assert.equal(reward.mean, 0.375);
    assert.ok(Math.abs(Number(reward.std) - 0.17677669529663687) < 1e-12);
    assert.deepEqual(describeColumns([{ a: null }], ["a"]), [{ column: "a", count: 0 }]);
  });

  it("averages by group", () => {
    assert.deepEqual(groupMeans(rows, "family", ["tokens"]), [
      { family: "bars", n: 2, tokens: 30 },
      { family: "clock", n: 1, tokens: 60 },
    ]);
    assert.deepEqual(groupMeans([], "family", ["tokens"]), []);
  });

  it("is shown as one message, and as the value of a cell", async () => {
    const { surface, sent } = fakeNotebook();
    await showTable(rows, { surface });
    assert.deepEqual(Object.keys(sent[0].bundle).sort(), ["text/html", "text/plain"]);
    assert.deepEqual(table(rows)[jupyterDisplay](), sent[0].bundle);
  });

  it("is saved whole and unrounded, as CSV that Python reads and as JSON", async function () {
    const folder = mkdtempSync(join(tmpdir(), "tables-"));
    const odd = [
      { name: 'a "quoted", cell', value: 1 / 3, list: [1, 2] },
      { name: "two\nlines", value: NaN },
      ...Array.from({ length: 60 }, (_, i) => ({ name: `row ${i}`, value: i })),
    ];
    const { surface, sent } = fakeNotebook();
    await showTable(odd, { save: { folder, name: "odd" }, surface });
    assert.match(sent[0].bundle["text/plain"], /saved as .*odd\.csv \(also json\)$/);
    const json = JSON.parse(readFileSync(join(folder, "odd.json"), "utf8")) as unknown[];
    assert.equal(json.length, 62);
    assert.deepEqual(json[0], odd[0]);

    const csv = readFileSync(join(folder, "odd.csv"), "utf8");
    const [, linked] = /href="data:text\/csv;charset=utf-8;base64,([^"]+)"/.exec(
      String(sent[0].bundle["text/html"]),
    ) ?? ["", ""];
    assert.equal(Buffer.from(linked, "base64").toString(), csv);
    const script = "import csv, json, sys; print(json.dumps(list(csv.reader(sys.stdin))))";
    const { stdout, error } = spawnSync("python3", ["-c", script], {
      input: csv,
      encoding: "utf8",
    });
    rmSync(folder, { recursive: true });
    if (error !== undefined) {
      console.log("      skipped: there is no python3 to read the CSV");
      return this.skip();
    }
    const read = JSON.parse(stdout) as string[][];
    assert.deepEqual(read.slice(0, 3), [
      ["name", "value", "list"],
      ['a "quoted", cell', String(1 / 3), "[1,2]"],
      ["two\nlines", "", ""],
    ]);
    assert.equal(read.length, 63);
  });

  it("refuses to be saved outside its folder, or without a column that it names", () => {
    assert.throws(() => saveTable(rows, "x", "../y"), /saveTable: the name/);
    assert.throws(() => saveTable(rows, "x", "y", { columns: ["nowhere"] }), /"nowhere"/);
  });

  it("sets reports side by side, as rows and as bars with intervals", () => {
    const judged = (right: number): ReturnType<typeof accuracyReport> =>
      accuracyReport(
        Array.from({ length: 20 }, (_, i) => ({
          family: i < 10 ? "bars" : "clock",
          correct: i % 10 < right,
          tokens: 5,
        })),
      );
    const reports = { base: judged(3), SRPO: judged(8) };
    const shown = reportTable(reports);
    assert.deepEqual(
      shown.map(({ family, policy }) => `${family}/${policy}`),
      ["bars/base", "bars/SRPO", "clock/base", "clock/SRPO", "overall/base", "overall/SRPO"],
    );
    assert.equal(shown[4]["accuracy [95 %]"], "30.0 % [14.5, 51.9]");
    const figure = reportFigure(reports);
    assert.deepEqual(figure.bars?.groups, ["overall", "bars", "clock"]);
    assert.deepEqual(figure.bars?.series[1].values, [0.8, 0.8, 0.8]);
    assert.match(figure.subtitle ?? "", /n = 20, 95 % Wilson/);
  });
});
