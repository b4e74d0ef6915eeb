/** The chain of a scene, computed exactly and written out column by column. */
import type { Scene, Term } from "./family";

type Operation = Term["op"];

/** One step of a chain: `left op right = result`. */
export interface Step {
  op: Operation;
  left: number;
  right: number;
  result: number;
}

/** The exact steps of a chain over `values`; a chain of one term has none. */
export function chainSteps(chain: readonly Term[], values: readonly number[]): Step[] {
  const valueOf = (term: Term): number =>
    term.operand === null ? (term.constant ?? 0) : values[term.operand];
  let left = valueOf(chain[0]);
  return chain.slice(1).map((term) => {
    const right = valueOf(term);
    const step = { op: term.op, left, right, result: apply(term.op, left, right) };
    left = step.result;
    return step;
  });
}

/** The gold answer of a scene. */
export function answerOf(scene: Pick<Scene, "chain" | "values">): number {
  const steps = chainSteps(scene.chain, scene.values);
  const first = scene.chain[0];
  if (steps.length > 0) return steps[steps.length - 1].result;
  return first.operand === null ? (first.constant ?? 0) : scene.values[first.operand];
}

export function apply(op: Operation, left: number, right: number): number {
  return op === "+" ? left + right : op === "-" ? left - right : left * right;
}

/**
 * One step, column by column, as a careful solver writes it: the ones, then everything above the ones with what was
 * carried or borrowed. `34+27` is `4+7=11, 3+2+1=6`; `61-27` is `11-7=4, 5-2=3`; `34*6` is `4*6=24, 3*6+2=20`.
 * The result's last digit is the last digit of the first column, the digits above it are the second column.
 */
export function columns({ op, left, right, result }: Step): string {
  const [ones, rest] = [left % 10, Math.floor(left / 10)];
  if (op === "*") {
    const [many, few] = left >= right ? [left, right] : [right, left];
    if (many < 10) return `${many}*${few}=${result}`;
    if (few >= 10) return `${many}*${few}=${result}`;
    const carry = Math.floor(((many % 10) * few) / 10);
    const tens = Math.floor(many / 10);
    return `${many % 10}*${few}=${(many % 10) * few}, ${tens}*${few}${carry ? `+${carry}` : ""}=${tens * few + carry}`;
  }
  const [onesRight, restRight] = [right % 10, Math.floor(right / 10)];
  if (rest === 0 && restRight === 0) return `${left}${op}${right}=${result}`;
  if (op === "+") {
    const carry = ones + onesRight >= 10;
    return `${ones}+${onesRight}=${ones + onesRight}, ${rest}+${restRight}${carry ? "+1" : ""}=${Math.floor(result / 10)}`;
  }
  const borrow = ones < onesRight ? 1 : 0;
  return `${ones + 10 * borrow}-${onesRight}=${ones + 10 * borrow - onesRight}, ${rest - borrow}-${restRight}=${Math.floor(result / 10)}`;
}

/**
 * The step as a hasty solver leaps over it: the carry or the borrow forgotten. Equal to the exact result where there
 * is nothing to carry.
 */
export function slip({ op, left, right, result }: Step): number {
  if (op === "+") return (left % 10) + (right % 10) >= 10 && result >= 20 ? result - 10 : result;
  if (op === "-") return left % 10 < right % 10 && result >= 0 && left >= 20 ? result + 10 : result;
  const [many, few] = left >= right ? [left, right] : [right, left];
  if (many < 10 || few >= 10) return result;
  return result - 10 * Math.floor(((many % 10) * few) / 10);
}
