/** The rule of NeMo-Skills' `math_equal`: bare answers without units and signs as text, else as math-verify compares. */
import { mathVerify } from "./math-verify";
import { MAX_FORMULA, tidyLatex, withoutUnits } from "./notation";

/** A letter alone is a choice and not a variable: `E` is not `e`, nor `2E`. */
const CHOICE = /^[A-Z]$/;

/** Whether a bare answer equals the gold one; the same with the two exchanged. Never throws. */
export function nemoSkills(gold: string, prediction: string): boolean {
  if (gold.length > MAX_FORMULA || prediction.length > MAX_FORMULA) return false;
  const [wanted, given] = [normalise(gold), normalise(prediction)];
  if (wanted === "" || given === "") return false;
  if (wanted === given) return true;
  if (CHOICE.test(wanted) || CHOICE.test(given)) return false;
  return verify(wanted, given) || verify(given, wanted);
}

function verify(gold: string, prediction: string): boolean {
  return mathVerify(`$${gold}$`, `$${prediction}$`, { matchTypes: ["latex"] });
}

function normalise(answer: string): string {
  const text = withoutUnits(tidyLatex(answer))
    .replace(/\\?%/g, "")
    .replace(/\^\{?\s*\\circ\s*\}?/g, "")
    .replace(/\\+$/, "")
    .trim();
  return text.replace(/^\\text\s*\{\s*\(?([^{}()]*)\)?\s*\}$/, "$1").replace(/^\(([A-Z])\)$/, "$1");
}
