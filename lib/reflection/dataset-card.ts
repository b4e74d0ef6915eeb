/** What a set of reflection samples is, in numbers and as a data card: counts, shares, lengths, sources, who wrote what, and how. */
import type { ReflectionSample } from "../types";
import { filterDescriptions } from "./filters";
import { judgePromptVersion, judgeSystemPrompt } from "./reasoning-judge";
import { stratumOf, type DropRow } from "./selection";
import { teacherSystemPrompt, teachingPromptsVersion, teachingTasks } from "./teaching-prompts";

export interface CardOptions {
  title: string;
  /** Each source that occurs, with its licence as it states it. */
  sources: Readonly<Record<string, { title: string; licence: string }>>;
  /** What fell away, and what was sent back to the teacher. */
  dropped?: readonly DropRow[];
  rejected?: readonly DropRow[];
}

/** In words: what one splits at white space. */
export interface LengthRow {
  part: string;
  least: number;
  median: number;
  mean: number;
  /** 95 of 100 are not longer. */
  p95: number;
  most: number;
}

export interface CardNumbers {
  samples: number;
  right: number;
  wrong: number;
  rightShare: number;
  images: number;
  strata: { stratum: string; right: number; wrong: number }[];
  lengths: LengthRow[];
  /** How often each was the one. */
  sources: Record<string, number>;
  policies: Record<string, number>;
  teachers: Record<string, number>;
  judges: Record<string, number>;
  /** Lessons that needed more than one try. */
  repeated: number;
  /** Lessons that a model taught. */
  byModel: number;
}

/** @param samples gone through once */
export function cardNumbers(samples: Iterable<ReflectionSample>): CardNumbers {
  const total = { samples: 0, right: 0, repeated: 0, byModel: 0 };
  const images = new Set<string>();
  const strata = new Map<string, { stratum: string; right: number; wrong: number }>();
  const [sources, policies, teachers, judges] = [0, 0, 0, 0].map(
    (): Record<string, number> => ({}),
  );
  const count = (counts: Record<string, number>, name: string | undefined): void => {
    if (name !== undefined) counts[name] = (counts[name] ?? 0) + 1;
  };
  const words = Object.keys(PARTS).map((): number[] => []);
  for (const sample of samples) {
    const { problem, verdict, provenance } = sample;
    const { policy, teacher, settings, quality, tries = 1 } = provenance;
    total.samples++;
    if (verdict.correct) total.right++;
    if (tries > 1) total.repeated++;
    if (settings !== undefined) total.byModel++;
    for (const image of problem.images) images.add(image);
    const stratum = stratumOf(problem);
    const row = strata.get(stratum) ?? { stratum, right: 0, wrong: 0 };
    row[verdict.correct ? "right" : "wrong"]++;
    strata.set(stratum, row);
    count(sources, problem.source);
    count(policies, policy);
    count(teachers, withSettings(teacher, settings));
    count(judges, quality?.judge);
    Object.values(PARTS).forEach((textOf, i) => words[i].push(wordCount(textOf(sample))));
  }
  return {
    ...{ ...total, wrong: total.samples - total.right, images: images.size },
    rightShare: total.samples === 0 ? 0 : total.right / total.samples,
    strata: [...strata.values()].sort((a, b) => (a.stratum < b.stratum ? -1 : 1)),
    lengths: Object.keys(PARTS).flatMap((part, i) => lengthRow(part, words[i])),
    ...{ sources: sortedCounts(sources), policies, teachers, judges },
  };
}

const sortedCounts = (counts: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));

function withSettings(name: string, settings: Readonly<Record<string, unknown>> = {}): string {
  const words = Object.entries(settings).map(([key, value]) => `${key} ${String(value)}`);
  return words.length === 0 ? name : `${name} (${words.join(", ")})`;
}

/** The parts whose lengths the card has. */
const PARTS: Readonly<Record<string, (sample: ReflectionSample) => string>> = {
  question: ({ problem }) => problem.question,
  "first solution": ({ attempt }) => attempt.think,
  reflection: ({ reflection }) => reflection,
  "second solution": ({ second }) => second.think,
};

