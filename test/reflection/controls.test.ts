/** The controls of the reflection: what they say, what they are paid for, how many tokens they have. */
import assert from "node:assert/strict";
import { toStepsCot, toTwoStep } from "../../lib/reflection/records";
import { rewardConfig } from "../../lib/reflection/reward-config";
import { scoreResponse } from "../../lib/reflection/rewards";
import { isWellFormed, parseResponse } from "../../lib/reflection/template";
import { asManyTokens } from "../../lib/stages/finetune";
import type { Problem, ReflectionSample } from "../../lib/types";

const problem: Problem = {
  ...{ id: "p", question: "?", images: [], answer: "61", answerType: "number", family: "bars" },
  ...{ level: 1, subject: "arithmetic", source: "visual-math", reading: "The bars are 34 and 27." },
  steps: ["4+7=11, 3+2+1=6"],
};
const sample: ReflectionSample = {
  problem,
  attempt: { text: "", think: "The bars are 34 and 27. 34+27=51.", answer: "51" },
  verdict: { extraction: "51", prediction: "51", correct: false, rule: "number" },
  mode: "correct",
  reflection: "Check: 4+7=11, 3+2+1=6. Wrong.",
  second: { think: "So 61.", answer: "61" },
  provenance: { policy: "", teacher: "", seed: 1 },
};
const replyOf = ({ messages }: { messages: { content: string }[] }): string => messages[2].content;
const score = (text: string, preset: "two-step" | "no-effectiveness", changes = {}) =>
  scoreResponse({
    ...{ response: parseResponse(text), problem, config: rewardConfig(preset, changes) },
    tokenCount: (part) => part.length,
  });

describe("controls", () => {
  const steps = "<think>The bars are 34 and 27. 4+7=11, 3+2+1=6. So 61.</think><answer>61</answer>";
  const first = "<think>The bars are 34 and 27. 34+27=51.</think><answer>51</answer>";

  it("steps-cot has all that the reflection computes, and neither attempt, verdict nor tag", () => {
    assert.equal(replyOf(toStepsCot(sample)), steps);
    const misread = { ...sample, reflection: `Check: ${problem.reading} 4+7=11. Right.` };
    assert.match(
      replyOf(toStepsCot(misread)),
      /^<think>The bars are 34 and 27\. 4\+7=11\. So 61\./,
    );
  });

  it("two-step has the attempt and then the same steps", () => {
    assert.equal(replyOf(toTwoStep(sample)), first + steps);
  });

  it("two steps are well formed without a reflection, and only so", () => {
    const asked = { solutions: 2, reflects: false } as const;
    assert.ok(isWellFormed(parseResponse(first + steps), asked));
    assert.ok(!isWellFormed(parseResponse(steps), asked));
    const reflecting = `${first}<reflection>Looks wrong.</reflection>${steps}`;
    assert.ok(!isWellFormed(parseResponse(reflecting), asked));
    assert.ok(!isWellFormed(parseResponse(first + steps), { solutions: 2 }));
    const { format, accuracy, total, faults } = score(first + steps, "two-step");
    assert.deepEqual([format, accuracy, total, faults], [0.5, 0.5, 1, []]);
  });

  it("guard no-working: an opinion earns no I_ref, a computation does", () => {
    const paid = (reflection: string): number =>
      score(`${first}<reflection>${reflection}</reflection>${steps}`, "no-effectiveness", {
        payNoWorking: false,
      }).reflection_format;
    assert.equal(paid("Looks wrong."), 0);
    assert.equal(paid("Check: 4+7=11. Wrong."), 0.25);
    assert.equal(paid("With $x = 3$ it is too small."), 0.25);
  });

  it("examples are repeated until they have as many tokens as the reflections", () => {
    const tokenizer = { countTokens: (text: string) => text.length };
    const of = (...texts: string[]) =>
      texts.map((text) => ({ problem, style: "direct" as const, text }));
    const repeated = asManyTokens(of("aa", "bbb"), of("x".repeat(9)), tokenizer);
    assert.deepEqual(
      repeated.map(({ text }) => text),
      ["aa", "bbb", "aa", "bbb"],
    );
    assert.deepEqual(asManyTokens([], of("x"), tokenizer), []);
  });
});
