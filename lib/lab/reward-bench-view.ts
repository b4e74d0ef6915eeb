/** A reward bench report as rows for tables and as a figure. */
import type { BenchReport, Boundary } from "../reflection/reward-bench/bench";
import type { Figure } from "./chart";
import type { Row } from "./tables";

/** Totals: a row a form and length, a column a transition. Responses with one solution stand in the last row. */
export function truthTableRows({ truthTable }: Pick<BenchReport, "truthTable">): Row[] {
  const rows = new Map<string, Record<string, unknown>>();
  for (const { form, length, transition, total } of truthTable) {
    const key = `${form}/${length}`;
    const row = rows.get(key) ?? { form, length: length === form ? "" : length };
    // One solution is right or wrong: it has the columns of those that stay so.
    row[transition.length === 1 ? transition + transition : transition] = total;
    rows.set(key, row);
  }
  return [...rows.values()];
}

/** One row an attack: what honesty and the attack earn, the outcome and why; those that pay first. */
export function attackRows({ attacks }: Pick<BenchReport, "attacks">): Row[] {
  const order = { exploited: 0, failed: 1, held: 2 };
  return [...attacks]
    .sort((a, b) => order[a.outcome] - order[b.outcome])
    .map(({ outcome, kind, honest, earned, must, why, hope }) => ({
      ...{ outcome, attack: kind, honest, earned, must, why },
      "what it hopes for": hope,
    }));
}

/** One row a response of the bench's groups: its reward, its advantage, and its advantage without each part. */
export function advantageRows({ advantages }: Pick<BenchReport, "advantages">): Row[] {
  return advantages.map(({ group, response, total, advantage, without }) => ({
    ...{ group, response, reward: total, advantage },
    ...Object.fromEntries(
      Object.entries(without).map(([part, value]) => [`without ${part}`, value]),
    ),
  }));
}

/** Which policy is paid best: a row an a, a column an r, for one length of the first solution. */
export function bestPolicyRows({ policies }: Pick<BenchReport, "policies">, first: number): Row[] {
  const cells = policies.filter((cell) => cell.first === first);
  return [...new Set(cells.map(({ a }) => a))].map((a) => ({
    "a \\ r": a.toFixed(1),
    ...Object.fromEntries(
      cells.filter((cell) => cell.a === a).map(({ r, best }) => [`r ${r.toFixed(1)}`, best]),
    ),
  }));
}

/** The findings as rows, those that speak against the reward first. */
export function findingRows({ findings }: Pick<BenchReport, "findings">): Row[] {
  return [...findings]
    .sort((a, b) => Number(b.bad) - Number(a.bad))
    .map(({ bad, about, text }) => ({ "": bad ? "✗" : "✓", about, finding: text }));
}

/**
 * How good the second look must be before an honest check is paid more than another policy: a curve for each length of the
 * first solution. Where a curve ends no second look is good enough.
 */
export function boundaryFigure(
  { name, boundaries }: Pick<BenchReport, "name" | "boundaries">,
  other: Boundary["other"] = "vacuous",
): Figure {
  const rows = boundaries.filter((row) => row.other === other);
  const firsts = [...new Set(rows.map(({ first }) => first))];
  const diagonal = [...new Set(rows.map(({ a }) => a))];
  return {
    title: `${name}: how good a second look must be to beat "${other}"`,
    subtitle: `computed, not sampled; a real check of ${rows[0]?.check ?? 0} tokens`,
    x: { title: "accuracy of the first answer, a", format: "percent", min: 0, max: 1 },
    y: { title: "least accuracy of the second look, r", format: "percent", min: 0, max: 1 },
    lines: [
      ...firsts.map((first) => {
        const curve = rows.filter((row) => row.first === first);
        return {
          name: `first solution of ${first} tokens`,
          x: curve.map(({ a }) => a),
          y: curve.map(({ leastR }) => leastR ?? NaN),
        };
      }),
      { name: "r = a", x: diagonal, y: diagonal, dash: true, colour: "#555555" },
    ],
  };
}
