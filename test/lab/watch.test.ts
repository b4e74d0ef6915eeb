import assert from "node:assert/strict";
import { stageViews, watch } from "../../lib/lab/watch";
import { rewardConfig } from "../../lib/reflection/reward-config";
import { scoreResponse } from "../../lib/reflection/rewards";
import { parseResponse } from "../../lib/reflection/template";
import type { Rollout } from "../../lib/train/rollouts";
import type { Problem } from "../../lib/types";
import { fakeNotebook, fakeTerminal } from "./surfaces";

/** A rollout that was paid so much for such a thought. */
function paid(total: number, thought: string): Rollout {
  const text = `<think>${thought}</think><answer>7</answer>`;
  const response = parseResponse(text);
  const problem: Problem = {
    ...{ id: "sum-1", question: "How much?", images: [], answer: "7", answerType: "number" },
    ...{ family: "sums", level: 1, subject: "maths", source: "test" },
  };
  const config = rewardConfig("task-only");
  const reward = scoreResponse({ response, problem, config, tokenCount: (t) => t.length });
  return {
    ...{
      problem,
      response,
      reward,
      custom: {},
      paid: {},
      total,
      reflectionTokens: 0,
      advantage: 0,
    },
    completion: { text, ids: [], logprobs: [], truncated: false },
  };
}

describe("watch", () => {
  it("draws the stage's curves, those of an earlier attempt first", async () => {
    const { surface, sent } = fakeNotebook();
    const watcher = watch("SFT", { ...stageViews.sft, surface });
    watcher.begin(4, [
      { step: 1, loss: 3 },
      { step: 2, loss: 2 },
    ]);
    watcher.step(3, { loss: 1, eval_loss: 1.5 });
    watcher.step(4, { loss: 0.5 });
    await watcher.end();
    const text = sent[sent.length - 1].bundle["text/plain"];
    assert.match(text, /^SFT: finished, 100 % · 4\/4 steps/);
    assert.match(text, /loss: 3 → 0\.5, step 1 to 4/);
    assert.match(text, /eval_loss: 1\.5 at step 3/);
  });

  it("says why a stage ended early, and can be used again", async () => {
    const { surface, progress } = fakeTerminal(false);
    const watcher = watch("GRPO", { ...stageViews.grpo, surface });
    watcher.begin(9, []);
    watcher.step(1, { reward: 1 });
    await watcher.end("no more disk");
    assert.match(progress.join(""), /GRPO: stopped \(no more disk\), 11 % · 1\/9 steps/);
    watcher.begin(2, []);
    watcher.step(2, { reward: 1 });
    await watcher.end();
    assert.match(progress[progress.length - 1], /GRPO: finished, 100 % · 2\/2 steps/);
  });

  it("says at the end what was wrong", async () => {
    const notes = [{ kind: "truncation" as const, sentence: "30 % were cut <off>." }];
    const { surface, sent } = fakeNotebook();
    const watcher = watch("GRPO", { ...stageViews.grpo, surface });
    watcher.begin(3, []);
    watcher.step(1, { reward: 1 }, notes);
    watcher.step(2, { reward: 1 }, []);
    watcher.step(3, { reward: 1 }, notes);
    await watcher.end();
    assert.match(
      sent[sent.length - 1].bundle["text/plain"],
      /^GRPO: finished.*\n⚠ step 3 \(2 steps so far\): 30 % were cut <off>\.\nreward\n/,
    );
  });

  it("shows rollouts below the curves, from the best paid to the worst, those of the last step at the end", async () => {
    const { surface, sent } = fakeNotebook();
    const watcher = watch("GRPO", { ...stageViews.grpo, surface });
    watcher.begin(2, []);
    for (const step of [1, 2]) {
      watcher.step(step, { reward: step });
      watcher.rollouts(
        step,
        [0.1, 0.4, 0.3, 0.2, 0.5].map((total) => paid(total, `step ${step} paid ${total}`)),
      );
    }
    await watcher.end();
    const [curves, cards] = [...new Set(sent.map(({ id }) => id))];
    assert.equal(sent[0].id, curves);
    const texts = sent.filter(({ id }) => id === cards).map(({ bundle }) => bundle["text/plain"]);
    assert.deepEqual(texts.at(-1)?.match(/step 2 paid [\d.]+/g), [
      "step 2 paid 0.5",
      "step 2 paid 0.3",
      "step 2 paid 0.1",
    ]);
    assert.equal(sent.filter(({ id, update }) => id === cards && !update).length, 1);
  });

  it("draws no rollouts in a terminal, nor where none are asked for", async () => {
    const terminal = fakeTerminal(false);
    const notebook = fakeNotebook();
    for (const [surface, rollouts] of [
      [terminal.surface, 3],
      [notebook.surface, 0],
    ] as const) {
      const watcher = watch("GRPO", { surface, rollouts });
      watcher.begin(1, []);
      watcher.rollouts(1, [paid(1, "so")]);
      await watcher.end();
    }
    assert.doesNotMatch(terminal.progress.join("") + JSON.stringify(notebook.sent), /question/);
  });

  it("draws nothing for a stage that had nothing to do", async () => {
    const { surface, sent } = fakeNotebook();
    await watch("GRPO", { surface }).end();
    assert.deepEqual(sent, []);
  });
});
