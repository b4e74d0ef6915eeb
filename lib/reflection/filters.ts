/** Stage I, the filters: a reflection that gives the answer away, or that leads elsewhere, teaches the wrong thing. */
import type { ReflectionSample } from "../types";
import { verdictWord } from "./dialect";
import { judge } from "./equality";
import { leakOf } from "./leaks";
import { isStock } from "./stock-phrases";
import { renderResponse } from "./template";

/** How long the parts may be, in words `[least, most]`. */
export interface LengthBounds {
  reflection: readonly [number, number];
  secondThink: readonly [number, number];
}

/** What a model's sentences need at least; the embedded teacher writes a formula or two. */
export const modelBounds: LengthBounds = { reflection: [8, 250], secondThink: [4, 600] };
export const anyLength: LengthBounds = { reflection: [1, 1000], secondThink: [1, 2000] };

/** Every filter in the order in which it is looked at, by what it drops; the data card lists them. */
export const filterDescriptions: readonly string[] = [
  "a part that is empty, or holds a tag of the template or the mark of a picture",
  "a reflection that speaks of a given answer or names the gold answer, unless question or attempt name it",
  "a reflection on a wrong attempt that names no flaw, or one in a passage that the attempt does not have",
  "a reflection whose verdict or stated answer contradicts the gold answer",
  "a second answer that is not the gold answer by the lab's equality",
  "a reflection or second reasoning that is too short or too long",
  "a reflection of stock phrases, and near-duplicates of other reflections beyond a few",
];

/** Why a sample is not taken, in words that its teacher can be told; `null` where nothing speaks against it. */
export function rejectionOf(sample: ReflectionSample, bounds: LengthBounds): string | null {
  const { reflection, problem, attempt, second } = sample;
  const leak = leakOf(reflection, problem, attempt.text);
  return (
    formFaultOf(sample) ??
    (leak === null ? null : `the reflection ${leak}`) ??
    missingFlawOf(sample) ??
    contradictionOf(sample) ??
    (judge(second.answer, problem).correct ? null : "the second answer is not the gold answer") ??
    lengthFaultOf("reflection", reflection, bounds.reflection) ??
    lengthFaultOf("second reasoning", second.think, bounds.secondThink) ??
    (isStock(reflection) ? "the reflection is a stock phrase that fits any problem" : null)
  );
}

function formFaultOf({ attempt, reflection, second }: ReflectionSample): string | null {
  if ([reflection, second.think, second.answer].some((part) => part.trim() === "")) {
    return "a part is empty";
  }
  let text: string;
  try {
    text = renderResponse({ first: attempt, reflection, second });
  } catch {
    return "a part holds a tag of the template";
  }
  // Trainers count these in all messages and look for as many files.
  return /<(?:image|video|audio)>/.test(text) ? "a part holds the mark of a picture" : null;
}

