import assert from "node:assert/strict";
import { createRandom } from "../../lib/engine/random";
import { selectAttempts, type Attempt, type Selection } from "../../lib/reflection/selection";
import type { Problem } from "../../lib/types";
import { rightAttempt, sums, wrongAttempt } from "./stage-one";

/** `count` problems over four families of very different sizes, `right` of a hundred answered rightly. */
function offer(count: number, right: number): Attempt[] {
  const random = createRandom("offer");
  return Array.from({ length: count }, (_, i) => {
    const family = random.weighted({ bars: 70, table: 20, angle: 8, clock: 2 });
    const problem: Problem = { ...sums, id: `p${i}`, family };
    return random.chance(right / 100) ? rightAttempt(problem) : wrongAttempt(problem);
  });
}

function count(attempts: readonly Attempt[], test: (attempt: Attempt) => boolean): number {
  return attempts.filter(test).length;
}

/** Every attempt offered is either selected or in one row of the table. */
function checkBooks(attempts: readonly Attempt[], { selected, dropped }: Selection): void {
  for (const right of [true, false]) {
    const fell = dropped.reduce((sum, row) => sum + row[right ? "right" : "wrong"], 0);
    const is = ({ verdict }: Attempt): boolean => verdict.correct === right;
    assert.equal(count(selected, is) + fell, count(attempts, is));
  }
}

describe("reflection/selection", () => {
  it("keeps 30 % right and 70 % wrong", () => {
    const attempts = offer(1000, 45);
    const selection = selectAttempts({ attempts, size: 200, seed: 1 });
    assert.equal(selection.selected.length, 200);
    assert.equal(
      count(selection.selected, ({ verdict }) => verdict.correct),
      60,
    );
    checkBooks(attempts, selection);
  });

  it("keeps the share and fewer attempts where one kind runs out", () => {
    const attempts = [...offer(200, 100).slice(0, 12), ...offer(400, 0).slice(12)];
    const scarce = selectAttempts({ attempts, size: 300, seed: 1 });
    assert.equal(
      count(scarce.selected, ({ verdict }) => verdict.correct),
      12,
    );
    assert.equal(scarce.selected.length, 40);
    checkBooks(attempts, scarce);
    assert.equal(selectAttempts({ attempts: offer(50, 0), size: 20, seed: 1 }).selected.length, 0);
    const onlyWrong = selectAttempts({ attempts: offer(50, 0), size: 20, seed: 1, rightShare: 0 });
    assert.equal(onlyWrong.selected.length, 20);
    assert.deepEqual(selectAttempts({ attempts: [], size: 20, seed: 1 }), {
      selected: [],
      reserve: { right: [], wrong: [] },
      dropped: [],
    });
  });

  it("spreads over the families: none has more than one above another that is not used up", () => {
    const attempts = offer(1000, 45);
    const { selected } = selectAttempts({ attempts, size: 100, seed: 1 });
    for (const right of [true, false]) {
      const of = (list: readonly Attempt[], family: string): number =>
        count(list, (a) => a.problem.family === family && a.verdict.correct === right);
      const families = ["bars", "table", "angle", "clock"];
      const most = Math.max(...families.map((family) => of(selected, family)));
      for (const family of families) {
        const kept = of(selected, family);
        assert.ok(
          kept >= most - 1 || kept === of(attempts, family),
          `${family}: ${kept} of ${most}`,
        );
      }
    }
  });

  it("depends on the seed and on nothing else", () => {
    const attempts = offer(300, 45);
    const ids = (seed: number, list: readonly Attempt[]): string[] =>
      selectAttempts({ attempts: list, size: 50, seed }).selected.map(({ problem }) => problem.id);
    assert.deepEqual(ids(1, attempts), ids(1, attempts));
    assert.deepEqual(ids(1, attempts), ids(1, createRandom(9).shuffle(attempts)));
    assert.notDeepEqual(ids(1, attempts), ids(2, attempts));
  });

  it("takes one attempt a problem and says why the others fell away", () => {
    const broken = (text: string, truncated = false): Attempt => ({
      ...wrongAttempt({ ...sums, id: text }),
      text,
      truncated,
    });
    const attempts = [
      ...["a", "b"].flatMap((id) =>
        [0, 1, 2].map((n) => {
          const attempt = (id === "a" ? rightAttempt : wrongAttempt)({ ...sums, id });
          return { ...attempt, text: attempt.text + " ".repeat(n) };
        }),
      ),
      broken("61"),
      broken("<think>t</think>"),
      broken("<answer>61</answer>"),
      broken("<think> </think><answer>61</answer>"),
      broken("<think>t</think><answer>61"),
      broken("<think>t</think><answer>61</answer>", true),
    ];
    const selection = selectAttempts({ attempts, size: 2, rightShare: 0.5, seed: 1 });
    assert.equal(selection.selected.length, 2);
    checkBooks(attempts, selection);
    assert.deepEqual(
      Object.fromEntries(
        selection.dropped.map(({ reason, right, wrong }) => [reason, [right, wrong]]),
      ),
      {
        "no reasoning": [0, 3],
        "no answer": [0, 2],
        truncated: [0, 1],
        "another attempt at the problem": [2, 2],
      },
    );
  });

  it("leaves out what a judge has scored too low, or not at all, where that is asked", () => {
    const attempts = offer(90, 50).map((attempt, i) =>
      i % 3 === 2
        ? attempt
        : { ...attempt, quality: { score: i % 3 === 0 ? 4 : 2, comment: "c", judge: "j" } },
    );
    const strict = selectAttempts({ attempts, size: 1000, seed: 1, minQuality: 3 });
    assert.ok(strict.selected.every(({ quality }) => quality?.score === 4));
    checkBooks(attempts, strict);
    const reasons = new Map(strict.dropped.map((row) => [row.reason, row.right + row.wrong]));
    assert.deepEqual(
      [reasons.get("reasoning scored below 3"), reasons.get("reasoning not scored")],
      [30, 30],
    );
    const plain = selectAttempts({ attempts, size: 1000, seed: 1 });
    assert.ok(plain.selected.some(({ quality }) => quality?.score === 2));
  });

  it("spreads over sources and subjects as well, and holds the rest ready in order", () => {
    const attempts = offer(400, 0).map((attempt, i) => ({
      ...attempt,
      problem: {
        ...{ ...attempt.problem, family: "records" },
        ...{ source: i % 20 === 0 ? "rare" : "common", subject: i % 40 === 0 ? "one" : "two" },
      },
    }));
    const few = selectAttempts({ attempts, size: 30, rightShare: 0, seed: 1 });
    const of = (source: string, subject: string): number =>
      count(
        few.selected,
        ({ problem }) => problem.source === source && problem.subject === subject,
      );
    assert.deepEqual([of("rare", "one"), of("rare", "two"), of("common", "two")], [10, 10, 10]);
    const more = selectAttempts({ attempts, size: 33, rightShare: 0, seed: 1 });
    const next = new Set([...few.selected, ...few.reserve.wrong.slice(0, 3)]);
    assert.deepEqual(new Set(more.selected), next);
  });
});
