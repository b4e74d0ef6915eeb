/**
 * The response template of SRPO (paper, appendix B.4):
 * `<think>…</think><answer>…</answer><reflection>…</reflection><think>…</think><answer>…</answer>`.
 *
 * The parser finds every part that is there and says what is wrong with the rest. It never fails, and it reads the text
 * once: a policy that is rewarded for tags will produce any amount of them.
 */
import { fault } from "../engine/errors";
import type { Fault, Response, Solution, Span } from "../types";

type Tag = "think" | "answer" | "reflection";
type Part = keyof Response["spans"];

/** The order of the template, with the fault that a missing part is. */
const TEMPLATE: readonly { tag: Tag; part: Part; missing: Fault }[] = [
  { tag: "think", part: "firstThink", missing: "no-think" },
  { tag: "answer", part: "firstAnswer", missing: "no-answer" },
  { tag: "reflection", part: "reflection", missing: "no-reflection" },
  { tag: "think", part: "secondThink", missing: "no-second-think" },
  { tag: "answer", part: "secondAnswer", missing: "no-second-answer" },
];

/** What a response can be asked for. */
export interface Asked {
  /** 2: first solution, reflection, second solution; 1: one solution, as plain GRPO asks. */
  solutions: 1 | 2;
  /** Whether there is a reflection between two solutions; `false` is two-step thinking. */
  reflects?: boolean;
}

/** A response that answers once has these faults and no others. */
const SINGLE: readonly Fault[] = ["no-reflection", "no-second-think", "no-second-answer"];

/** One `<tag>…</tag>`; `outer` includes the tags. */
interface Element {
  tag: Tag;
  inner: Span;
  outer: Span;
  closed: boolean;
}

/**
 * Takes a response apart, in time linear in its length.
 *
 * - The first answer closes the first solution: a think after it belongs to the second solution, wherever the
 *   reflection is.
 * - A part without a closing tag ends at the next opening tag or at the end of the text. An answer without one is no
 *   answer (nobody can say where it ends) and stays `null`; a think or a reflection keeps its text.
 * - Parts are the exact text between the tags, spaces included: `text.slice(span.start, span.end) === part`.
 * - A response with one solution has the faults `no-reflection`, `no-second-think` and `no-second-answer`; whether they
 *   count is for {@link isWellFormed} to say.
 *
 * @param options.truncated the token limit cut the text off: adds the fault `truncated`
 */
export function parseResponse(text: string, options: { truncated?: boolean } = {}): Response {
  const { elements, nested } = readElements(text);
  const parts = assignParts(elements);
  const faults = new Set<Fault>();

  for (const { part, missing } of TEMPLATE) if (parts[part] === undefined) faults.add(missing);
  for (const { tag, inner } of Object.values(parts)) {
    if (text.slice(inner.start, inner.end).trim() === "") faults.add(`empty-${tag}`);
  }
  if (nested || !inOrder(elements, parts)) faults.add("wrong-order");
  if (hasRepeats(elements)) faults.add("repeated-tag");
  if (elements.some(({ closed }) => !closed)) faults.add("unclosed-tag");
  for (const where of strayText(text, elements)) faults.add(where);
  if (options.truncated) faults.add("truncated");

  const spans: Response["spans"] = {};
  for (const { part } of TEMPLATE) {
    const found = parts[part];
    if (found !== undefined) spans[part] = found.inner;
  }
  const read = (part: Part): string | null => {
    const span = spans[part];
    return span === undefined ? null : text.slice(span.start, span.end);
  };
  return {
    text,
    first: { think: read("firstThink"), answer: read("firstAnswer") },
    reflection: read("reflection"),
    second: { think: read("secondThink"), answer: read("secondAnswer") },
    spans,
    faults: [...faults],
  };
}

/**
 * True when the response has exactly the parts that were asked for, closed, filled, in order and with nothing but white
 * space between them.
 * @param options.forgive faults to overlook
 */
export function isWellFormed(
  { faults }: Pick<Response, "faults">,
  { solutions, reflects = true, forgive = [] }: Asked & { forgive?: readonly Fault[] },
): boolean {
  const single = SINGLE.every((name) => faults.includes(name));
  const unasked = solutions === 2 && !reflects && !faults.includes("no-reflection");
  return (
    single === (solutions === 1) &&
    !unasked &&
    relevantFaults({ faults }, { solutions, reflects }).every((name) => forgive.includes(name))
  );
}

/** The faults that count for what was asked: of one solution, or of two steps, nobody expects a reflection. */
export function relevantFaults(
  { faults }: Pick<Response, "faults">,
  { solutions, reflects = true }: Asked,
): Fault[] {
  if (solutions === 1) return faults.filter((name) => !SINGLE.includes(name));
  return reflects ? faults : faults.filter((name) => name !== "no-reflection");
}

