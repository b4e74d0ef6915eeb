import assert from "node:assert/strict";
import path from "node:path";
import sharp from "sharp";
import { benchmarkByName } from "../../lib/bench/benchmarks";
import {
  measuredRow,
  publishedTable,
  readPublished,
  type MeasuredRow,
} from "../../lib/bench/published";
import { wilson } from "../../lib/bench/report";
import { benchResults, type BenchContext } from "../../lib/bench/results";
import { LabError } from "../../lib/engine/errors";
import { comparisonFigures, comparisonTable } from "../../lib/lab/comparison";
import { figureBundle, PLOTLY_MIME } from "../../lib/lab/figure";
import { tableFigureBundle } from "../../lib/lab/table-figure";
import { needRecords, readJson, samples } from "../bench/records";

const { paper, caveats } = readPublished();
const table = publishedTable(1);
const measured: MeasuredRow[] = [
  {
    model: "mine",
    problems: "benchmark",
    scores: { mathvista: wilson(700, 1000), emma: wilson(30, 100) },
  },
  { model: "small", problems: "embedded", scores: { mathvista: wilson(30, 48) } },
];

describe("the paper's figures", () => {
  it("hold the numbers that the paper prints, all of tables 1 to 6", function () {
    const file = path.join(samples, "../reference/srpo-paper-results.json");
    needRecords(this, file);
    type Printed = { table: number; model: string; benchmark: string; value: number | null };
    const { records } = readJson<{ records: (Printed & { reproduced_by_authors?: boolean })[] }>(
      file,
    );
    const wanted = records.filter((record) => record.table <= 6);
    let cells = 0;
    for (const { table: number, model, benchmark, value, reproduced_by_authors } of wanted) {
      const { columns, rows } = publishedTable(number);
      const column = columns.findIndex(({ title }) => title === benchmark);
      const row = rows.find((each) => each.model === model);
      assert.equal(row?.values[column], value, `table ${number}, ${model}, ${benchmark}`);
      const rerun = row?.rerun?.includes(columns[column].key) ?? false;
      assert.equal(rerun, reproduced_by_authors ?? false, `${model}, ${benchmark}`);
      cells++;
    }
    const { tables } = readPublished();
    const kept = tables.flatMap(({ rows }) => rows.flatMap(({ values }) => values));
    // Of ablations only some columns are printed; null stands for the rest.
    assert.equal(
      kept.filter((value) => value !== null).length,
      wanted.filter(({ value }) => value !== null).length,
    );
    assert.ok(cells > 300);
  });

  it("keep printed and measured apart, and embedded problems in a panel of their own", async () => {
    const figures = comparisonFigures({ paper, table, measured });
    assert.equal(figures.length, 2);
    const names = figures.map(({ bars }) => bars?.series.map(({ name }) => name) ?? []);
    assert.ok(names[0].includes("SRPO-7B (published)"));
    assert.ok(names[0].includes("mine (measured, n = 100 to 1000)"));
    assert.deepEqual(names[1], ["small (measured, n = 48)"]);
    assert.deepEqual(figures[1].bars?.groups, ["MathVista"]);
    assert.match(figures[0].subtitle ?? "", /Table 1 of SRPO, arXiv 2506\.01713 v3/);
    const srpo = figures[0].bars?.series.find(({ name }) => name === "SRPO-7B (published)");
    assert.equal(srpo?.values[0], 0.758);
    assert.equal(srpo?.low, undefined);
    const mine = figures[0].bars?.series.find(({ name }) => name.startsWith("mine"));
    assert.ok(mine?.low && Math.abs(mine.low[0] - wilson(700, 1000).low) < 1e-12);
    const bundle = await figureBundle(figures, { columns: 1 });
    assert.match(bundle["text/plain"], /MathVista: .*SRPO-7B \(published\) 75\.8 %/);
    assert.equal(comparisonFigures({ paper, table }).length, 1);
  });

  it("show the whole table as plotly, picture and text, each row with its source", async () => {
    const figure = comparisonTable({ paper, table, measured }, { caveats });
    const bundle = await tableFigureBundle(figure);
    const text = bundle["text/plain"].split("\n");
    const of = (model: string): string => text.find((line) => line.startsWith(model)) ?? "";
    assert.match(of("Vision-R1-7B"), /published +73\.5 +52\.4 +†27\.2/);
    assert.match(of("Seed1.5-VL-T"), /85\.6 +–/);
    assert.match(of("mine"), /measured +70\.0 \[67\.1, 72\.8\] n = 1000/);
    const [printed, real, drawn] = [
      "── published, Table 1: closed",
      "── measured on the benchmarks' own problems",
      "── measured on embedded problems",
    ].map((start) => text.findIndex((line) => line.startsWith(start)));
    assert.ok(0 < printed && printed < real && real < drawn);
    for (const caveat of caveats) assert.ok(text.includes(caveat));
    const plotly = bundle[PLOTLY_MIME] as {
      data: { type: string; cells: { values: string[][] } }[];
    };
    assert.equal(plotly.data[0].type, "table");
    assert.equal(plotly.data[0].cells.values.length, 10);
    assert.equal(plotly.data[0].cells.values[0].length, figure.lines.length);
    const { format, width } = await sharp(
      Buffer.from(bundle["image/png"] as string, "base64"),
    ).metadata();
    assert.equal(format, "png");
    assert.ok((width ?? 0) > 800);
  });

  it("refuse a row that does not fit, and a table that is not kept", async () => {
    const bad = { title: "t", columns: ["a", "b"], lines: [{ cells: ["1"] }] };
    await assert.rejects(tableFigureBundle(bad), LabError);
    assert.throws(() => publishedTable(9), /one of 1, 2, 3/);
  });

  it("take results by benchmark, and by subject where the benchmark has them", () => {
    const rows = ["math", "math", "physics"].map((subject, i) => ({
      id: String(i),
      record: { id: String(i), subject, answer: "A" },
      samples: [{ ...VERDICT, correct: i !== 1 }],
    }));
    const results = benchResults(benchmarkByName("mmk12"), rows, CONTEXT);
    const { model, scores } = measuredRow("embedded", [results]);
    assert.equal(model, "small");
    assert.deepEqual(Object.keys(scores), ["mmk12", "mmk12/math", "mmk12/physics"]);
    assert.deepEqual(scores["mmk12/math"], wilson(1, 2));
    const keys = publishedTable(2).columns.map(({ key }) => key);
    assert.ok(keys.includes("mmk12/math") && keys.includes("mmk12/physics"));
  });
});

const VERDICT = {
  ...{ extraction: "A", prediction: "A", rule: "official/letter" },
  ...{ truncated: false, tokens: 1 },
};

const CONTEXT: BenchContext = {
  spec: {
    ...{ benchmark: "mmk12", model: { name: "small", kind: "responses", of: "" }, sampling: null },
    ...{ samples: 1, rules: "official", answer: "second", judge: null, limit: null, seed: "1" },
  },
  ...{ files: [], available: 3, versions: {}, hashes: { prompts: "", responses: "" } },
  ...{ usage: { promptTokens: null, completionTokens: null }, unanswered: [] },
  ...{ created: "", seconds: 0 },
};
