import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import {
  checkFigure,
  describeFigure,
  extent,
  formatNumber,
  ticks,
  type Figure,
} from "../../lib/lab/chart";
import {
  PLOTLY_MIME,
  figureBundle,
  plotlyFigure,
  saveFigure,
  showFigure,
} from "../../lib/lab/figure";
import { renderSvg } from "../../lib/lab/svg-chart";
import { fakeNotebook } from "./surfaces";

const curves: Figure = {
  title: "Reward <of> two & more",
  subtitle: "seed 7",
  x: { title: "step" },
  y: { title: "reward" },
  lines: [
    { name: "raw", x: [0, 1, 2], y: [0.1, 0.4, 0.2], faint: true },
    { name: "SRPO", x: [0, 1, 2], y: [0.1, 0.3, 0.5], low: [0, 0.2, 0.4], high: [0.2, 0.4, 0.6] },
    { name: "GRPO", x: [0, 1, 2, 3], y: [0.1, NaN, 0.2, 0.3], dash: true },
  ],
  references: [
    { axis: "y", at: 0.15, label: "base" },
    { axis: "x", at: 1, label: "warm-up" },
  ],
};

const bars: Figure = {
  title: "Accuracy",
  x: { title: "" },
  y: { title: "accuracy", format: "percent", min: 0, max: 1 },
  bars: {
    groups: ["bars", "clock", "pie"],
    series: [
      { name: "base", values: [0.2, 0.4, 0.8], low: [0.1, 0.3, 0.7], high: [0.3, 0.5, 0.9] },
    ],
  },
};

/** Pixels of an SVG at its own size that are near a colour, by column. */
async function pixels(svg: string, near: [number, number, number]): Promise<number[]> {
  const { data, info } = await sharp(Buffer.from(svg))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const counts = new Array<number>(info.width).fill(0);
  for (let i = 0; i < data.length; i += 3) {
    const far = near.some((channel, c) => Math.abs(data[i + c] - channel) > 12);
    if (!far) counts[(i / 3) % info.width]++;
  }
  return counts;
}

