/** What refilling free rows could win: the same completions in batches of different sizes. */
import { basePolicyFolder } from "../paths";
import { openPolicy } from "../policy/bundle";
import { createTfjsEngine } from "../rollout/tfjs";
import { loadProblems } from "../stages/problems";

export interface EvaluationWork {
  problems: number;
  /** Problems at once, one after another. */
  batches: readonly number[];
  newTokens: number;
  /** Rounds through all batches, after one that is not timed. */
  repeats: number;
}

export interface EvaluationSpeed {
  batch: number;
  tokens: number;
  /** Steps of decoding: every batch takes as many as its longest completion has tokens. */
  steps: number;
  /** Seconds of each round, and of processor time, which other programs do not change. */
  seconds: number[];
  cpu_s: number[];
}

/** Times one completion at temperature 1 of each test problem by the embedded policy. */
export async function measureBatches(work: EvaluationWork): Promise<EvaluationSpeed[]> {
  const { problems: count, batches, newTokens, repeats } = work;
  const counts = { seed: 1, sft: 0, rl: 0, ood: 0, test: count };
  const problems = await loadProblems({ problems: counts }, "test");
  const bundle = openPolicy(basePolicyFolder);
  const engine = createTfjsEngine(bundle);
  const found = batches.map((batch): EvaluationSpeed => ({
    batch,
    tokens: 0,
    steps: 0,
    seconds: [],
    cpu_s: [],
  }));
  try {
    for (let round = 0; round <= repeats; round++) {
      for (const row of found) {
        const { batch } = row;
        const [begun, cpu] = [performance.now(), process.cpuUsage()];
        const rollouts = await engine.rollout(problems, {
          ...{ style: "direct", group: 1, maxNewTokens: newTokens, temperature: 1, seed: 0, batch },
        });
        const { user, system } = process.cpuUsage(cpu);
        const lengths = rollouts.map(([{ ids }]) => ids.length);
        row.tokens = lengths.reduce((sum, length) => sum + length, 0);
        row.steps = 0;
        for (let at = 0; at < lengths.length; at += batch) {
          row.steps += Math.max(...lengths.slice(at, at + batch));
        }
        if (round === 0) continue;
        row.seconds.push((performance.now() - begun) / 1000);
        row.cpu_s.push((user + system) / 1e6);
      }
    }
  } finally {
    bundle.weights.dispose();
  }
  return found;
}
