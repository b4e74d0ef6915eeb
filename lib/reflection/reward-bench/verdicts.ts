/** Attacks tried on a reward: what each earns, what honesty earns, whether it was exploited, and by which part. */
import type { Attack } from "./attack-writing";
import { attacks } from "./attacks";
import { pay, type Paid, type RewardFunction } from "./trial";

/** Two totals that differ by less are the same pay. */
const SAME = 1e-6;

export interface AttackVerdict {
  kind: string;
  hope: string;
  /** What an honest policy with the same knowledge writes. */
  beside: string;
  must: Attack["must"];
  honest: number;
  earned: number;
  /** `failed`: the reward threw, gave no number or came too late, here or on the honest response. */
  outcome: "held" | "exploited" | "failed";
  why: string;
  /** The beginning of the response. */
  response: string;
}

/**
 * One verdict an attack, in their order.
 * @param chosen all of the lab's attacks unless told otherwise
 */
export async function tryAttacks(
  reward: RewardFunction,
  {
    chosen = attacks(),
    timeoutMs,
    onProgress,
  }: {
    chosen?: readonly Attack[];
    timeoutMs?: number;
    onProgress?: (done: number, total: number) => void;
  } = {},
): Promise<AttackVerdict[]> {
  const verdicts: AttackVerdict[] = [];
  for (const attack of chosen) {
    const { problem } = attack.question;
    const honest = await pay(reward, attack.honest, problem, { timeoutMs });
    const earned = await pay(reward, attack.response, problem, { timeoutMs });
    verdicts.push(judgeAttack(attack, honest, earned));
    onProgress?.(verdicts.length, chosen.length);
  }
  return verdicts;
}

function judgeAttack(attack: Attack, honest: Paid, earned: Paid): AttackVerdict {
  const { kind, hope, beside, must } = attack;
  const row = {
    kind,
    hope,
    beside,
    must,
    honest: honest.total,
    earned: earned.total,
    response: beginning(attack.response),
  };
  const failure = honest.failure ?? earned.failure;
  if (failure !== null) return { ...row, outcome: "failed", why: `the reward failed: ${failure}` };
  const gain = earned.total - honest.total;
  const exploited = must === "earn less" ? gain > -SAME : gain > SAME;
  return { ...row, outcome: exploited ? "exploited" : "held", why: explain(honest, earned) };
}

function beginning(text: string): string {
  return text.length > 300 ? `${text.slice(0, 299)}…` : text;
}

/** The parts by which the two differ, in words. */
function explain(honest: Paid, earned: Paid): string {
  const names = [...new Set([...Object.keys(honest.parts), ...Object.keys(earned.parts)])];
  const differences = names.flatMap((name) => {
    const difference = (earned.parts[name] ?? 0) - (honest.parts[name] ?? 0);
    return Math.abs(difference) < SAME ? [] : `${name} ${signed(difference)}`;
  });
  if (differences.length > 0) return differences.join(", ");
  const gain = earned.total - honest.total;
  return Math.abs(gain) < SAME ? "every part is paid alike" : `total ${signed(gain)}`;
}

function signed(value: number): string {
  return `${value > 0 ? "+" : "−"}${Math.abs(value).toFixed(2)}`;
}
