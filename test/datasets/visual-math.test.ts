import assert from "node:assert/strict";
import { chainSteps } from "../../datasets/visual-math/arithmetic";
import { families, familyByName } from "../../datasets/visual-math/index";
import {
  createItem,
  generateItems,
  generateOod,
  splitOf,
  SPLITS,
  type SplitName,
  type VisualMathItem,
} from "../../datasets/visual-math/problems";
import { everyLevel, numbersIn } from "./every-level";

const SPLIT_NAMES = Object.keys(SPLITS) as SplitName[];

const keyOf = ({ scene, problem }: VisualMathItem): string => scene.content + problem.family;
const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);

/** What a reader who knows the subject answers, from the question's and the reading's words alone. */
function solve({ problem: { family, question, reading = "" } }: VisualMathItem): number {
  const read = numbersIn(reading);
  const pulls = (side: string): number =>
    sum(
      reading
        .toLowerCase()
        .split(/ and (?=on)/)
        .filter((clause) => clause.includes(side))
        .flatMap(numbersIn),
    );
  switch (family) {
    case "scale":
    case "forces":
      return Math.abs(pulls("right") - pulls("left"));
    case "pie":
      return 100 - sum(read.slice(0, -1));
    case "triangle":
      return question.includes("angle ") && !question.includes("sides") && read.length === 2
        ? 180 - sum(read)
        : sum(read);
    case "rectangle":
      if (/perimeter|way around/.test(question)) return 2 * sum(read);
      return read[0] * read[1] - (read[2] ?? 0);
    case "motion":
      return question.includes("ahead") ? read[2] * (read[0] - read[1]) : read[0] * read[1];
    case "clock":
      return question.includes("was") || question.startsWith("How many")
        ? read[0] - read[1]
        : read[0] + read[1];
    case "counting":
      if (question.includes("bag")) return read[0] * read[1] + read[2];
  }
  if (/\bminus\b|difference|more|higher|longer/.test(question))
    return sum(read) - 2 * read[read.length - 1];
  return sum(read);
}

