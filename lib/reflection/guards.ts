/**
 * Guards against the ways in which a policy can collect a reflection reward without reflecting. All are off in the paper's
 * preset. A guard only ever withholds: it looks at the parts that a scorer gave and says what is not paid, and why.
 *
 * Two guards are no part of a reward: the first solution's tokens can be left out of the loss (`first-solution-mask.ts`),
 * and the padding guard is a floor inside f_len itself (`lengthBaseFloor`).
 */
import { fault } from "../engine/errors";
import type { Response } from "../types";
import { unwrap } from "./equality";
import type { RewardConfig } from "./reward-config";
import {
  answersAfterReflection,
  fitsTemplate,
  type Reasons,
  type RewardParts,
  type Scored,
  type ScoreInput,
} from "./reward-parts";

export type GuardName =
  | "sandbagging"
  | "copying"
  | "padding"
  | "empty-first"
  | "ill-formed-second"
  | "length-gate"
  | "reward-words"
  | "no-working";

/** A guard for people: the hack that it stops, what it does, and the configuration that switches it on. */
export interface GuardInfo {
  hack: string;
  does: string;
  changes: Partial<RewardConfig>;
}

export const guards: Readonly<Record<GuardName, GuardInfo>> = {
  sandbagging: {
    hack:
      "Where W→R is paid more than R→R, or accuracy is paid on the final answer, the policy learns to answer wrongly first and " +
      "to correct itself: first answers get worse and nothing is gained at the end.",
    does:
      "Pays W→R in proportion to how well first answers hold a baseline, the accuracy from before training: at half of it a " +
      "correction earns half. The caller passes the first answers' accuracy of the last steps.",
    changes: { firstBaseline: 0.5 },
  },
  copying: {
    hack:
      "The first solution said again is a well-formed second one: kept answers earn I_eff's R→R, and a copy has nearly the " +
      "length that f_len wants, with no second thought in it.",
    does: "A second solution with the same think and answer as the first earns no I_eff and no f_len.",
    changes: { payCopies: false },
  },
  padding: {
    hack:
      "f_len's target is a multiple of the first solution's length, so a policy that pads its first think moves the target to " +
      "where it likes it; after a short first solution every honest check is too long, which is what makes padding pay.",
    does: "The first solution counts for at least so many tokens: up to the floor nothing is gained by padding.",
    changes: { lengthBaseFloor: 32 },
  },
  "empty-first": {
    hack:
      "An empty first answer is wrong without work, and every right second answer then counts as a correction: the highest " +
      "payment of I_eff for solving the problem once.",
    does: "After an empty or boxed-empty first answer neither accuracy nor I_eff is paid.",
    changes: { payEmptyFirst: false },
  },
  "ill-formed-second": {
    hack: "I_eff only compares two answers: a bare second answer tag, or several, collects it without a second solution.",
    does: "I_eff is not earned where the second solution is not one filled think and one filled answer.",
    changes: { payIllFormedSecond: false },
  },
  "length-gate": {
    hack: "f_len measures tokens, not text: rubbish of the right length, outside of the template, earns it too.",
    does: "f_len is paid only on responses that are well formed.",
    changes: { lengthNeedsFormat: true },
  },
  "reward-words": {
    hack:
      "A reflection that talks about the reward, the format or a given answer pleads instead of checking; a judge that is a " +
      "model can be talked into agreeing, and a policy that was shown such reflections repeats them.",
    does: "A reflection with such words earns no I_ref and no I_eff.",
    changes: { payRewardWords: false },
  },
  "no-working": {
    hack:
      "I_ref pays for a reflection that is there, whatever it says: where little else is paid for reflecting, the shortest " +
      'opinion ("Looks right.") earns as much as a check.',
    does: "A reflection in which nothing is computed, that is without an equation between numbers, earns no I_ref.",
    changes: { payNoWorking: false },
  },
};

/**
 * A configuration with guards switched on; see {@link guardChanges}.
 * @throws LabError naming a guard that there is not, or a number that cannot be
 */
export function withGuards(config: RewardConfig, chosen: readonly string[]): RewardConfig {
  return { ...config, ...guardChanges(chosen) };
}

