/** Reflection samples as a notebook shows them: cards with the differences between the solutions marked, and plots of the mix. */
import { wordCount } from "../reflection/dataset-card";
import type { DropRow } from "../reflection/selection";
import { parseResponse, renderResponse } from "../reflection/template";
import type { ReflectionSample } from "../types";
import type { Figure } from "./chart";
import type { Row } from "./tables";
import type { Sample } from "./viewer";

/** Samples for the gallery (`showSamples`), in their order; the label says who wrote what. */
export function reflectionSamples(samples: readonly ReflectionSample[]): Sample[] {
  return samples.map((sample) => {
    const { problem, attempt, reflection, second, verdict, mode, provenance } = sample;
    const { teacher, tries = 1, quality } = provenance;
    const grade = quality === undefined ? "" : `, reasoning ${quality.score} of 5`;
    return {
      problem,
      response: parseResponse(renderResponse({ first: attempt, reflection, second })),
      firstCorrect: verdict.correct,
      // No filter lets a second answer pass that is not the gold answer.
      secondCorrect: true,
      transition: verdict.correct ? "RR" : "WR",
      label: `${mode}, by ${teacher}${tries > 1 ? ` at try ${tries}` : ""}${grade}`,
    };
  });
}

/** What became of all attempts, as rows of a table: kept, dropped by reason, and what a filter sent back to the teacher. */
export function accountRows({
  samples,
  dropped,
  rejected,
}: {
  samples: readonly Pick<ReflectionSample, "mode">[];
  dropped: readonly DropRow[];
  rejected: readonly DropRow[];
}): Row[] {
  const kept = (mode: ReflectionSample["mode"]): number =>
    samples.filter((sample) => sample.mode === mode).length;
  return [
    { reason: "kept", right: kept("condense"), wrong: kept("correct") },
    ...dropped.map((row) => ({ ...row })),
    ...rejected.map((row) => ({ ...row, reason: `sent back to the teacher: ${row.reason}` })),
  ];
}

/** Bars of right and wrong first solutions for each value of a property of the problems, the most frequent first. */
export function mixFigure(
  samples: readonly Pick<ReflectionSample, "problem" | "verdict">[],
  by: "source" | "subject" | "family",
  options: { title?: string; most?: number } = {},
): Figure {
  const groups = new Map<string, { right: number; wrong: number }>();
  for (const { problem, verdict } of samples) {
    const row = groups.get(problem[by]) ?? { right: 0, wrong: 0 };
    row[verdict.correct ? "right" : "wrong"]++;
    groups.set(problem[by], row);
  }
  const rows = [...groups].sort(([, a], [, b]) => b.right + b.wrong - a.right - a.wrong);
  const shown = rows.slice(0, options.most ?? 16);
  const hidden = rows.length - shown.length;
  const right = samples.filter(({ verdict }) => verdict.correct).length;
  return {
    title: options.title ?? `First solutions by ${by}`,
    subtitle:
      `n = ${samples.length}, ${share(right, samples.length)} of them right` +
      (hidden > 0 ? `, ${hidden} smaller groups not shown` : ""),
    x: { title: "" },
    y: { title: "samples", min: 0 },
    bars: {
      groups: shown.map(([name]) => name),
      series: [
        { name: "right", values: shown.map(([, row]) => row.right) },
        { name: "wrong", values: shown.map(([, row]) => row.wrong) },
      ],
    },
  };
}

/** How long the parts are, in words: the share of samples in each of `bins` classes of equal width. */
export function lengthFigure(
  samples: readonly ReflectionSample[],
  { title = "Lengths of the parts", bins = 12 }: { title?: string; bins?: number } = {},
): Figure {
  const parts = {
    "first solution": samples.map(({ attempt }) => wordCount(attempt.think)),
    reflection: samples.map(({ reflection }) => wordCount(reflection)),
    "second solution": samples.map(({ second }) => wordCount(second.think)),
  };
  const most = Math.max(1, ...Object.values(parts).flat());
  const width = Math.ceil((most + 1) / bins);
  const count = Math.ceil((most + 1) / width);
  const groups = Array.from({ length: count }, (_unused, i) =>
    width === 1 ? String(i) : `${i * width}–${(i + 1) * width - 1}`,
  );
  return {
    title,
    subtitle: `n = ${samples.length}`,
    x: { title: "words" },
    y: { title: "share of the samples", format: "percent", min: 0 },
    bars: {
      groups,
      series: Object.entries(parts).map(([name, lengths]) => ({
        name,
        values: groups.map(
          (_group, i) =>
            lengths.filter((length) => Math.floor(length / width) === i).length /
            Math.max(1, samples.length),
        ),
      })),
    },
  };
}

const share = (part: number, whole: number): string =>
  whole === 0 ? "none" : `${((100 * part) / whole).toFixed(1)} %`;
