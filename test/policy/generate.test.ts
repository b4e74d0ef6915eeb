import assert from "node:assert/strict";
import { ready, tf } from "../../lib/engine/backend";
import { LabError } from "../../lib/engine/errors";
import { sampleTokens } from "../../lib/policy/draw";
import { generate } from "../../lib/policy/generate";
import type { Policy } from "../../lib/policy/policy";
import { nextUniforms, type GenerateOptions, type PreparedPrompt } from "../../lib/policy/sampling";
import { createWeights } from "../../lib/policy/weights";
import {
  fixtureCases,
  loadFixture,
  maxAbsDifference,
  prepare,
  randomPrompt,
  scoreCompletions,
} from "./fixture";

/** No token ends a completion. */
const NEVER: readonly number[] = [];

describe("generate", () => {
  let policy: Policy;
  /** Unequal prompts: with one picture, without, with two. */
  let prompts: PreparedPrompt[];
  const keys = ["a", "b", "c"];
  const sample = (options: Partial<GenerateOptions> = {}, some = prompts) =>
    generate(policy, some, {
      group: 4,
      maxNewTokens: 10,
      temperature: 1,
      keys: keys.slice(0, some.length),
      stopIds: NEVER,
      ...options,
    });
  before(async () => {
    await ready();
    policy = loadFixture();
    prompts = [
      randomPrompt(policy, "a", [[1, 4, 6]], 4),
      randomPrompt(policy, "b", [], 13),
      randomPrompt(policy, "c", [[1, 2, 4], [1, 4, 2]], 2), // prettier-ignore
    ];
  });
  after(() => policy.weights.dispose());

  it("continues greedily as transformers does, all cases in one batch", async () => {
    const cases = fixtureCases();
    const greedy = await sample(
      { group: 1, temperature: 0, maxNewTokens: 12 },
      cases.map((example) => prepare(policy, example)),
    );
    assert.deepEqual(
      greedy.map(([{ ids }]) => ids),
      cases.map((example) => example.greedy),
    );
  });

  it("at temperature 0 takes the most likely token, the same in every member and for every key", async () => {
    const groups = await sample({ temperature: 0, group: 3 });
    const others = await sample({ temperature: 0, group: 3, keys: [7, 8, 9] });
    for (const [p, group] of groups.entries()) {
      for (const member of [...group, ...others[p]]) assert.deepEqual(member.ids, group[0].ids);
      // No other token is likelier, at each place given the ones before.
      for (const [t, logprob] of group[0].logprobs.entries()) {
        const before = group[0].ids.slice(0, t);
        for (const other of [3, 100, 200, 300]) {
          const scores = scoreCompletions(policy, [prompts[p]], [[[...before, other]]]);
          assert.ok(scores[t] <= logprob + 1e-4);
        }
      }
    }
  });

  it("records the log-probabilities that the training forward gives the same tokens", async () => {
    // At a temperature other than 1 too: what is recorded is the policy itself. Stops and compaction are in the middle.
    // The contract is 1e-3; the cache changes the order of sums only, hence 1e-4.
    for (const temperature of [1, 0.6, 1.5]) {
      const groups = await sample({ temperature, maxNewTokens: 24, stopIds: range(3, 25) });
      const lengths = groups.flat().map(({ ids }) => ids.length);
      assert.ok(Math.min(...lengths) < 8 && Math.max(...lengths) === 24, `lengths ${lengths}`);
      const scored = scoreCompletions(
        policy,
        prompts,
        groups.map((group) => group.map(({ ids }) => ids)),
      );
      const recorded = groups.flat().flatMap(({ logprobs }) => logprobs);
      assert.ok(maxAbsDifference(recorded, scored) < 1e-4);
    }
  });

  it("records the entropy of the whole distribution", async () => {
    const [[{ entropies }]] = await sample({ group: 1, maxNewTokens: 1 }, prompts.slice(0, 1));
    const shares = firstTokenShares(0);
    const entropy = -shares.reduce((sum, p) => sum + p * Math.log(p), 0);
    assert.ok(Math.abs(entropies[0] - entropy) < 1e-4);
  });

  describe("draws the same tokens from the same seed", () => {
    const options = { maxNewTokens: 16, stopIds: range(3, 60) };

    it("again, and others from another seed", async () => {
      const first = await sample(options);
      assert.deepEqual(await sample(options), first);
      const other = await sample({ ...options, keys: ["x", "b", "c"] });
      assert.notDeepEqual(idsOf(other)[0], idsOf(first)[0]);
      assert.deepEqual(idsOf(other).slice(1), idsOf(first).slice(1));
      const members = new Set(first.flat().map(({ ids }) => ids.join()));
      assert.equal(members.size, 12, "members of a group draw on their own");
    });

    it("whatever else is in the batch and in whatever order", async () => {
      const all = idsOf(await sample(options));
      for (const which of [[0], [1], [2], [2, 0], [1, 2, 0]]) {
        const some = await sample(
          { ...options, keys: which.map((p) => keys[p]) },
          which.map((p) => prompts[p]),
        );
        assert.deepEqual(
          idsOf(some),
          which.map((p) => all[p]),
        );
      }
    });

    it("whatever the size of the group and the length of the others", async () => {
      const all = idsOf(await sample({ ...options, group: 6 }));
      for (const group of [1, 2, 5]) {
        assert.deepEqual(
          idsOf(await sample({ ...options, group })),
          all.map((members) => members.slice(0, group)),
        );
      }
      const shorter = idsOf(await sample({ ...options, group: 6, maxNewTokens: 5 }));
      assert.deepEqual(
        shorter,
        all.map((members) => members.map((ids) => ids.slice(0, 5))),
      );
    });

    it("with and without rows that leave the batch", async () => {
      // Stop tokens change when a row ends, never what it has drawn until then.
      const free = idsOf(await sample({ ...options, stopIds: NEVER })).flat();
      const stopped = idsOf(await sample(options)).flat();
      stopped.forEach((ids, row) => {
        const end = free[row].findIndex((id) => options.stopIds.includes(id));
        assert.deepEqual(ids, end === -1 ? free[row] : free[row].slice(0, end + 1));
      });
      const lengths = new Set(stopped.map((ids) => ids.length));
      assert.ok(lengths.size > 4, "rows ended at many different steps, in between compactions");
    });
  });

  it("ends at a stop token and says what was truncated", async () => {
    const stopIds = range(100, 180);
    const rows = (await sample({ maxNewTokens: 6, group: 16, stopIds })).flat();
    const [ended, cut] = [rows.filter((r) => !r.truncated), rows.filter((r) => r.truncated)];
    assert.ok(ended.length > 5 && cut.length > 5);
    for (const { ids } of ended) {
      assert.deepEqual(
        ids.map((id) => stopIds.includes(id)),
        ids.map((_id, t) => t === ids.length - 1),
      );
    }
    for (const { ids } of cut) {
      assert.equal(ids.length, 6);
      assert.ok(!ids.some((id) => stopIds.includes(id)));
    }
    for (const { ids, logprobs, entropies } of rows) {
      assert.equal(logprobs.length, ids.length);
      assert.equal(entropies.length, ids.length);
    }
    // A stop token at the very last place is an end all the same.
    const [[{ ids }]] = await sample({ group: 1, maxNewTokens: 3 }, prompts.slice(0, 1));
    const [[last]] = await sample(
      { group: 1, maxNewTokens: 3, stopIds: [ids[2]] },
      prompts.slice(0, 1),
    );
    assert.deepEqual([last.ids, last.truncated], [ids, false]);
  });

  it("stops at the config's end-of-sequence token by default", async () => {
    const [[{ ids }]] = await sample({ group: 1 }, prompts.slice(0, 1));
    const decoder = { ...policy.config.decoder, eosTokenId: ids[1] };
    const ending = { weights: policy.weights, config: { ...policy.config, decoder } };
    const options = { group: 1, maxNewTokens: 10, temperature: 1, keys: ["a"] };
    const [[row]] = await generate(ending, prompts.slice(0, 1), options);
    assert.deepEqual([row.ids, row.truncated], [ids.slice(0, 2), false]);
  });

  describe("draws from the policy's distribution", () => {
    for (const temperature of [1, 0.5]) {
      it(`at temperature ${temperature}: chi-square over 4,000 first tokens`, async () => {
        const draws = 4000;
        const groups = await sample(
          { group: draws, maxNewTokens: 1, temperature, keys: ["chi"] },
          prompts.slice(0, 1),
        );
        const powers = firstTokenShares(0).map((p) => p ** (1 / temperature));
        const total = powers.reduce((a, b) => a + b, 0);
        const counts = new Array<number>(powers.length).fill(0);
        for (const { ids } of groups[0]) counts[ids[0]]++;
        // Tokens expected fewer than five times share a cell, as the test's approximation asks.
        const cells = { seen: [0], expected: [0] };
        powers.forEach((power, id) => {
          const expected = (draws * power) / total;
          if (expected < 5) {
            cells.seen[0] += counts[id];
            cells.expected[0] += expected;
          } else {
            cells.seen.push(counts[id]);
            cells.expected.push(expected);
          }
        });
        const chi2 = cells.expected.reduce((sum, e, i) => sum + (cells.seen[i] - e) ** 2 / e, 0);
        const freedom = cells.expected.length - 1;
        assert.ok(freedom > 30, `${freedom} degrees of freedom`);
        // Wilson and Hilferty: (χ²/k)^⅓ is nearly normal. 3.1 deviations are p = 0.001; the seed is fixed.
        const spread = 2 / (9 * freedom);
        const z = (Math.cbrt(chi2 / freedom) - (1 - spread)) / Math.sqrt(spread);
        assert.ok(Math.abs(z) < 3.1, `chi-square ${chi2} with ${freedom} degrees: z = ${z}`);
      });
    }

    it("never a token without a share, whatever the rounding", () => {
      const shares = tf.tensor2d([0, 0.25, 0.75, 0, 0, 0.5, 0.4999, 0], [2, 4]);
      const draw = (u: number): number[] =>
        tf.tidy(() => [...sampleTokens(shares, Float32Array.of(u, u)).dataSync()]);
      assert.deepEqual(draw(0), [1, 1]);
      assert.deepEqual(draw(0.24), [1, 1]);
      assert.deepEqual(draw(0.26), [2, 1]);
      assert.deepEqual(draw(0.51), [2, 2]);
      // The second row falls short of 1; u above its sum must not mean the last token.
      assert.deepEqual(draw(1 - 2 ** -24), [2, 2]);
      shares.dispose();
    });

    it("from numbers below 1 in float32 too", () => {
      const almost = { next: () => 1 - 2 ** -32 } as never;
      const [u] = nextUniforms({ results: [], stops: new Set(), streams: [almost] }, [0]);
      assert.equal(Math.fround(1 - 2 ** -32), 1, "which rounding would not give");
      assert.ok(u < 1);
    });
  });

  describe("leaves no tensor behind", () => {
    const held = async (work: () => Promise<unknown>): Promise<void> => {
      await work();
      const tensors = tf.memory().numTensors;
      await work();
      assert.equal(tf.memory().numTensors, tensors);
    };

    it("when it ends, with rows leaving and without", async () => {
      await held(() => sample());
      await held(() => sample({ stopIds: range(3, 100), maxNewTokens: 12 }));
      await held(() => sample({ temperature: 0, group: 1 }, prompts.slice(1, 2)));
    });

    it("when the signal fires before it, or in the middle", async () => {
      await held(() => assert.rejects(sample({ signal: AbortSignal.abort() }), /abort/i));
      await held(async () => {
        const controller = new AbortController();
        setImmediate(() => controller.abort());
        const work = sample({ maxNewTokens: 400, signal: controller.signal, stopIds: range(3, 9) });
        await assert.rejects(work, { name: "AbortError" });
      });
    });

    it("when it fails while the prompts are read", async () => {
      // Features of the wrong length fail in the first layer's input, a failing layer in the middle of the caches.
      const broken = { ...prompts[0], features: prompts[0].features.slice(1) };
      await held(() => assert.rejects(sample({}, [broken])));
      const fail = (name: string): never => {
        throw new Error(`no ${name}`);
      };
      for (const missing of ["model.layers.1.mlp.down_proj.weight", "model.norm.weight"]) {
        const matrix = policy.weights.matrix;
        const weights = {
          ...policy.weights,
          matrix: (name: string) => (name === missing ? fail(name) : matrix(name)),
          vector: (name: string) => (name === missing ? fail(name) : policy.weights.vector(name)),
        };
        const options = { group: 2, maxNewTokens: 4, temperature: 1, keys: [1] };
        const work = () => generate({ ...policy, weights }, prompts.slice(0, 1), options);
        await held(() => assert.rejects(work));
      }
    });

    it("when a layer fails after others have filled their caches", async () => {
      // A down projection that is gone by the time the third layer needs it.
      const gone = tf.zeros(policy.weights.get("model.layers.2.mlp.down_proj.weight").shape);
      gone.dispose();
      const matrix = policy.weights.matrix;
      const weights = {
        ...policy.weights,
        matrix: (name: string) =>
          name === "model.layers.2.mlp.down_proj.weight" ? (gone as never) : matrix(name),
      };
      const options = { group: 2, maxNewTokens: 4, temperature: 1, keys: [1] };
      await held(() =>
        assert.rejects(generate({ ...policy, weights }, prompts.slice(0, 1), options)),
      );
    });
  });

  describe("says what is wrong with", () => {
    const wrong: [string, Partial<GenerateOptions>, RegExp][] = [
      ["no group", { group: 0 }, /group.*0/],
      ["half a group", { group: 1.5 }, /group.*1\.5/],
      ["no tokens", { maxNewTokens: 0 }, /maxNewTokens/],
      ["half a token", { maxNewTokens: 1.5 }, /maxNewTokens/],
      ["endless tokens", { maxNewTokens: Infinity }, /maxNewTokens/],
      ["a negative temperature", { temperature: -1 }, /temperature/],
      ["a temperature that is none", { temperature: NaN }, /temperature/],
      ["too few keys", { keys: ["a"] }, /keys/],
    ];
    for (const [what, options, message] of wrong) {
      it(what, () =>
        assert.rejects(
          sample(options),
          (error: Error) => error instanceof LabError && message.test(error.message),
        ),
      );
    }

    it("no prompts", () => assert.rejects(sample({}, []), /no prompts/));

    it("a policy that has diverged", async () => {
      const tensors = Object.fromEntries(
        policy.weights.names.map((name) => [name, policy.weights.get(name).clone()]),
      );
      const weights = createWeights(policy.config, tensors);
      weights.replace("model.norm.weight", tf.fill([policy.config.decoder.hiddenSize], NaN));
      const options = { group: 2, maxNewTokens: 4, temperature: 1, keys: [1] };
      for (const temperature of [0, 1]) {
        await assert.rejects(
          generate({ ...policy, weights }, prompts.slice(0, 1), { ...options, temperature }),
          (error: Error) => error instanceof LabError && /NaN/.test(error.message),
        );
      }
      weights.dispose();
    });
  });

  /** Probabilities of all tokens after prompt `p`, by the training forward. */
  function firstTokenShares(p: number): number[] {
    const every = Array.from({ length: policy.config.decoder.vocabSize }, (_unused, id) => [id]);
    return [...scoreCompletions(policy, [prompts[p]], [every])].map(Math.exp);
  }
});

const idsOf = (groups: { ids: number[] }[][]): number[][][] =>
  groups.map((group) => group.map(({ ids }) => ids));

function range(low: number, end: number): number[] {
  return Array.from({ length: end - low }, (_unused, i) => low + i);
}
