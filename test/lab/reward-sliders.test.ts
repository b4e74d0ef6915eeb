import assert from "node:assert/strict";
import { jupyterDisplay, type MimeBundle } from "../../lib/lab/display";
import {
  rescoreGroup,
  showRewardSliders,
  weightsOf,
  withWeights,
} from "../../lib/lab/reward-sliders";
import type { Widgets } from "../../lib/lab/widgets";
import { rewardConfig } from "../../lib/reflection/reward-config";
import { group, scoring } from "./group-of-eight";
import { fakeNotebook } from "./surfaces";

describe("reward sliders", () => {
  it("score a group as the paper does, and take its mean and deviation off", () => {
    const scored = rescoreGroup(group, scoring);
    assert.deepEqual(
      scored.map(({ transition }) => transition),
      ["RR", "RR", "WR", "WR", "RW", "WW", null, null],
    );
    // Format 0.5, accuracy 0.5 on the first answer, I_eff 0.25, I_ref 0.25, and what the length earns.
    const { parts, total } = scored[0];
    assert.ok(Math.abs(total - (1.5 + parts.length)) < 1e-12);
    const sum = scored.reduce((all, { advantage }) => all + advantage, 0);
    const squares = scored.reduce((all, { advantage }) => all + advantage ** 2, 0);
    assert.ok(Math.abs(sum) < 1e-9);
    assert.ok(Math.abs(squares / 7 - 1) < 1e-9, "the deviation has the divisor n − 1");
  });

  it("change one weight of the configuration each, and nothing else", () => {
    const paper = rewardConfig("paper");
    assert.deepEqual(withWeights(paper, weightsOf(paper)), paper);
    const changed = withWeights(paper, { alpha: 0, WR: 1, unknown: 3, RR: NaN });
    assert.deepEqual(changed, {
      ...paper,
      alpha: 0,
      effectiveness: { ...paper.effectiveness, WR: 1 },
    });
    assert.equal(withWeights(paper, { alpha: 7 }).alpha, 1, "a page may send anything");
  });

  it("are a picture with the numbers in words where there are no widgets", async () => {
    const { surface, sent } = fakeNotebook();
    await showRewardSliders(group, { ...scoring, surface, start: { WR: 1, alpha: 0.1 } });
    const [{ bundle }] = sent;
    assert.match(bundle["text/plain"], /\(I_eff of WR 1\.00; rewards /, "what differs is named");
    assert.deepEqual(Object.keys(bundle), ["image/png", "text/plain"]);
    assert.match(bundle["text/plain"], /1 RR/);
  });

  it("draw the last of the values that came while they were busy", async () => {
    type State = { values: Record<string, number>; svg: string };
    let listen: ((changes: Partial<State>, state: State) => void) | undefined;
    const sets: Partial<State>[] = [];
    let first: State | undefined;
    const widgets = {
      anywidget: ({ state }: { state: State }) => {
        first = state;
        return {
          set: (changes: Partial<State>) => void sets.push(changes),
          onChange: (listener: typeof listen) => void (listen = listener),
          close: () => {},
          [jupyterDisplay]: (): MimeBundle => ({ "text/plain": "sliders", view: 1 }),
        };
      },
    } as unknown as Widgets;
    const { surface, sent } = fakeNotebook();
    await showRewardSliders(group, { ...scoring, surface, widgets });
    assert.deepEqual(Object.keys(sent[0].bundle).sort(), ["image/png", "text/plain", "view"]);
    for (const alpha of [0.2, 0.5, 0]) {
      const values = { ...first!.values, alpha };
      listen?.({ values }, { ...first!, values });
    }
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    assert.equal(sets.length, 1);
    const expected = rescoreGroup(group, {
      ...scoring,
      reward: withWeights(scoring.reward, { alpha: 0 }),
    });
    const shown = expected[0].total.toFixed(2);
    assert.ok(sets[0].svg?.includes(`α 0.00; rewards ${shown}`), sets[0].svg);
  });
});
