import assert from "node:assert/strict";
import { stageViews, watch } from "../../lib/lab/watch";
import { fakeNotebook, fakeTerminal } from "./surfaces";

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

  it("draws nothing for a stage that had nothing to do", async () => {
    const { surface, sent } = fakeNotebook();
    await watch("GRPO", { surface }).end();
    assert.deepEqual(sent, []);
  });
});