function lengthRow(part: string, words: number[]): LengthRow[] {
  if (words.length === 0) return [];
  words.sort((a, b) => a - b);
  const at = (share: number): number => words[Math.ceil(share * words.length) - 1];
  const mean = words.reduce((sum, n) => sum + n, 0) / words.length;
  return [{ part, least: words[0], median: at(0.5), mean, p95: at(0.95), most: at(1) }];
}

export const wordCount = (text: string): number => text.split(/\s+/).filter(Boolean).length;

/** The card as Markdown, with the front matter that data-set hubs read. */
export function cardText(
  numbers: CardNumbers,
  { title, sources, dropped = [], rejected = [] }: CardOptions,
): string {
  const licences = [...new Set(Object.values(sources).map(({ licence }) => licence))];
  const judged = Object.keys(numbers.judges).length > 0;
  const list = (counts: Record<string, number>): string[] =>
    Object.entries(counts).map(([name, count]) => `- ${name}: ${count}`);
  return [
    ...["---", `license: ${licences.length === 1 ? hubLicence(licences[0]) : "other"}`],
    ...["task_categories:", "- visual-question-answering", "configs:"],
    ...["- config_name: reflection", "  data_files: reflection.jsonl"],
    ...["- config_name: plain-cot", "  data_files: plain-cot.jsonl", "---", ""],
    `# ${title}`,
    "",
    "Reflection samples in the manner of SRPO (arXiv 2506.01713, section 3.1): a policy's own first solution, a teacher's reflection " +
      "on it, and a second solution. `reflection.jsonl` and `plain-cot.jsonl` are sharegpt as LLaMA-Factory reads it " +
      "(`dataset_info.json`); `samples.jsonl` has every part with its provenance.",
    "",
    `${numbers.samples} samples about ${numbers.images} pictures: ${numbers.right} on right first solutions ` +
      `(${(100 * numbers.rightShare).toFixed(1)} %), ${numbers.wrong} on wrong ones.`,
    ...section("Sources and licences, as the sources state them", [
      ...Object.entries(sources).map(
        ([name, source]) =>
          `- ${source.title}: ${source.licence}; ${numbers.sources[name]} samples`,
      ),
    ]),
    ...section("The mix", markdownTable(numbers.strata)),
    ...section("Lengths, in words", markdownTable(numbers.lengths)),
    ...section("Who wrote the first solutions", list(numbers.policies)),
    ...section("Who wrote the reflections", [
      ...list(numbers.teachers),
      ...(numbers.repeated > 0 ? [`- ${numbers.repeated} of them after more than one try`] : []),
    ]),
    ...section("Who judged the reasoning", judged ? list(numbers.judges) : []),
    ...section("Filters, in their order", [
      ...filterDescriptions.map((text, i) => `${i + 1}. ${text}`),
    ]),
    ...section("Dropped attempts", markdownTable(dropped)),
    ...section("Teachings sent back", markdownTable(rejected)),
    ...section(
      `The teacher's prompts (version ${teachingPromptsVersion})`,
      numbers.byModel > 0
        ? quoted(teacherSystemPrompt, teachingTasks.correct, teachingTasks.condense)
        : [],
    ),
    ...section(
      `The judge's prompt (version ${judgePromptVersion})`,
      judged ? quoted(judgeSystemPrompt) : [],
    ),
    "",
  ].join("\n");
}

/** As hubs spell it. */
function hubLicence(licence: string): string {
  return /^[a-z][\w.-]*$/i.test(licence) ? licence.toLowerCase() : "other";
}

/** A heading with what stands under it; nothing where there is nothing. */
function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", `## ${title}`, "", ...lines];
}

function markdownTable(rows: readonly object[]): string[] {
  if (rows.length === 0) return [];
  const names = Object.keys(rows[0]);
  const cell = (value: unknown): string =>
    typeof value === "number" && !Number.isInteger(value)
      ? value.toFixed(1)
      : String(value).replaceAll("|", "\\|").replace(/\s+/g, " ");
  return [
    `| ${names.join(" | ")} |`,
    `| ${names.map(() => "---").join(" | ")} |`,
    ...rows.map(
      (row) =>
        `| ${names.map((name) => cell((row as Record<string, unknown>)[name])).join(" | ")} |`,
    ),
  ];
}

const quoted = (...texts: readonly string[]): string[] =>
  texts.flatMap((text) => ["```text", text, "```", ""]);
