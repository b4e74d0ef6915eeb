/**
 * What a benchmark is: one file that knows its records, its prompt, how an answer is taken from a response, how it is
 * judged, and into which categories its scores are reported. The three families of scorers give different numbers on the
 * same responses, so every verdict names its family.
 */
import type { Problem } from "../types";
import type { Step } from "./judge";

/** Whose rules: the benchmark's authors', VLMEvalKit's (MM-EUREKA's and SRPO's scripts derive from it), lmms-eval's. */
export const RULE_FAMILIES = ["official", "vlmevalkit", "lmms-eval"] as const;
export type RuleFamily = (typeof RULE_FAMILIES)[number];

/** A benchmark's own record, one JSON object: fields that nobody has checked. */
export type BenchRecord = Readonly<Record<string, unknown>>;

/** How a question is asked: with reasoning first, or for the answer at once. */
export type AskStyle = "cot" | "direct";

/** What is sent: text and pictures in the order in which the model sees them; `image` counts from 0 in {@link Problem}.images. */
export type PromptPart = { type: "text"; text: string } | { type: "image"; image: number };

/** An answer as it was compared. */
export interface Judgement {
  prediction: string | null;
  correct: boolean;
}

/** One scored record, for the benchmark's own tables. */
export interface ScoredRecord {
  record: BenchRecord;
  correct: boolean;
}

/** How many of how many, in one category. */
export interface Tally {
  correct: number;
  total: number;
}

/** A group of categories (`task`, `level`, …), each with its tally, in the order in which the benchmark reports them. */
export type Tables = Readonly<Record<string, Readonly<Record<string, Tally>>>>;

/** A part of a benchmark as the hub has it. */
export interface HubSet {
  /** The data set's name on the hub, `owner/name`. */
  repository: string;
  /** Which of its files hold the set. */
  files: RegExp;
  /** Problems in it, as its authors count them. */
  size: number;
}

export interface Benchmark {
  /** As the command line calls it. */
  name: string;
  /** As tables and figures call it. */
  title: string;
  /** What can be fetched from the hub; the first is what results are usually reported on. */
  sets: Readonly<Record<string, HubSet>>;
  /** Why a model may have met these problems before: where they come from, and which training sets share that source. */
  origins: readonly string[];
  /** Fields that may hold a record's identifier, the first that does counts. */
  idFields: readonly string[];
  /** What released outputs call the extracted answer. */
  extractionField: string;
  /** A record with what only its file's name says. */
  completed?(record: BenchRecord, file: string): BenchRecord;
  /**
   * The question as the lab's own.
   * @param images paths of the record's pictures, in order
   * @throws LabError naming the field that is missing
   */
  problem(record: BenchRecord, images: readonly string[]): Problem;
  /** The authors' prompt, or what the family sends where it differs. */
  prompt(record: BenchRecord, style: AskStyle, rules: RuleFamily): PromptPart[];
  /** The answer in a response; `null` where the rule finds none. */
  extract(response: string, record: BenchRecord, rules: RuleFamily): Step<string | null>;
  /** Whether an extracted answer is right. */
  judge(extraction: string, record: BenchRecord, rules: RuleFamily): Step<Judgement>;
  /** Scores in the categories that the benchmark reports. */
  aggregate(rows: readonly ScoredRecord[]): Tables;
}