describe("chart: axes and numbers", () => {
  it("puts marks where d3 puts them, without rounding noise", () => {
    // d3.ticks(0, 1, 5), d3.ticks(-3, 3, 6), d3.ticks(100, 1000, 9)
    assert.deepEqual(ticks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
    assert.deepEqual(ticks(-3, 3, 6), [-3, -2, -1, 0, 1, 2, 3]);
    assert.deepEqual(ticks(100, 1000, 9), [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]);
    assert.deepEqual(ticks(0.1, 0.3, 4), [0.1, 0.15, 0.2, 0.25, 0.3]);
    assert.deepEqual(ticks(1e-6, 3e-6, 2), [1e-6, 2e-6, 3e-6]);
  });

  it("has an axis for level, single and absent values", () => {
    for (const values of [[], [NaN], [0.5], [0, 0], [3, 3]]) {
      const [low, high] = extent(values, { title: "" });
      assert.ok(low < high && Number.isFinite(low) && Number.isFinite(high), String(values));
    }
    assert.deepEqual(extent([0.2, 5], { title: "", min: 0, max: 1 }), [0, 1]);
  });

  it("writes numbers in three digits", () => {
    const shown = [0, 0.12345, 1, 12.5, 123.456, 45678, 2.5e6, 1e-5, -0.5, NaN].map((v) =>
      formatNumber(v),
    );
    assert.deepEqual(shown, [
      "0",
      "0.123",
      "1",
      "12.5",
      "123.5",
      "45.7k",
      "2.5M",
      "1e−5",
      "−0.5",
      "–",
    ]);
    assert.equal(formatNumber(0.4567, "percent"), "45.7 %");
    assert.equal(formatNumber(0.0002, "percent"), "0.02 %");
  });

  it("says the figure's numbers in words, gaps and smoothed-over curves left out", () => {
    assert.equal(
      describeFigure(curves),
      [
        "Reward <of> two & more (seed 7)",
        "  SRPO: 0.1 → 0.5 [0.4, 0.6], step 0 to 2",
        "  GRPO: 0.1 → 0.3, step 0 to 3",
        "  base: 0.15",
        "  warm-up: 1",
      ].join("\n"),
    );
    assert.match(describeFigure(bars), /clock: base 40\.0 % \[30\.0 %, 50\.0 %\]/);
  });

  it("refuses arrays of unequal lengths and figures without data, naming them", () => {
    const lines = [{ name: "bad", x: [1, 2], y: [1] }];
    assert.throws(
      () => checkFigure("renderSvg", { ...curves, lines }),
      /"bad": y .* 1, .*2 values/,
    );
    assert.throws(() => renderSvg({ ...curves, lines: undefined }), /no data/);
  });
});

describe("chart: pictures", () => {
  it("draws bars as high as their values", async () => {
    const svg = renderSvg({
      ...bars,
      bars: { ...bars.bars!, series: [{ name: "base", values: [0.2, 0.4, 0.8] }] },
    });
    // #0072B2 at 85 % on white.
    const columns = await pixels(svg, [38, 135, 190]);
    const heights = columns
      .slice(60)
      .filter((count, i, all) => count > 0 && all[i - 1] === count && all[i + 1] === count);
    const [low, middle, high] = [...new Set(heights)].sort((a, b) => a - b);
    assert.ok(Math.abs(middle / low - 2) < 0.06, `${low} ${middle}`);
    assert.ok(Math.abs(high / low - 4) < 0.12, `${low} ${high}`);
  });

  it("leaves a gap where a value is missing", () => {
    const whole = { name: "a", x: [0, 1, 2, 3, 4], y: [1, 2, 3, 4, 5] };
    const count = (y: number[]): number =>
      renderSvg({ ...curves, lines: [{ ...whole, y }] }).split(`stroke-width="2"`).length - 1;
    assert.equal(count([1, 2, 3, 4, 5]), 1);
    assert.equal(count([1, 2, NaN, 4, 5]), 2);
  });

  it("keeps a spike of a curve with more points than pixels", async () => {
    const x = Array.from({ length: 20_000 }, (_, i) => i);
    const y = x.map((i) => (i === 12_345 ? 1 : 0));
    const svg = renderSvg({ ...curves, references: [], lines: [{ name: "spiky", x, y }] });
    assert.ok(svg.length < 60_000, `${svg.length} characters`);
    const columns = await pixels(svg, [0, 114, 178]);
    assert.ok(Math.max(...columns.slice(60)) > 100);
  });

  it("is well-formed whatever the names hold, and has the size it says", async () => {
    const nasty = `</svg><script>"'&\u0001\ud800`;
    const figure = { ...curves, title: nasty, lines: [{ name: nasty, x: [1], y: [1] }] };
    const svg = renderSvg([figure, bars, figure], { heading: nasty, columns: 2 });
    assert.doesNotMatch(svg, /<script/);
    const { width, height } = await sharp(Buffer.from(svg)).metadata();
    assert.deepEqual([width, height], [760, 510]);
  });

  it("draws nothing but the frame of a figure that has no values yet", async () => {
    await sharp(Buffer.from(renderSvg({ ...curves, references: [], lines: [] }))).stats();
  });
});

describe("figure: bundles and files", () => {
  let folder: string;
  before(() => (folder = mkdtempSync(join(tmpdir(), "figures-"))));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("holds the interactive form as an object, a picture with ink, and the numbers", async () => {
    const { surface, sent } = fakeNotebook();
    await showFigure(curves, { surface });
    const { bundle } = sent[0];
    assert.deepEqual(Object.keys(bundle).sort(), [PLOTLY_MIME, "image/png", "text/plain"].sort());
    const { data, layout, config } = bundle[PLOTLY_MIME] as ReturnType<typeof plotlyFigure>;
    assert.equal(config.showSendToCloud, false, "nothing leaves the machine by a click");
    for (const { x, y } of data as { x: unknown[]; y: unknown[] }[]) {
      assert.equal(x.length, y.length);
    }
    const png = sharp(Buffer.from(bundle["image/png"] as string, "base64"));
    const [{ width, height }, { channels }] = [await png.metadata(), await png.stats()];
    assert.deepEqual([width, height], [layout.width, layout.height]);
    assert.ok(channels[0].min < 60 && channels[0].max > 250);
    assert.match(bundle["text/plain"], /SRPO: 0\.1 → 0\.5/);
  });

  it("turns missing values into gaps that JSON can hold", () => {
    const { data } = plotlyFigure(curves);
    assert.deepEqual(data[data.length - 1].y, [0.1, null, 0.2, 0.3]);
  });

  it("is what plotly's own schema allows", function () {
    this.timeout(60_000);
    const python = join(process.cwd(), ".venv/bin/python");
    if (!existsSync(python)) return this.skip();
    const figures = [plotlyFigure(curves), plotlyFigure([curves, bars, bars], { heading: "all" })];
    const code =
      "import json, sys, plotly.graph_objects as go\n" +
      "print([len(go.Figure(f).data) for f in json.load(sys.stdin)])";
    const printed = execFileSync(python, ["-c", code], { input: JSON.stringify(figures) });
    // A curve with a band is three traces: two edges and itself.
    assert.equal(printed.toString().trim(), "[5, 7]");
  });

  it("saves svg, png, json, csv and a page that needs no network", async () => {
    const saved = await saveFigure(curves, join(folder, "a"), "reward");
    await saveFigure(bars, join(folder, "a"), "accuracy");
    for (const path of Object.values(saved)) assert.ok(statSync(path).size > 0, path);
    assert.deepEqual(JSON.parse(readFileSync(saved.json, "utf8")), plotlyFigure(curves));
    const page = readFileSync(saved.html, "utf8");
    assert.doesNotMatch(page, /https?:\/\//);
    assert.match(page, /<script src="plotly\.js">/);
    const plotly = readFileSync(join(folder, "a", "plotly.js"), "utf8");
    assert.match(plotly.slice(0, 400), /plotly\.js/);
    assert.equal(readdirSync(join(folder, "a")).length, 11);
    const [head, first] = readFileSync(saved.csv, "utf8").split("\n");
    assert.equal(head, "figure,series,x,y,low,high");
    assert.equal(first, "Reward <of> two & more,raw (raw),0,0.1,,");
  });

  it("cannot be made to end the page's script by a name", async () => {
    const saved = await saveFigure({ ...bars, title: "</script><b>" }, folder, "x");
    const page = readFileSync(saved.html, "utf8");
    assert.equal(page.split("</script>").length - 1, 2);
  });

  it("refuses a name that is a path", async () => {
    await assert.rejects(saveFigure(bars, folder, "../x"), /saveFigure: the name/);
  });

  it("puts a summary above the numbers", async () => {
    const bundle = await figureBundle([curves, bars], { heading: "done in 3m" });
    assert.match(bundle["text/plain"], /^done in 3m\nReward/);
  });
});
