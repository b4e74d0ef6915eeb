/** The rule of Qwen2.5-Math's evaluation: the MATH harness's comparison with a relative tolerance of 1e-4. */
import { harnessEqual } from "./harness";

const LETTER = /^[A-E]$/;

/** Whether a bare answer equals the gold one. Never throws. */
export function qwen25Math(gold: string, prediction: string): boolean {
  if (LETTER.test(gold) && lastLetter(prediction) === gold) return true;
  return harnessEqual(gold, prediction, { tolerance: 1e-4, normalise: (text) => text.trim() });
}

/** The last capital A to E that stands alone, as this grader reads a choice. */
function lastLetter(text: string): string | undefined {
  return text
    .slice(-1000)
    .match(/\b[A-E]\b/g)
    ?.at(-1);
}