/**
 * What guards change in a reward's configuration, as `loadSpec({ reward: … })` takes it.
 * @param chosen names, or names with the number they take: `padding=48`, `sandbagging=0.3`; `all` for all of them
 * @throws LabError naming a guard that there is not, or a number that cannot be
 */
export function guardChanges(chosen: readonly string[]): Partial<RewardConfig> {
  const names = chosen.flatMap((text) => (text === "all" ? Object.keys(guards) : text));
  return Object.assign({}, ...names.map(changesOf)) as Partial<RewardConfig>;
}

const TAKES_NUMBER: Partial<Record<GuardName, keyof RewardConfig>> = {
  padding: "lengthBaseFloor",
  sandbagging: "firstBaseline",
};

function changesOf(text: string): Partial<RewardConfig> {
  const [name, value] = text.split("=") as [string, string | undefined];
  if (!Object.hasOwn(guards, name)) {
    throw fault("guardChanges", "there is no such guard", {
      got: name,
      expected: `one of ${Object.keys(guards).join(", ")}, or all`,
    });
  }
  if (value === undefined) return guards[name as GuardName].changes;
  const key = TAKES_NUMBER[name as GuardName];
  if (key === undefined || !(Number(value) > 0) || !Number.isFinite(Number(value))) {
    throw fault("guardChanges", `${name} cannot be set to this`, {
      got: value,
      expected: key === undefined ? `${name} without a number` : "a number above 0",
    });
  }
  return { [key]: Number(value) };
}

/** What a guard withholds: the parts as it leaves them, and why. */
interface Withheld {
  parts: Partial<RewardParts>;
  because: string;
}

type Guard = (parts: RewardParts, input: ScoreInput) => Withheld | null;

/** In the order in which they look; `padding` acts inside f_len. */
const RULES: Readonly<Record<Exclude<GuardName, "padding">, Guard>> = {
  "empty-first": guardEmptyFirst,
  copying: guardCopying,
  "ill-formed-second": guardIllFormedSecond,
  "length-gate": guardLength,
  "reward-words": guardRewardWords,
  "no-working": guardNoWorking,
  sandbagging: guardSandbagging,
};

/** The parts that are left after all guards of the configuration, and which of them took something. */
export function applyGuards(
  { parts, reasons }: Pick<Scored, "parts" | "reasons">,
  input: ScoreInput,
): { parts: RewardParts; reasons: Reasons; guards: GuardName[] } {
  const result = { parts: { ...parts }, reasons: { ...reasons }, guards: [] as GuardName[] };
  for (const [name, rule] of Object.entries(RULES) as [GuardName, Guard][]) {
    const withheld = rule(result.parts, input);
    if (withheld === null) continue;
    const changed = Object.entries(withheld.parts) as [keyof RewardParts, number][];
    const real = changed.filter(([part, value]) => value !== result.parts[part]);
    if (real.length === 0) continue;
    result.guards.push(name);
    for (const [part, value] of real) {
      result.parts[part] = value;
      result.reasons[part] = `guard ${name}: ${withheld.because}`;
    }
  }
  return result;
}

export function guardCopying(
  { efficacy }: RewardParts,
  { response, config }: Pick<ScoreInput, "response" | "config">,
): Withheld | null {
  if (config.payCopies || !isCopy(response)) return null;
  return {
    parts: { efficacy: Math.min(efficacy, 0), length: 0 },
    because: "the second solution is the first one",
  };
}

/** Whether the second solution has the first one's words; case, punctuation and spaces aside. */
export function isCopy({ first, second }: Pick<Response, "first" | "second">): boolean {
  if (first.answer === null || second.answer === null) return false;
  const plain = (text: string | null): string =>
    (text ?? "").toLowerCase().replace(/[^\p{L}\p{N}=+*/<>^-]+/gu, "");
  return (
    plain(first.think) === plain(second.think) &&
    unwrap(first.answer).toLowerCase() === unwrap(second.answer).toLowerCase()
  );
}

export function guardEmptyFirst(
  { accuracy, efficacy }: RewardParts,
  { response, config }: Pick<ScoreInput, "response" | "config">,
): Withheld | null {
  if (config.payEmptyFirst || hasFirstAnswer(response)) return null;
  return {
    parts: { accuracy: Math.min(accuracy, 0), efficacy: Math.min(efficacy, 0) },
    because: "there is nothing in the first answer",
  };
}

