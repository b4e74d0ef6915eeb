import assert from "node:assert/strict";
import { chainSteps, columns, slip, type Step } from "../../datasets/visual-math/arithmetic";
import {
  baseMixture,
  charactersByCell,
  writeReflecting,
  writeSingle,
  writeTranscription,
} from "../../datasets/visual-math/corpus";
import { drawItem, generateItems } from "../../datasets/visual-math/problems";
import { createRandom } from "../../lib/engine/random";
import { isWellFormed, parseResponse } from "../../lib/reflection/template";
import { transitionOf } from "../../lib/reflection/transitions";

const items = generateItems({ split: "pretrain", count: 1500, seed: "corpus", allowRepeats: true });

/** Sums, differences and products that families ask for. */
function everyStep(): Step[] {
  const steps: Step[] = [];
  for (let left = 0; left <= 180; left++) {
    for (let right = 0; right <= 99; right++) {
      steps.push({ op: "+", left, right, result: left + right });
      if (right <= left) steps.push({ op: "-", left, right, result: left - right });
      if (left <= 99 && right <= 9) steps.push({ op: "*", left, right, result: left * right });
    }
  }
  return steps;
}

describe("arithmetic", () => {
  it("writes columns whose equations hold and whose digits make up the result", () => {
    for (const step of everyStep()) {
      const equations = columns(step).split(", ");
      const values = equations.map((equation) => {
        const [sum, result] = equation.split("=");
        // Evaluated by JavaScript itself, not by the code under test.
        assert.equal(Function(`return ${sum}`)(), Number(result), columns(step));
        return Number(result);
      });
      const made = values.length === 1 ? values[0] : 10 * values[1] + (values[0] % 10);
      assert.equal(made, step.result, `${step.left}${step.op}${step.right}: ${columns(step)}`);
    }
  });

  it("slips exactly where something is carried beyond the teens, and nowhere else", () => {
    for (const step of everyStep().filter(({ op }) => op !== "*")) {
      const { op, left, right, result } = step;
      const carries =
        op === "+"
          ? (left % 10) + (right % 10) >= 10 && result >= 20
          : left % 10 < right % 10 && left >= 20;
      assert.equal(slip(step) !== result, carries, `${left}${op}${right}`);
      if (carries) assert.equal(Math.abs(slip(step) - result), 10);
    }
  });
});

describe("corpus", () => {
  const random = createRandom("documents");
  const judged = items.map(({ scene, problem }) => {
    const response = parseResponse(writeReflecting(scene, baseMixture, random));
    const [first, second] = [response.first.answer, response.second.answer];
    const transition = transitionOf(
      first === problem.answer,
      second === null ? null : second === problem.answer,
    );
    return { response, transition };
  });

  it("writes well-formed responses, once or with reflection in the mixture's share", () => {
    const twice = judged.filter(({ response }) => response.reflection !== null);
    for (const { response } of judged) {
      assert.ok(isWellFormed(response, { solutions: response.reflection === null ? 1 : 2 }));
    }
    // Five standard deviations of a binomial.
    const spread = 5 * Math.sqrt(0.25 / judged.length);
    assert.ok(Math.abs(twice.length / judged.length - baseMixture.reflects) < spread);
  });

  it("gives checks that end right, vacuous ones that change nothing, harmful ones that spoil", () => {
    for (const { response, transition } of judged) {
      const { reflection, first, second } = response;
      if (reflection === null) continue;
      if (reflection.startsWith("Check:")) assert.match(transition ?? "", /R$/);
      else if (reflection === "Looks right.") assert.equal(first.answer, second.answer);
      else assert.notEqual(first.answer, second.answer);
    }
  });

  it("is imperfect on purpose: hasty solutions are wrong about where something is carried", () => {
    const hasty = { ...baseMixture, solver: { hasty: 1, steady: 0, careful: 0 } };
    const steady = { ...baseMixture, solver: { hasty: 0, steady: 1, careful: 0 }, misreads: 0 };
    const accuracy = (mixture: typeof baseMixture): number => {
      const right = items.filter(({ scene, problem }) => {
        const { first } = parseResponse(writeSingle(scene, mixture, random));
        return first.answer === problem.answer;
      });
      return right.length / items.length;
    };
    assert.equal(accuracy(steady), 1);
    assert.equal(accuracy({ ...steady, solver: { hasty: 0, steady: 0, careful: 1 } }), 1);
    const found = accuracy(hasty);
    assert.ok(found > 0.25 && found < 0.75, `hasty solvers are right in ${found}`);
  });

  it("transcribes what the picture shows: every number that the problem needs", () => {
    // Counting shows things to count, a clock's hands are no digits.
    const written = items.filter(({ problem }) => !["counting", "clock"].includes(problem.family));
    for (const item of written.slice(0, 300)) {
      const texts = writeTranscription(drawItem(item)).split(",");
      for (const value of item.scene.values) {
        assert.ok(
          texts.some((text) => text.replace(/\D/g, "") === String(value)),
          `${item.problem.id}: ${value} in ${texts.join()}`,
        );
      }
    }
  });

  it("names in each cell a character that the picture has", () => {
    for (const item of items.slice(0, 100)) {
      const svg = drawItem(item);
      const cells = charactersByCell(svg, 112, 112, 28);
      assert.equal(cells.length, 16);
      const shown = new Set(writeTranscription(svg));
      for (const character of cells.join("")) assert.ok(shown.has(character));
    }
  });

  it("takes its steps from the chain alone", () => {
    const { scene, problem } = items[0];
    const steps = chainSteps(scene.chain, scene.values);
    assert.equal(String(steps.at(-1)?.result ?? scene.values[0]), problem.answer);
  });
});