/** Words of one who has found something wrong. */
const FLAW =
  /\b(?:wrong\w*|incorrect\w*|errors?|erroneous\w*|mistak\w+|flaw\w*|slip\w*|faulty?|miss(?:es|ed|ing)\b|misread\w*|mis(?:count|identif|interpret|understo|calculat|us|tak|appl|plac|match|judg|label|quot)\w*|overlook\w*|overcount\w*|ignor\w+|forg[eo]t\w*|omit\w*|neglect\w*|confus\w+|mix(?:es|ed) up|swap(?:s|ped)|los(?:e|es|t|ing)|took (?:\w+ ){1,3}for|dropped|left out|twice|should(?: not|n't| have| be\b)|instead|rather than|fail(?:s|ed)?|inconsisten\w+|contradict\w*|invalid|unjustified|never|only looked|guess\w*|jump(?:s|ed)|assum(?:es|ed)|not (?:the|what|justified|shown|true|valid|right|correct)|cannot be|does ?n[o']t|did ?n[o']t|is ?n[o']t|was ?n[o']t|skipp\w+|too (?:low|high|large|small|many|few|much|little|early|late))/i;

/** "No mistake", "nothing wrong": such words name no flaw. */
const NO_FLAW =
  /\b(?:no|without(?: any)?|not? (?:find|see|spot|notice|contain|have) any|free of|nothing(?: is| was)?|none of (?:the|my) \w+ (?:is|are|has|have)|neither)\s+(?:\w+ ){0,2}?(?:wrong|incorrect|errors?|mistakes?|flaws?|slips?|faults?|missing|inconsistenc\w+|contradictions?)\b/gi;

/** Why the reflection on a wrong attempt teaches nothing of what was wrong with it. */
function missingFlawOf({ verdict, reflection, flaw, attempt }: ReflectionSample): string | null {
  if (verdict.correct) return null;
  if (!FLAW.test(reflection.replace(NO_FLAW, "")) && verdictWord(reflection) !== "right") {
    return "the reflection names no flaw of the wrong first solution";
  }
  if (flaw === undefined) return null;
  const quote = squeezed(flaw.quote);
  return quote === "" || !squeezed(`${attempt.think} ${attempt.answer}`).includes(quote)
    ? "the quoted passage does not stand in the first solution"
    : null;
}

/** Letters and digits alone: models quote with other spaces, quotes and dollar signs. */
const squeezed = (text: string): string =>
  text.toLowerCase().replace(/[^\p{L}\p{N}+\-*/=<>.]/gu, "");

const CALLS_RIGHT =
  /\b(?:(?:first|my|this|the) )*(?:solution|reasoning|answer|result)(?: given| above)? (?:is|was|seems|looks) (?:indeed |entirely |completely |fully |all |already )?(?:correct|right|sound|accurate|valid)\b(?!,? (?:but|except|however|until|up to|only|as far as|in (?:its|the)|for the))/gi;
const CALLS_WRONG =
  /\b(?:(?:first|my|this|the) )*(?:final )?(?:solution|answer|result) (?:is|was|seems|looks) (?:indeed |entirely |completely )?(?:incorrect|wrong|mistaken)\b/gi;
/** A writer who has done nothing wrong says none of these of himself. */
const ADMITS =
  /\bI (?:had |have )?(?:(?:made|make|committed) (?:a|an|the|one|some) (?:\w+ )?(?:mistakes?|errors?|slips?)|forgot|misread|overlooked|miscounted|miscalculated|neglected|mixed up)\b(?! (?:nothing|none|no)\b)/gi;
/** A number or a choice's letter that is said to be the answer. */
const STATES =
  /\b(?:the|final|my) (?:final )?answer (is|becomes|must be|should be) ([-$]?\d[^\s;,]*|\(?[A-Z]\)?(?![\w']))(?! (?:times|more|less|fewer|steps?|digits?|decimals?|places)\b)/gi;

/** What stands before a claim that is only considered ("whether the result is right"), or is about a part of the solution. */
const NOT_CLAIMED =
  /\b(?:if|whether|unless|until|before|assum\w+|believ\w+|thought|suppos\w+|sure|convinced|seemed|as though|not)\b[^.;!?]*$|\b(?:part|step|half|idea|beginning|start|structure|form|line|setup|middle|rest)s? (?:of|in) $/i;

/** The matches of a pattern that the reflection claims. */
const claims = (reflection: string, pattern: RegExp): RegExpMatchArray[] =>
  [...reflection.matchAll(pattern)].filter(
    ({ index = 0 }) => !NOT_CLAIMED.test(reflection.slice(0, index)),
  );

/** Why a reflection contradicts the gold answer: it takes the attempt for what it is not, or states another answer. */
function contradictionOf({
  problem,
  attempt,
  verdict,
  reflection,
}: ReflectionSample): string | null {
  const said = verdictWord(reflection);
  const others = verdict.correct ? [CALLS_WRONG, ADMITS] : [CALLS_RIGHT];
  const otherwise = others.some((pattern) => claims(reflection, pattern).length > 0);
  if ((said !== null && (said === "right") !== verdict.correct) || otherwise) {
    return "the reflection's verdict is not the judge's";
  }
  for (const [, verb, stated] of claims(reflection, STATES)) {
    // "My answer is 51" reports; "it must be 51" repeats the mistake.
    const own = verb === "is" && judge(stated, { ...problem, answer: attempt.answer }).correct;
    if (!own && !judge(stated, problem).correct) {
      return "the reflection states another answer than the gold one";
    }
  }
  return null;
}

function lengthFaultOf(
  part: string,
  text: string,
  [least, most]: readonly [number, number],
): string | null {
  const words = text.trim().split(/\s+/).length;
  if (words >= least && words <= most) return null;
  return `the ${part} is too ${words < least ? "short" : "long"} (${least} to ${most} words are wanted)`;
}
