/**
 * What a benchmark's record format is, and what the formats share. A format is a file that turns the embedded problems
 * into records as the benchmark's authors publish them, so that loader, prompt and scorer run without a download.
 */
import { letter } from "../../../lib/bench/fields";
import type { BenchRecord } from "../../../lib/bench/benchmark";
import { createRandom } from "../../../lib/engine/random";
import { chainSteps, slip } from "../arithmetic";
import { drawItem, type VisualMathItem } from "../problems";
import type { Family } from "../family";

/** A picture that a record brings along. */
export interface SuitePicture {
  /** File name without folder. */
  name: string;
  /** SVG text. */
  svg: string;
}

/** One record before it is written: how its pictures are stored depends on the container. */
export interface SuiteRecord {
  /** The file that it belongs to, without ending: a configuration or split of the benchmark. */
  file: string;
  /** All fields but the pictures, as JSON. */
  fields: BenchRecord;
  /** Pictures by the field that holds them. */
  pictures: Readonly<Record<string, SuitePicture>>;
}

export interface SuiteFormat {
  /** The benchmark's name in `lib/bench/benchmarks`. */
  benchmark: string;
  /** How the authors' JSON is laid out: a list of records, one a line, or a map whose keys are the field `by`. */
  json: "list" | "lines" | { by: string };
  /** The hub's name of the picture itself where the record's own field holds its path. */
  decoded?: string;
  /** The records of the problems, in their order. */
  records(items: readonly VisualMathItem[]): SuiteRecord[];
}

/** One word for each of the embedded subjects. */
export type BySubject = Readonly<Record<Family["subject"], string>>;

export function subjectWord(item: VisualMathItem, words: BySubject): string {
  return words[item.problem.subject as Family["subject"]];
}

/** Whether an angle is asked for: the benchmarks file those apart. */
export function asksAngle({ problem }: VisualMathItem): boolean {
  return /\bangle\b|\bdegrees\b/.test(problem.question);
}

/** The problem's picture. */
export function pictureOf(item: VisualMathItem, name: string): SuitePicture {
  return { name: `${name}.png`, svg: drawItem(item) };
}

/** The reading and the steps, as the authors' worked solutions are: text. */
export function solutionOf({ problem }: VisualMathItem): string {
  return [problem.reading ?? "", ...(problem.steps ?? [])].join("\n");
}

/** Options of a multiple-choice question, and the letter of the right one. */
export interface Options {
  texts: string[];
  letter: string;
}

/**
 * `count` different numbers in random order, the answer among them. First come what a hasty solver finds (carry or borrow
 * forgotten), digits the wrong way round and neighbours: wrong options that a wrong calculation leads to.
 */
export function optionsOf(item: VisualMathItem, count: number): Options {
  const { scene, problem, seed } = item;
  const gold = Number(problem.answer);
  const steps = chainSteps(scene.chain, scene.values);
  const near = [10, -10, 1, -1, 2, -2, 20, -20, 5, -5, 9, -9, 11].map((step) => gold + step);
  const likely = [
    ...steps.slice(-1).map(slip),
    Number([...problem.answer].reverse().join("")),
    ...near,
  ];
  const wrong = new Set(likely.filter((value) => value > 0 && value !== gold));
  for (let value = gold + 12; wrong.size < count - 1; value++) wrong.add(value);
  const random = createRandom(`${seed}/options/${problem.id}`);
  const texts = random.shuffle([gold, ...[...wrong].slice(0, count - 1)]).map(String);
  return { texts, letter: letter(texts.indexOf(problem.answer)) };
}

/** `A. 12`, one line an option. */
export function listOptions({ texts }: Options, mark: string): string {
  return texts.map((text, i) => `${letter(i)}${mark}${text}`).join("\n");
}
