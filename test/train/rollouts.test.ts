import assert from "node:assert/strict";
import { rewardConfig } from "../../lib/reflection/reward-config";
import { rolloutRows, scoreCompletions, type Scoring } from "../../lib/train/rollouts";
import type { Completion, Problem } from "../../lib/types";

const problem: Problem = {
  ...{ id: "sum-1", question: "How much?", images: [], answer: "7", answerType: "number" },
  ...{ family: "sums", level: 1, subject: "maths", source: "test" },
};
const [WR, RR] = ["8", "7"].map(
  (first) =>
    `<think>a</think><answer>${first}</answer><reflection>so</reflection>` +
    `<think>b</think><answer>7</answer>`,
);

/** A token a character, and one that ends the turn. */
const tokenizer: Scoring["tokenizer"] = {
  countTokens: (text) => text.length,
  decode: (ids) => String.fromCharCode(...ids.filter((id) => id !== 0)),
};
const completion = (text: string): Completion => {
  const ids = [...Buffer.from(text), 0];
  return { ids, logprobs: ids.map(() => -1), text, truncated: false };
};

const score = (changes: Partial<Scoring>, firstAccuracy?: number) =>
  scoreCompletions(
    [problem],
    [[WR, RR, "nothing"].map(completion)],
    {
      ...{ reward: rewardConfig("paper"), rewardWeight: 1, rewards: [], tokenizer },
      ...{ firstSolutionMask: "never", ...changes },
    },
    { step: 1, firstAccuracy },
  );

/** What of a text is learned from. */
const learned = (text: string, mask: Float32Array | undefined): string | undefined =>
  mask && [...text].filter((_char, t) => mask[t] === 1).join("");

describe("scoring the rollouts of a step", () => {
  it("leaves first solutions out of the loss where the guard says so, and never the end of a turn", async () => {
    const second = WR.slice(WR.indexOf("<reflection>"));
    const cases = { never: [], changed: [second, RR], always: [second, second] } as const;
    for (const [mask, texts] of Object.entries(cases)) {
      const [[first, kept, bad]] = await score({ firstSolutionMask: mask as keyof typeof cases });
      assert.deepEqual(
        [learned(WR, first.mask), learned(RR, kept.mask)],
        mask === "never" ? [undefined, undefined] : texts,
      );
      if (mask === "never") continue;
      assert.equal(first.mask?.at(-1), 1);
      assert.equal(learned("nothing", bad.mask), "nothing");
      const rows = rolloutRows(
        1,
        [{ ...first, advantage: 1 }],
        first.completion.ids.map(() => -1),
        tokenizer.decode,
      );
      assert.deepEqual(rows[0].tokens.mask, Array.from(first.mask ?? []));
    }
  });

  it("tells the guard against sandbagging how first answers do", async () => {
    const reward = rewardConfig("paper", { firstBaseline: 0.5 });
    const efficacy = async (firstAccuracy?: number): Promise<number> =>
      (await score({ reward }, firstAccuracy))[0][0].paid.efficacy;
    // W→R pays 0.5; with first answers at half of their baseline, half of it.
    assert.deepEqual(
      [await efficacy(), await efficacy(0.6), await efficacy(0.25)],
      [0.5, 0.5, 0.25],
    );
  });
});
