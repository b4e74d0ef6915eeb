/** Accuracy reports of several policies side by side, as rows for a table and as a figure. */
import type { Accuracy, AccuracyReport } from "../bench/report";
import type { Figure } from "./chart";
import type { Row } from "./tables";

/** Reports by the name of the policy, in the order in which they are to stand. */
export type Reports = Readonly<Record<string, AccuracyReport>>;

/** One row a family and policy, the whole last: accuracy with its interval in one cell, transitions as counts. */
export function reportTable(reports: Reports): Row[] {
  return familiesOf(reports).flatMap((family) =>
    Object.entries(reports).flatMap(([policy, report]) => {
      const row = find(report, family);
      if (row === undefined) return [];
      return {
        family,
        policy,
        n: row.n,
        "accuracy [95 %]": `${percent(row.accuracy)} % [${percent(row.low)}, ${percent(row.high)}]`,
        first: row.accFirst === null ? "–" : `${percent(row.accFirst)} %`,
        second: row.accFinal === null ? "–" : `${percent(row.accFinal)} %`,
        ...row.transitions,
        tokens: row.meanTokens,
      };
    }),
  );
}

/** Grouped bars with intervals: a group a family (the whole first), a bar a policy. */
export function reportFigure(
  reports: Reports,
  options: { title?: string; subtitle?: string; families?: readonly string[] } = {},
): Figure {
  const rest = familiesOf(reports).slice(0, -1);
  const groups = options.families ?? ["overall", ...rest];
  const sizes = [...new Set(Object.values(reports).map(({ overall }) => overall.n))];
  const column = (report: AccuracyReport, key: "accuracy" | "low" | "high"): number[] =>
    groups.map((family) => find(report, family)?.[key] ?? NaN);
  return {
    title: options.title ?? "Accuracy by family",
    subtitle: options.subtitle ?? `n = ${sizes.join(" or ")}, 95 % Wilson intervals`,
    x: { title: "" },
    y: { title: "accuracy", format: "percent", min: 0 },
    bars: {
      groups,
      series: Object.entries(reports).map(([name, report]) => ({
        name,
        values: column(report, "accuracy"),
        low: column(report, "low"),
        high: column(report, "high"),
      })),
    },
  };
}

function familiesOf(reports: Reports): string[] {
  const families = Object.values(reports).flatMap((report) => report.families);
  return [...new Set(families.map(({ family }) => family)), "overall"];
}

function find({ overall, families }: AccuracyReport, family: string): Accuracy | undefined {
  return family === "overall" ? overall : families.find((row) => row.family === family);
}

function percent(fraction: number): string {
  return (100 * fraction).toFixed(1);
}
