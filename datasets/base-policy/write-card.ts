/**
 * Measures the embedded base policy and writes its model card.
 *
 *   node dist/datasets/base-policy/write-card.js --run runs/pretrain-base-… [--problems 2048]
 *
 * @param --run the folder that `pretrain` wrote: its spec and its log say how the policy was made
 * @param --earlier what the policy was that the run went on from, if it did
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Accuracy } from "../../lib/bench/report";
import { loadSpec } from "../../lib/config";
import { readJsonl, writeFileAtomic } from "../../lib/engine/files";
import { hardware } from "../../lib/lab/info";
import { basePolicyFolder } from "../../lib/paths";
import { readPolicyConfig } from "../../lib/policy/config";
import { basePolicy } from "../../lib/stages/context";
import { evaluate } from "../../lib/stages/evaluate";
import { loadProblems } from "../../lib/stages/problems";

const { values: args } = parseArgs({
  options: {
    run: { type: "string" },
    problems: { type: "string", default: "2048" },
    earlier: { type: "string", default: "another policy" },
  },
});

async function main(): Promise<void> {
  if (args.run === undefined) throw new Error("write-card needs --run, the folder of pretrain");
  const made = JSON.parse(readFileSync(join(args.run, "spec.json"), "utf8")) as Made;
  const log = readJsonl<{ step: number; loss: number; elapsed: number }>(
    join(args.run, "metrics.jsonl"),
  );
  const last = log[log.length - 1];
  const spec = loadSpec({ problems: { test: Number(args.problems), ood: 512 } }, "small");
  const base = basePolicy();
  const [test, ood] = [
    await evaluate(spec, base, await loadProblems(spec, "test"), "test"),
    await evaluate(spec, base, await loadProblems(spec, "ood"), "ood"),
  ];
  const rows = (["test", "ood"] as const).flatMap((set) => {
    const { greedy, sampled } = (set === "test" ? test : ood).report;
    return [greedy.overall, ...greedy.families].map((row) => {
      const other = [sampled.overall, ...sampled.families].find((r) => r.family === row.family);
      return `| ${set} | ${row.family} | ${row.n} | ${cell(row)} | ${cell(other as Accuracy)} |`;
    });
  });
  const { decoder, vision } = readPolicyConfig(basePolicyFolder);
  const text = `# The embedded base policy

A Qwen2.5-VL of ${decoder.layers} decoder layers (width ${decoder.hiddenSize}, ${decoder.heads} heads, ${decoder.kvHeads} key/value heads) and ${vision.depth} vision blocks (width ${vision.hiddenSize}),
trained from scratch on the pretraining split of visual-math. Hugging Face layout: Python's \`transformers\` loads it.

**What it is for.** To be the imperfect model that the lab's stages start from. It reads the drawn pictures and
solves small problems the way large models do: with the habits of its data, hasty ones first. Most first solutions in its data
leap over the arithmetic, and forget what is carried in most of the cases where there is something to carry; some leap rightly;
some go column by column. Asked to reflect, it does so about half of the time, mostly emptily ("Looks right."). The mixture is
\`baseMixture\` in \`datasets/visual-math/corpus.ts\`. It is of no use for anything else.

**How it was made.** \`${command(made)}\`: ${last.step} steps, ${(last.elapsed / 60).toFixed(0)} minutes on
${hardware()}, last loss ${last.loss.toFixed(3)} nats a token. First ${made.reading} steps of reading, then ${made.skills} of solving as able
solvers do, then ${made.habits} in which it took on the habits above. ${origin(made)}
The tokenizer is older than all of it (\`make_tokenizer.py\`). This card: \`write-card.js\` on the run's folder.

**What it can do.** Accuracy in percent with 95 % Wilson intervals, one greedy answer and one sample at temperature 1 a problem,
problems by seed ${spec.problems.seed}. Families and levels under \`ood\` were never solved in its data, only read.

| set | family | n | greedy | temperature 1 |
| --- | --- | --- | --- | --- |
${rows.join("\n")}

**Limits.** Pictures of visual-math at 112×112 pixels, numbers up to three digits, a vocabulary of ${decoder.vocabSize} tokens. One training run,
one seed.
`;
  writeFileAtomic(join(basePolicyFolder, "README.md"), text);
  console.error(text);
}

/** What of a pretraining run's spec the card tells. */
interface Made {
  seed: string;
  from: string | null;
  learningRate: number;
  reading: number;
  skills: number;
  habits: number;
  pool: number;
}

function command({ seed, from, learningRate, reading, skills, habits, pool }: Made): string {
  const settings = { reading, skills, habits, pool, lr: learningRate, seed };
  const given = Object.entries(settings).map(([key, value]) => `--${key} ${value}`);
  return `node dist/datasets/base-policy/pretrain.js ${given.join(" ")}${from === null ? "" : " --from EARLIER"}`;
}

function origin({ from }: Made): string {
  return from === null
    ? "It started from random weights."
    : `EARLIER, where it started, is ${args.earlier}.`;
}

function cell({ accuracy, low, high }: Accuracy): string {
  const percent = (value: number): string => (100 * value).toFixed(1);
  return `${percent(accuracy)} [${percent(low)}, ${percent(high)}]`;
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