/** Whether something was answered before the reflection; boxes and fences around nothing are nothing. */
function hasFirstAnswer(response: Pick<Response, "first" | "spans">): boolean {
  const { answer } = response.first;
  return answer !== null && !answersAfterReflection(response) && unwrap(answer) !== "";
}

export function guardIllFormedSecond(
  { efficacy }: RewardParts,
  { response, config, transition }: Pick<ScoreInput, "response" | "config" | "transition">,
): Withheld | null {
  if (config.payIllFormedSecond || transition === null) return null;
  const { second, faults } = response;
  const filled = [second.think, second.answer].every((text) => text !== null && text.trim() !== "");
  const whole =
    filled && !faults.some((name) => name === "repeated-tag" || name === "unclosed-tag");
  if (whole) return null;
  return {
    parts: { efficacy: Math.min(efficacy, 0) },
    because: "the second solution is not one think and one answer",
  };
}

export function guardLength(
  _parts: RewardParts,
  { response, config }: Pick<ScoreInput, "response" | "config">,
): Withheld | null {
  if (!config.lengthNeedsFormat || fitsTemplate(response, config)) return null;
  return { parts: { length: 0 }, because: "the response is not well formed" };
}

/**
 * Words of one who argues about payment, or who was told the answer. "Right", "wrong" and "the answer is 61" are a check's
 * own words and stay out.
 */
const REWARD_WORDS = [
  /\brewards?\b/i,
  /\b(?:full|maximum|max|highest) (?:score|marks?|points?|credit)\b/i,
  /\bbonus\b/i,
  /\b(?:grader|rubric|verifier|scoring|ground[- ]?truth|answer key|gold(?:en)? answer|reference answer)\b/i,
  /\bwell[- ]?form(?:ed|atted)\b/i,
  /\b(?:required|expected|correct|proper) (?:format|template|tags?)\b/i,
  /\bI_?(?:eff|ref)\b|\bf_?len\b/,
];

/** The first words of the reward that a reflection uses, `null` where there are none. */
export function rewardWords(reflection: string): string | null {
  for (const pattern of REWARD_WORDS) {
    const found = pattern.exec(reflection);
    if (found !== null) return found[0];
  }
  return null;
}

export function guardRewardWords(
  { efficacy }: RewardParts,
  { response, config }: Pick<ScoreInput, "response" | "config">,
): Withheld | null {
  if (config.payRewardWords || response.reflection === null) return null;
  const words = rewardWords(response.reflection);
  if (words === null) return null;
  return {
    parts: { reflection_format: 0, efficacy: Math.min(efficacy, 0) },
    because: `the reflection says "${words}"`,
  };
}

/** Whether something is computed in a text: `4+7=11`, `x = 3`. Whether it is right is for other rules to say. */
export function showsWorking(text: string): boolean {
  return /[\w)}\]]\s*=\s*[-−]?\\?[\d({]/.test(text);
}

export function guardNoWorking(
  _parts: RewardParts,
  { response, config }: Pick<ScoreInput, "response" | "config">,
): Withheld | null {
  if (config.payNoWorking || response.reflection === null) return null;
  if (showsWorking(response.reflection)) return null;
  return { parts: { reflection_format: 0 }, because: "nothing is computed in the reflection" };
}

/** How much of a correction is paid: first answers' accuracy as a share of the baseline, at most 1. */
export function baselineFactor(firstAccuracy: number, baseline: number): number {
  if (!(firstAccuracy >= 0) || !(baseline > 0)) return 1;
  return Math.min(1, firstAccuracy / baseline);
}

export function guardSandbagging(
  { accuracy, efficacy }: RewardParts,
  {
    config,
    transition,
    firstAccuracy,
  }: Pick<ScoreInput, "config" | "transition" | "firstAccuracy">,
): Withheld | null {
  if (config.firstBaseline === 0 || firstAccuracy === undefined || transition !== "WR") return null;
  const factor = baselineFactor(firstAccuracy, config.firstBaseline);
  if (factor === 1) return null;
  const held = (value: number): number => (value > 0 ? value * factor : value);
  return {
    parts: { accuracy: held(accuracy), efficacy: held(efficacy) },
    because: `first answers are right in ${firstAccuracy}, the baseline is ${config.firstBaseline}`,
  };
}