/** One solution as text, absent parts left out. @throws LabError when a part holds a tag of the template */
export function renderSolution({ think, answer }: Solution): string {
  return element("think", think) + element("answer", answer);
}

/**
 * The inverse of {@link parseResponse}: parts as text, absent parts left out.
 * @param separator what stands between the parts; only white space is well formed
 * @throws LabError when a part holds a tag of the template, which would not be read back
 */
export function renderResponse(
  { first, reflection, second }: Pick<Response, "first" | "reflection" | "second">,
  { separator = "" }: { separator?: string } = {},
): string {
  return [
    element("think", first.think),
    element("answer", first.answer),
    element("reflection", reflection),
    element("think", second.think),
    element("answer", second.answer),
  ]
    .filter((part) => part !== "")
    .join(separator);
}

function element(tag: Tag, inner: string | null): string {
  if (inner === null) return "";
  const found = tagPattern().exec(inner);
  if (found !== null) {
    throw fault("renderResponse", `the text of <${tag}> holds a tag of the template`, {
      got: found[0],
      expected: "text without think, answer and reflection tags",
    });
  }
  return `<${tag}>${inner}</${tag}>`;
}

/** A fresh pattern each time: a global one keeps its position between calls. */
function tagPattern(): RegExp {
  return /<(\/?)(think|answer|reflection)>/g;
}

/** Reads the elements in one pass. `nested`: a closing tag stands inside another element or closes nothing. */
function readElements(text: string): { elements: Element[]; nested: boolean } {
  const elements: Element[] = [];
  let nested = false;
  let open: { tag: Tag; start: number; inner: number } | null = null;
  const close = (innerEnd: number, outerEnd: number, closed: boolean): void => {
    if (open === null) return;
    elements.push({
      tag: open.tag,
      inner: { start: open.inner, end: innerEnd },
      outer: { start: open.start, end: outerEnd },
      closed,
    });
    open = null;
  };

  const tags = tagPattern();
  for (let found = tags.exec(text); found !== null; found = tags.exec(text)) {
    const tag = found[2] as Tag;
    const [start, end] = [found.index, found.index + found[0].length];
    if (found[1] === "") {
      close(start, start, false);
      open = { tag, start, inner: end };
    } else if ((open as { tag: Tag } | null)?.tag === tag) {
      close(start, end, true);
    } else {
      nested = true;
    }
  }
  close(text.length, text.length, false);
  return { elements, nested };
}

function assignParts(elements: readonly Element[]): Partial<Record<Part, Element>> {
  const answers = elements.filter(({ tag, closed }) => tag === "answer" && closed);
  const thinks = elements.filter(({ tag }) => tag === "think");
  const reflection = elements.find(({ tag }) => tag === "reflection");
  const [firstAnswer, secondAnswer] = answers;
  // Without an answer the reflection is the border between the two solutions.
  const border = (firstAnswer ?? reflection)?.outer.start ?? Infinity;
  const parts = {
    firstThink: thinks.find(({ outer }) => outer.start < border),
    firstAnswer,
    reflection,
    secondThink: thinks.find(({ outer }) => outer.start > border),
    secondAnswer,
  };
  return Object.fromEntries(Object.entries(parts).filter(([, found]) => found !== undefined));
}

/** More elements of a kind than the template has. */
function hasRepeats(elements: readonly Element[]): boolean {
  const left: Record<Tag, number> = { think: 2, answer: 2, reflection: 1 };
  return elements.some(({ tag }) => --left[tag] < 0);
}

/** The parts follow each other as in the template (some may lack), and no closed element is left over. */
function inOrder(elements: readonly Element[], parts: Partial<Record<Part, Element>>): boolean {
  const starts = TEMPLATE.flatMap(({ part }) => parts[part]?.outer.start ?? []);
  const used = new Set(Object.values(parts));
  const leftOver = elements.some((item) => item.closed && !used.has(item));
  const repeats = hasRepeats(elements);
  return starts.every((start, i) => i === 0 || start > starts[i - 1]) && (repeats || !leftOver);
}

function strayText(text: string, elements: readonly Element[]): Fault[] {
  if (elements.length === 0) return text.trim() === "" ? [] : ["text-before"];
  const faults: Fault[] = [];
  let end = 0;
  for (const [index, { outer }] of elements.entries()) {
    if (text.slice(end, outer.start).trim() !== "") {
      faults.push(index === 0 ? "text-before" : "text-between");
    }
    end = outer.end;
  }
  if (text.slice(end).trim() !== "") faults.push("text-after");
  return faults;
}
