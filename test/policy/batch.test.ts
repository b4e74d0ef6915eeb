import assert from "node:assert/strict";
import { ready, tf } from "../../lib/engine/backend";
import { LabError } from "../../lib/engine/errors";
import { createRandom } from "../../lib/engine/random";
import { groupBatch, predictionIndices, rectangle } from "../../lib/policy/batch";
import { decode, decoderEnds, logits } from "../../lib/policy/decoder";
import { imageTensor, type PreparedPrompt } from "../../lib/policy/generate";
import type { Policy } from "../../lib/policy/policy";
import { promptPositions } from "../../lib/policy/positions";
import {
  loadFixture,
  maxAbsDifference,
  randomPrompt,
  randomText,
  scoreCompletions,
} from "./fixture";

/** Equal mathematics, sums in another order: float32 leaves about 1e-6 on these values of size 10. */
const SAME = 1e-4;

describe("grouped batches", () => {
  let policy: Policy;
  /** Prompts of unequal lengths, with one, no, two and a large picture. */
  let prompts: PreparedPrompt[];
  before(async () => {
    await ready();
    policy = loadFixture();
    prompts = [
      randomPrompt(policy, "a", [[1, 4, 6]], 4),
      randomPrompt(policy, "b", [], 17),
      randomPrompt(policy, "c", [[1, 2, 4], [1, 6, 2]], 2), // prettier-ignore
      randomPrompt(policy, "d", [[1, 8, 8]], 9),
    ];
  });
  after(() => policy.weights.dispose());

  /** Logits of all tokens, prompt after prompt. */
  const allLogits = (some: readonly PreparedPrompt[]): Float32Array =>
    tf.tidy(() => {
      const { config, weights } = policy;
      const batch = groupBatch(some, undefined, config);
      const hidden = decode(weights, config.decoder, batch, imageTensor(some, config));
      // Rows beyond the batch's tokens only fill it up to a size that comes again.
      const size = batch.rows.length * config.decoder.vocabSize;
      return logits(decoderEnds(weights, config.decoder), config.decoder, hidden)
        .dataSync<"float32">()
        .slice(0, size);
    });

  const completionsFor = (G: number, lengths: () => number): number[][][] => {
    const random = createRandom(`completions ${G}`);
    return prompts.map(() => Array.from({ length: G }, () => randomText(random, lengths())));
  };

  it("computes prompts of unequal length as each prompt alone", () => {
    const apart = prompts.flatMap((prompt) => [...allLogits([prompt])]);
    assert.ok(maxAbsDifference(allLogits(prompts), apart) < SAME);
  });

  it("gives a group's completions the log-probabilities of each whole sequence alone", () => {
    const random = createRandom("lengths");
    const completions = completionsFor(3, () => random.int(1, 12));
    const together = scoreCompletions(policy, prompts, completions);
    const apart: number[] = [];
    prompts.forEach((prompt, p) => {
      for (const completion of completions[p]) {
        // No shared prefix here: the whole sequence is a prompt, and its own tokens are looked up in plain numbers.
        const whole = { ...prompt, ids: [...prompt.ids, ...completion] };
        const scores = allLogits([whole]);
        const V = policy.config.decoder.vocabSize;
        completion.forEach((id, t) => {
          const at = (prompt.ids.length + t - 1) * V;
          const row = scores.subarray(at, at + V);
          const top = Math.max(...row);
          const total = row.reduce((sum, score) => sum + Math.exp(score - top), 0);
          apart.push(row[id] - top - Math.log(total));
        });
      }
    });
    assert.ok(maxAbsDifference(together, apart) < SAME);
  });

  it("scores a completion the same whatever else is in its group and batch", () => {
    const random = createRandom("others");
    const completions = completionsFor(4, () => random.int(1, 20));
    const together = scoreCompletions(policy, prompts, completions);
    let at = 0;
    completions.forEach((group, p) => {
      for (const completion of group) {
        const alone = scoreCompletions(policy, [prompts[p]], [[completion]]);
        const here = together.subarray(at, (at += completion.length));
        assert.ok(maxAbsDifference(here, alone) < SAME);
      }
    });
  });

  it("takes empty completions and completions of equal length", () => {
    const random = createRandom("edge");
    const some = randomText(random, 5);
    const alone = scoreCompletions(policy, [prompts[0]], [[some]]);
    const withEmpty = scoreCompletions(policy, prompts.slice(0, 2), [[[], some], [[], []]]); // prettier-ignore
    assert.ok(maxAbsDifference(withEmpty, alone) < SAME);
    const equal = scoreCompletions(policy, [prompts[0]], [[some, some]]);
    assert.ok(maxAbsDifference(equal, [...alone, ...alone]) < SAME);
  });

  it("is causal: a later token changes nothing before it", () => {
    const random = createRandom("causal");
    const ids = randomText(random, 8);
    const other = [...ids.slice(0, 5), ...randomText(random, 3)];
    const [a, b] = [ids, other].map((c) => scoreCompletions(policy, [prompts[0]], [[c]]));
    assert.ok(maxAbsDifference(a.slice(0, 5), b.slice(0, 5)) === 0);
    assert.ok(maxAbsDifference(a.slice(5), b.slice(5)) > 1e-3);
  });

  it("says for each completion token which token predicts it", () => {
    const [p, q] = [{ ids: [10, 11, 12], grids: [] }, { ids: [20, 21], grids: [] }]; // prettier-ignore
    const completions = [[[30, 31], [32]], [[40], [41, 42, 43]]]; // prettier-ignore
    const batch = groupBatch([p, q], completions, policy.config);
    const { source, target, row } = predictionIndices(batch);
    assert.deepEqual([...target], [30, 31, 32, 40, 41, 42, 43]);
    assert.deepEqual([...row], [0, 0, 1, 2, 3, 3, 3]);
    assert.deepEqual(
      Array.from(source, (at) => batch.rows[at]),
      [12, 30, 12, 21, 21, 41, 42],
    );
    assert.deepEqual(batch.next, [3, 2]);
  });

  it("pads a rectangle and finds the way back", () => {
    const { longest, pad, unpad } = rectangle([2, 0, 3]);
    assert.equal(longest, 3);
    assert.deepEqual([...pad], [0, 1, 0, 0, 0, 0, 2, 3, 4]);
    assert.deepEqual([...unpad], [0, 1, 6, 7, 8]);
    assert.deepEqual([...rectangle([]).pad], []);
  });

  it("gives text after a picture the position after the picture's longest side", () => {
    const { imageTokenId: image } = policy.config;
    // Two text tokens, 2 × 3 merged tokens, one text token, as get_rope_index of transformers numbers them.
    const { positions, next } = promptPositions(
      [5, 6, ...new Array<number>(6).fill(image), 7],
      [[1, 4, 6]],
      policy.config,
    );
    const axis = (which: number): number[] => [...positions].filter((_p, i) => i % 3 === which);
    assert.deepEqual(axis(0), [0, 1, 2, 2, 2, 2, 2, 2, 5]);
    assert.deepEqual(axis(1), [0, 1, 2, 2, 2, 3, 3, 3, 5]);
    assert.deepEqual(axis(2), [0, 1, 2, 3, 4, 2, 3, 4, 5]);
    assert.equal(next, 6);
  });

  describe("refuses", () => {
    const text = { ids: [5, 6], grids: [] };
    const refuses = (work: () => unknown, what: RegExp): void =>
      assert.throws(work, (error: Error) => error instanceof LabError && what.test(error.message));

    it("groups of unequal size, and another number of groups than prompts", () => {
      refuses(() => groupBatch([text, text], [[[7], [8]], [[9]]], policy.config), /groups/);
      refuses(() => groupBatch([text, text], [[[7]]], policy.config), /groups/);
    });

    it("tokens that the policy does not have, in prompts and in completions", () => {
      for (const stray of [-1, 320, 1.5, NaN]) {
        const bad = { ids: [5, stray], grids: [] };
        refuses(() => groupBatch([bad], undefined, policy.config), /prompt 0/);
        refuses(() => groupBatch([text], [[[7], [8, stray]]], policy.config), /completion/);
      }
    });

    it("an empty prompt", () => {
      refuses(
        () => groupBatch([text, { ids: [], grids: [] }], undefined, policy.config),
        /prompt 1/,
      );
    });

    it("placeholders that do not fit the pictures, in number or in their runs", () => {
      const { imageTokenId: image } = policy.config;
      const [small, large] = [[1, 2, 2], [1, 2, 4]] as [number, number, number][]; // prettier-ignore
      refuses(
        () => groupBatch([{ ids: [5, image], grids: [] }], undefined, policy.config),
        /image/,
      );
      refuses(() => groupBatch([{ ids: [5], grids: [small] }], undefined, policy.config), /image/);
      // Three placeholders for pictures of one and two tokens, but two of them come first.
      const swapped = { ids: [5, image, image, 6, image, 7], grids: [small, large] };
      refuses(() => groupBatch([swapped], undefined, policy.config), /image/);
      const right = { ids: [5, image, 6, image, image, 7], grids: [small, large] };
      assert.equal(groupBatch([right], undefined, policy.config).P, 1);
    });
  });
});
