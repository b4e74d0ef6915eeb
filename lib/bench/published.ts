/** Numbers that the SRPO paper prints, for comparison with one's own: read from one data file that says where they are from. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fault } from "../engine/errors";
import { projectRoot } from "../paths";
import type { Proportion } from "./report";
import type { BenchResults } from "./results";

/** One row of a printed table. */
export interface PublishedRow {
  model: string;
  /** Closed, or open by size; the comparison tables only. */
  group?: string;
  /** In percent, in the order of the columns; `null` where nothing is printed. */
  values: (number | null)[];
  /** Keys of the columns that the paper's authors ran themselves instead of citing. */
  rerun?: string[];
}

export interface PublishedTable {
  /** The number that the paper gives it. */
  table: number;
  title: string;
  /** `key` is a benchmark's name, or `mmk12/physics` for a part of one. */
  columns: { key: string; title: string }[];
  rows: PublishedRow[];
}

export interface Published {
  /** Which version of which paper. */
  paper: string;
  /** What must be known before these numbers are compared with any others. */
  caveats: string[];
  tables: PublishedTable[];
}

/** All that is kept of the paper's results. */
export function readPublished(): Published {
  const file = join(projectRoot, "datasets/published/srpo-2506.01713.json");
  return JSON.parse(readFileSync(file, "utf8")) as Published;
}

/** One table: 1 compares models on eight benchmarks, 2 on MMK12, 3 to 6 are ablations. @throws LabError naming those there are */
export function publishedTable(table: number): PublishedTable {
  const { tables } = readPublished();
  const found = tables.find((candidate) => candidate.table === table);
  if (found !== undefined) return found;
  throw fault("publishedTable", "no such table is kept", {
    got: table,
    expected: `one of ${tables.map((candidate) => candidate.table).join(", ")}`,
  });
}

/** What somebody measured: one row beside the printed ones. */
export interface MeasuredRow {
  model: string;
  /**
   * `benchmark` for the benchmark's own problems. `embedded` for drawn problems in its record format, whose accuracies say
   * nothing about the benchmark.
   */
  problems: "benchmark" | "embedded";
  /** Accuracies by the keys of the published columns. */
  scores: Readonly<Record<string, Proportion>>;
}

/**
 * Results as a row for comparison, under the keys of the published columns: each benchmark's own name, and
 * `<name>/<subject>` for the subjects that it reports.
 */
export function measuredRow(
  problems: MeasuredRow["problems"],
  results: readonly BenchResults[],
): MeasuredRow {
  const scores: Record<string, Proportion> = {};
  for (const { spec, accuracy, tables } of results) {
    scores[spec.benchmark] = accuracy;
    for (const [subject, { n, accuracy: value, low, high }] of Object.entries(
      tables.subject ?? {},
    )) {
      scores[`${spec.benchmark}/${subject}`] = { n, value: value ?? NaN, low, high };
    }
  }
  return { model: results[0]?.spec.model.name ?? "", problems, scores };
}