describe("visual-math", function () {
  this.timeout(60_000);

  describe("problems", () => {
    const items = everyLevel(60);

    it("have the answer that their words lead to", () => {
      for (const item of items) {
        const { id, question, reading, answer } = item.problem;
        assert.equal(Number(answer), solve(item), `${id}: ${question} ${reading}`);
      }
    });

    it("read the values in the chain's order and nothing else but known constants", () => {
      for (const { scene, problem } of items) {
        const constants = problem.family === "pie" ? [100] : [];
        const read = numbersIn(problem.reading ?? "");
        assert.deepEqual(
          read.slice().sort((a, b) => a - b),
          [...scene.values, ...constants].sort((a, b) => a - b),
          problem.id,
        );
        assert.match(problem.reading ?? "", /^[A-Z][A-Za-z0-9, ]*\.$/, problem.id);
        assert.doesNotMatch(problem.reading ?? "", / {2}/, problem.id);
        const operands = scene.chain
          .map((term) => term.operand)
          .filter((operand) => operand !== null);
        assert.deepEqual(
          operands,
          scene.values.map((_, i) => i),
          problem.id,
        );
      }
    });

    it("say another value where another value is read", () => {
      for (const { scene, problem } of items) {
        scene.values.forEach((_, i) => {
          const misread = scene.values.map((value, j) => (i === j ? 123 : value));
          assert.ok(
            numbersIn(scene.read(misread)).includes(123),
            `${problem.id}: ${scene.read(misread)}`,
          );
        });
      }
    });

    it("stay between 0 and 250 at every step", () => {
      for (const { scene, problem } of items) {
        for (const { result } of chainSteps(scene.chain, scene.values)) {
          assert.ok(
            Number.isInteger(result) && result >= 0 && result <= 250,
            `${problem.id}: ${result}`,
          );
        }
      }
    });

    it("write steps whose columns hold", () => {
      for (const { problem } of items) {
        for (const equation of (problem.steps ?? []).flatMap((step) => step.split(", "))) {
          const [, left, right] = equation.match(/^([\d+*-]+)=(\d+)$/) ?? [];
          const value = (left ?? "").split(/(?=[+-])/).reduce(
            (total, term) =>
              total +
              term
                .split("*")
                .map(Number)
                .reduce((a, b) => a * b),
            0,
          );
          assert.equal(value, Number(right), `${problem.id}: ${equation}`);
        }
      }
    });

    it("ask in at most 14 plain words, without giving numbers away", () => {
      for (const { problem, scene } of items) {
        assert.ok(problem.question.split(" ").length <= 14, problem.question);
        assert.match(problem.question, /^[A-Z][A-Za-z0-9, ]*\?$/);
        const told = numbersIn(problem.question);
        assert.ok(
          told.length === 0 || (problem.family === "pie" && told[0] === 100),
          problem.question,
        );
        assert.ok(scene.values.length > 0);
      }
    });

    it("share a small vocabulary that held-out families do not widen", () => {
      const words = (held: boolean): Set<string> =>
        new Set(
          everyLevel(300)
            .filter(
              ({ problem }) =>
                familyByName(problem.family).heldOut.includes(problem.level) === held,
            )
            .flatMap(({ problem }) => `${problem.question} ${problem.reading}`.split(/[ ,.?]+/))
            .filter((word) => word !== "" && !/^\d+$/.test(word)),
        );
      const [known, outside] = [words(false), words(true)];
      assert.ok(known.size <= 250, `${known.size} words`);
      assert.deepEqual(
        [...outside].filter((word) => !known.has(word)),
        [],
      );
    });

    it("carry or borrow in about half of the two-digit sums and differences", () => {
      for (const { name, levels } of families) {
        if (!levels.includes(2)) continue;
        const firsts = Array.from({ length: 300 }, (_, seed) =>
          createItem({ family: name, level: 2, seed }),
        )
          .flatMap(({ scene }) => chainSteps(scene.chain, scene.values).slice(0, 1))
          .filter(({ op, left, right }) => op !== "*" && left <= 99 && right <= 99);
        if (firsts.length < 100) continue;
        const hard = firsts.filter(({ op, left, right }) =>
          op === "+" ? (left % 10) + (right % 10) > 9 : left % 10 < right % 10,
        );
        const share = hard.length / firsts.length;
        assert.ok(share > 0.3 && share < 0.7, `${name}: ${share}`);
      }
    });

    it("refuse a level that a family does not have", () => {
      assert.throws(() => createItem({ family: "bars", level: 9, seed: 1 }), /bars.*9.*1, 2, 3/);
      assert.throws(() => createItem({ family: "bar", level: 1, seed: 1 }), /"bar".*bars/);
    });
  });

  describe("sets", () => {
    const sets = new Map(
      SPLIT_NAMES.map((split) => [split, generateItems({ split, count: 1500, seed: "sets" })]),
    );

    it("share no content with each other, whatever the seeds", () => {
      const owner = new Map<string, string>();
      for (const split of SPLIT_NAMES) {
        const more = generateItems({
          split,
          count: 500,
          seed: `other ${split}`,
          allowRepeats: true,
        });
        for (const item of [...(sets.get(split) ?? []), ...more]) {
          const key = keyOf(item);
          assert.equal(owner.get(key) ?? split, split, key);
          owner.set(key, split);
        }
      }
    });

    it("repeat neither a content nor an id within themselves", () => {
      for (const [split, items] of sets) {
        assert.equal(new Set(items.map(keyOf)).size, items.length, split);
        assert.equal(new Set(items.map(({ problem }) => problem.id)).size, items.length, split);
      }
    });

    it("treat the two orders of a sum as one problem", () => {
      const sums = Array.from({ length: 4000 }, (_, seed) =>
        createItem({ family: "bars", level: 1, seed }),
      );
      const byPair = new Map<string, VisualMathItem>();
      let swapped = 0;
      for (const item of sums.filter(({ scene }) => scene.chain[1].op === "+")) {
        const labels = item.problem.reading?.match(/\b[A-D]\b/g) ?? [];
        const [a, b] = item.scene.values;
        const pair = [`${labels[0]}${a}`, `${labels[1]}${b}`];
        const other = byPair.get(pair.slice().reverse().join());
        byPair.set(pair.join(), item);
        if (other === undefined) continue;
        swapped += 1;
        assert.equal(splitOf(keyOf(other)), splitOf(keyOf(item)));
        assert.equal(other.scene.content, item.scene.content);
      }
      assert.ok(swapped > 20, `${swapped} swapped pairs seen`);
    });

    it("own their shares of the contents", () => {
      const keys = new Set(everyLevel(300).map(keyOf));
      const counts = Object.fromEntries(SPLIT_NAMES.map((name) => [name, 0]));
      for (const key of keys) counts[splitOf(key)] += 1;
      for (const split of SPLIT_NAMES) {
        const [share, expected] = [counts[split] / keys.size, SPLITS[split]];
        // Four standard errors of a binomial share.
        assert.ok(
          Math.abs(share - expected) < 4 * Math.sqrt((expected * (1 - expected)) / keys.size),
          split,
        );
      }
    });

    it("never hold what is held out, and the out-of-distribution set holds nothing else", () => {
      for (const items of sets.values()) {
        for (const { problem } of items) {
          assert.ok(familyByName(problem.family).levels.includes(problem.level), problem.id);
        }
      }
      const outside = generateOod({ count: 400, seed: 5 });
      for (const { problem } of outside) {
        const { levels, heldOut } = familyByName(problem.family);
        assert.ok(heldOut.includes(problem.level) && !levels.includes(problem.level), problem.id);
      }
      const kinds = new Set(outside.map(({ problem }) => `${problem.family} ${problem.level}`));
      for (const kind of ["bars 3", "table 3", "circuit 1", "circuit 2", "beaker 1", "beaker 2"]) {
        assert.ok(kinds.has(kind), kind);
      }
      assert.throws(
        () => generateItems({ split: "test", count: 1, seed: 1, families: ["circuit"] }),
        /circuit.*generateOod/,
      );
    });

    it("are even over families, and narrow down to the families and levels asked for", () => {
      const items = sets.get("rl") ?? [];
      const inside = families.filter(({ levels }) => levels.length > 0);
      for (const { name } of inside) {
        const share = items.filter(({ problem }) => problem.family === name).length / items.length;
        assert.ok(Math.abs(share - 1 / inside.length) < 0.03, `${name}: ${share}`);
      }
      const narrow = generateItems({
        split: "rl",
        count: 40,
        seed: 1,
        families: ["bars", "rod"],
        levels: [2],
      });
      assert.deepEqual([...new Set(narrow.map(({ problem }) => problem.family))].sort(), [
        "bars",
        "rod",
      ]);
      assert.ok(narrow.every(({ problem }) => problem.level === 2));
    });

    it("fill up from other families when one runs out, and say so", () => {
      const exhausted: string[] = [];
      const items = generateItems({
        split: "sft",
        count: 700,
        seed: 1,
        families: ["motion", "bars"],
        levels: [1],
        onExhausted: (family, level) => exhausted.push(`${family} ${level}`),
      });
      assert.equal(items.length, 700);
      assert.equal(new Set(items.map(keyOf)).size, 700);
      assert.deepEqual(exhausted, ["motion 1"]);
      assert.throws(
        () =>
          generateItems({ split: "sft", count: 700, seed: 1, families: ["motion"], levels: [1] }),
        /ran out.*700.*allowRepeats/,
      );
    });
  });
});
