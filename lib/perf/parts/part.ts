/** What a part of `npm run bench` is. One file a part, all with this interface; `index.ts` lists them. */
import type { Figure } from "../../lab/chart";
import type { Spread } from "../spread";

/** A row of a part's table; every row of a table has the same keys, and keys name their unit. */
export type BenchRow = Readonly<Record<string, string | number | Spread>>;

export interface PartResult {
  rows: BenchRow[];
  figures: Figure[];
  /** What the numbers say, a sentence each. */
  findings: string[];
}

export interface BenchOptions {
  /** Threads of the engine; as it chooses unless told. */
  threads?: number;
  /** Hears what is being measured. */
  onProgress: (text: string) => void;
}

export interface BenchPart {
  name: string;
  title: string;
  /** What is measured and how, so that the table can be read. */
  about: string;
  /** Only measured when it is asked for by name, because it takes long. */
  onlyByName?: boolean;
  measure(options: BenchOptions): Promise<PartResult>;
}

/** A curve through the medians, in a band from the smallest to the largest. */
export function curve(
  name: string,
  x: readonly number[],
  spreads: readonly Spread[],
): { name: string; x: readonly number[]; y: number[]; low: number[]; high: number[] } {
  return {
    ...{ name, x, y: spreads.map(({ median }) => median) },
    low: spreads.map(({ low }) => low),
    high: spreads.map(({ high }) => high),
  };
}
