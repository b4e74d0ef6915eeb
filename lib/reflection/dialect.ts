/**
 * The few sentence forms of the embedded policy. The corpus that the base policy is pretrained on and the rule teacher of
 * Stage I share them: a reflection in other words than those of pretraining would have to be learned from nothing.
 */

/** A first think: what was read off the picture, then the working, e.g. `34+27=61.` */
export function firstThink({ reading, working }: { reading: string; working: string }): string {
  return `${reading} ${working}`;
}

/** Whether a first think begins with the right reading, word for word. */
export function readsWhole(think: string, reading: string): boolean {
  return think.trimStart().startsWith(reading);
}

/**
 * A first think that goes column by column, as a careful solver works.
 * @param steps one string a step, e.g. `4+7=11, 3+2+1=6`
 */
export function carefulThink({
  reading,
  steps,
}: {
  reading: string;
  steps: readonly string[];
}): string {
  return firstThink({ reading, working: `${joinSteps(steps)}.` });
}

/** What {@link checkReflection} is told. */
export interface Check {
  /** The right reading, ending in a full stop; only where the first attempt misread the picture. */
  reading?: string;
  steps: readonly string[];
  /** The verdict on the first attempt. It comes after the check: said before, it would be a guess. */
  right: boolean;
}

/** A reflection that computes: `Check: 4+7=11, 3+2+1=6. Wrong.` */
export function checkReflection({ reading, steps, right }: Check): string {
  const again = reading === undefined ? "" : `${reading} `;
  return `Check: ${again}${joinSteps(steps)}. ${right ? "Right." : "Wrong."}`;
}

/** A reflection that only has an opinion: `Looks right.` */
export function vacuousReflection({ right }: { right: boolean }): string {
  return right ? "Looks right." : "Looks wrong.";
}

/** A second think: it only draws the conclusion, the work was done in the reflection. */
export function secondThink(answer: string): string {
  return `So ${answer}.`;
}

/**
 * The verdict with which a reflection ends, `null` where it ends in none (another teacher's words).
 * Read from the end, so that a "right angle" in the middle says nothing; nor does a column "on the right".
 */
export function verdictWord(reflection: string): "right" | "wrong" | null {
  const last = /(?<!\bthe )\b(right|wrong)\.?\s*$/i.exec(reflection);
  return last === null ? null : (last[1].toLowerCase() as "right" | "wrong");
}

/** What a reflection computes, without its heading and its verdict: the inverse of {@link checkReflection}. */
export function checkedSteps(reflection: string): string {
  return reflection
    .replace(/^\s*Check:\s*/, "")
    .replace(/\s*\b(?:right|wrong)\.?\s*$/i, "")
    .trim();
}

function joinSteps(steps: readonly string[]): string {
  return steps.join("; ");
}
