/** Mulberry-260k: solutions found by collective tree search, in headed sections that several models wrote each in its way. */
import { fault } from "../../lib/engine/errors";
import { firstExchange, picturesOf, textOf } from "./fields";
import { readJsonRecords } from "./json-records";
import type { Source } from "./source";
import { subsetOf } from "./subsets";
import { questionAndAnswer } from "./text";

export const mulberry: Source = {
  name: "mulberry",
  title: "Mulberry-260k",
  licence: "Apache-2.0",
  path: "mulberry_sft.json",
  rows: readJsonRecords,
  draftOf: (row) => {
    const { ask, reply = "" } = firstExchange(row);
    const images = picturesOf(row);
    const work = readMulberry(reply);
    if (work === null) {
      throw fault("draftOf", "the reply has no final answer", { got: reply.slice(-80) });
    }
    const { answer, reading, steps } = work;
    return {
      id: textOf(row, "id"),
      images,
      ...questionAndAnswer({ ask: askedIn(ask), answer: answer }),
      ...subsetOf(images[0]),
      level: 1,
      ...(reading === undefined ? {} : { reading }),
      ...(steps.length === 0 ? {} : { steps }),
    };
  },
};

/** The question after the instructions that ask for the sections; they end with the last heading. */
function askedIn(text: string): string {
  const end = /Format your response[\s\S]*#+\s*The final answer is:?[ \t]*\n?/i.exec(text);
  return end === null ? text : text.slice(end.index + end[0].length);
}

export interface MulberryWork {
  reading?: string;
  /** Rationales first, then the steps. */
  steps: string[];
  answer: string;
}

/**
 * A heading: at the start of a line with or without marks (`###`, `**`), or anywhere after `###`, as some models write all in
 * one line. Without marks it needs its colon or a line of its own, or "Step 2 shows that" would be one.
 */
const HEADING = new RegExp(
  [
    String.raw`(?:(?:^|\n)[ \t]*(?:#{1,6}[ \t]*|\*\*[ \t]*)|(?<=\S)[ \t]*#{3,6}[ \t]*)(?:\*\*)?(HEAD)(?:\*\*)?[ \t]*[:.]?(?:\*\*)?`,
    String.raw`(?:^|\n)[ \t]*(HEAD)[ \t]*:`,
    String.raw`(?:^|\n)[ \t]*(let's think step by step)[ \t]*\.?(?=[ \t]*\n)`,
  ]
    .join("|")
    .replaceAll(
      "HEAD",
      String.raw`image descriptions?|rationales?|let'?s think step by step|step[ \t]*\d+|(?:the )?final answer(?: is)?`,
    ),
  "gi",
);

/** Steps under "Let's think step by step" that are numbered only. */
const NUMBERED = /(?:^|\n)[ \t]*\d{1,2}[.)][ \t]+/;

/** @returns `null` when the text comes to no final answer */
export function readMulberry(text: string): MulberryWork | null {
  const whole = text.replace(/\r\n?/g, "\n").replace(/[\u2018\u2019]/g, "'");
  const headings = [...whole.matchAll(HEADING)];
  let reading: string | undefined;
  let answer: string | undefined;
  const steps: string[] = [];
  headings.forEach((heading, i) => {
    const name = (heading[1] ?? heading[2] ?? heading[3]).toLowerCase();
    const body = whole
      .slice((heading.index ?? 0) + heading[0].length, headings[i + 1]?.index ?? whole.length)
      .replace(/^[\s:*]+|[\s*#]+$/g, "");
    if (body === "") return;
    if (name.startsWith("image")) reading ??= body;
    else if (name.includes("answer")) answer = body;
    else if (name.startsWith("let")) steps.push(...numbered(body));
    else steps.push(body);
  });
  // Where the heading is missing, the last sentence that states an answer counts.
  answer ??= [...whole.matchAll(/\bfinal answer is:?\s*([^\n]+)/gi)].at(-1)?.[1];
  if (answer === undefined) return null;
  return { ...(reading === undefined ? {} : { reading }), steps, answer: firstLine(answer) };
}

function numbered(body: string): string[] {
  return body.split(NUMBERED).flatMap((step) => (step.trim() === "" ? [] : [step.trim()]));
}

/** An answer is its first line: what some models add below explains it. */
function firstLine(text: string): string {
  return text
    .trim()
    .split("\n")[0]
    .replace(/\s*\*+$/, "")
    .trim();
}
