/** How time and memory of a GRPO step grow with rollouts, length, width and picture size, and that they stay level over steps. */
import type { Figure, Line } from "../../lab/chart";
import { apart } from "../apart";
import type { SyntheticWork } from "../grpo";
import { spread, spreadOf, straightLine, type Spread } from "../spread";
import { curve, type BenchOptions, type BenchPart, type BenchRow, type PartResult } from "./part";

const BASE: SyntheticWork = {
  ...{ hidden: 128, layers: 4, prompts: 8, group: 8, promptTokens: 32, newTokens: 64, steps: 4 },
};

/** What grows, and the work at each of its sizes. */
const SERIES: readonly {
  over: string;
  sizes: readonly number[];
  work: (n: number) => SyntheticWork;
}[] = [
  {
    over: "rollouts",
    sizes: [32, 64, 128, 256],
    work: (n) => ({ ...BASE, prompts: n / BASE.group }),
  },
  {
    over: "completion tokens",
    sizes: [32, 64, 128, 256],
    work: (n) => ({ ...BASE, newTokens: n }),
  },
  { over: "width", sizes: [64, 128, 192, 256], work: (n) => ({ ...BASE, hidden: n }) },
];

const SIDES = [112, 224, 336, 448];
const STEPS = 40;

export const growth: BenchPart = {
  name: "growth",
  title: "How time and memory grow",
  about:
    "GRPO steps of random weights, one thing growing at a time from: width 128, 4 layers, 8 groups of 8, 64 tokens after " +
    "prompts of 32. Picture size: the embedded vision tower on 16 pictures at once, and a step whose prompts have as many " +
    "tokens as a picture of that size becomes. Steps: the same training, step after step. per_unit is the time over the " +
    "size, relative to the smallest size.",
  measure: async (options) => {
    const parts: PartResult[] = [];
    for (const one of SERIES) parts.push(await grow(one, options));
    parts.push(await overPictures(options), await overSteps(options));
    return {
      rows: parts.flatMap(({ rows }) => rows),
      figures: parts.flatMap(({ figures }) => figures),
      findings: parts.flatMap(({ findings }) => findings),
    };
  },
};

async function grow(
  { over, sizes, work }: (typeof SERIES)[number],
  { threads, onProgress }: BenchOptions,
): Promise<PartResult> {
  const points: Point[] = [];
  for (const size of sizes) {
    onProgress(`${size} ${over}`);
    const { result, peak_mb } = await apart("syntheticSteps", work(size), threads);
    points.push({ size, s: spreadOf(result, ({ step_s }) => step_s), peak_mb });
  }
  return grown(over, "step", points);
}

async function overPictures({ threads, onProgress }: BenchOptions): Promise<PartResult> {
  const tower: Point[] = [];
  const steps: Point[] = [];
  for (const side of SIDES) {
    onProgress(`pictures of ${side} pixels a side`);
    const looked = await apart("measureTower", { side, pictures: 16, repeats: 5 }, threads);
    const { seconds, tokens } = looked.result;
    const promptTokens = BASE.promptTokens + tokens;
    const stepped = await apart("syntheticSteps", { ...BASE, promptTokens }, threads);
    const size = side ** 2 / 1e3;
    tower.push({ size, s: spread(seconds), peak_mb: looked.peak_mb });
    const s = spreadOf(stepped.result, ({ step_s }) => step_s);
    steps.push({ size, s, peak_mb: stepped.peak_mb });
  }
  const parts = [
    grown("1000 pixels a picture", "tower", tower),
    grown("1000 pixels a picture", "step", steps),
  ];
  return {
    rows: parts.flatMap(({ rows }) => rows),
    figures: [
      { ...parts[0].figures[0], lines: parts.flatMap(({ figures }) => figures[0].lines as Line[]) },
    ],
    findings: parts.flatMap(({ findings }) => findings),
  };
}

async function overSteps({ threads, onProgress }: BenchOptions): Promise<PartResult> {
  onProgress(`${STEPS} steps in a row`);
  const { result, peak_mb } = await apart("syntheticSteps", { ...BASE, steps: STEPS }, threads);
  const x = result.map((_step, i) => i + 1);
  const [seconds, memory] = [
    result.map(({ step_s }) => step_s),
    result.map(({ rss_mb }) => rss_mb),
  ];
  const s = spread(seconds);
  const drift = straightLine(x, seconds).slope * STEPS;
  const grownBy = straightLine(x, memory).slope * STEPS;
  return {
    rows: [{ over: "steps", of: "step", size: STEPS, s, per_unit: 1 + drift / s.median, peak_mb }],
    figures: [
      {
        title: "A step, step after step",
        subtitle: `${STEPS} steps`,
        x: { title: "step" },
        y: { title: "seconds", min: 0 },
        lines: [{ name: "step", x, y: seconds }],
      },
      {
        title: "Memory, step after step",
        x: { title: "step" },
        y: { title: "MB", min: 0 },
        lines: [{ name: "resident", x, y: memory }],
      },
    ],
    findings: [
      `Over ${STEPS} steps a step's time drifts by ${signed((100 * drift) / s.median)} %, memory by ${signed(grownBy)} MB.`,
    ],
  };
}

interface Point {
  size: number;
  s: Spread;
  peak_mb: number;
}

function grown(over: string, of: string, points: readonly Point[]): PartResult {
  const sizes = points.map(({ size }) => size);
  const [times, peaks] = [points.map(({ s }) => s.median), points.map(({ peak_mb }) => peak_mb)];
  const unit = times[0] / sizes[0];
  const rows = points.map(({ size, s, peak_mb }): BenchRow => {
    return { over, of, size, s, per_unit: s.median / size / unit, peak_mb };
  });
  const figure = (title: string, lines: Line[]): Figure => ({
    ...{ title, x: { title: over, min: 0 }, y: { title: "seconds", min: 0 }, lines },
  });
  const [time, memory] = [straightLine(sizes, times), straightLine(sizes, peaks)];
  return {
    rows,
    figures: [
      figure(`Time over ${over}`, [
        curve(
          of,
          sizes,
          points.map(({ s }) => s),
        ),
      ]),
      {
        ...figure(`Peak memory over ${over}`, [{ name: of, x: sizes, y: peaks }]),
        y: { title: "MB", min: 0 },
      },
    ],
    findings: [
      `${of} over ${over}: a straight line explains ${(100 * time.r2).toFixed(1)} % of the time and ` +
        `${(100 * memory.r2).toFixed(1)} % of the memory (${memory.slope.toPrecision(2)} MB each).`,
    ],
  };
}

function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;
}
