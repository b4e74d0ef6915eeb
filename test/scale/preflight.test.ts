import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { loadSpec, type SpecChanges } from "../../lib/config";
import { loadImageProcessor, measureImage } from "../../lib/policy/image-processor";
import { readPolicyConfig } from "../../lib/policy/config";
import { loadTokenizer } from "../../lib/policy/tokenizer";
import { loadPolicy } from "../../lib/policy/checkpoint";
import { rewardConfig } from "../../lib/reflection/reward-config";
import { writeExport } from "../../lib/scale/exports/export";
import { parameterCount } from "../../lib/policy/memory";
import { estimateHours } from "../../lib/scale/preflight/estimate";
import type { Finding } from "../../lib/scale/preflight/finding";
import { preflight } from "../../lib/scale/preflight/preflight";
import { startRewardServer } from "../../lib/scale/reward-server/server";
import { loadProblems } from "../../lib/stages/problems";
import type { Problem } from "../../lib/types";
import { BASE_POLICY, CHECKPOINT, temporaryFolder } from "../policy/fixture";

/** Qwen2.5-VL-7B's shape. */
const SEVEN = {
  decoder: {
    ...{ vocabSize: 152_064, hiddenSize: 3584, intermediateSize: 18_944, layers: 28, heads: 28 },
    ...{ kvHeads: 4, headDim: 128, tiedHead: false },
  },
  vision: {
    ...{ depth: 32, hiddenSize: 1280, intermediateSize: 3420, heads: 16, channels: 3 },
    ...{ patchSize: 14, temporalPatchSize: 2, mergeSize: 2, outputSize: 3584 },
  },
} as unknown as Parameters<typeof parameterCount>[0];

describe("preflight", function () {
  this.timeout(60_000);
  const folder = temporaryFolder();
  let problems: Problem[];
  let exports = 0;
  before(
    async () => (problems = await loadProblems(loadSpec({ problems: { rl: 8 } }, "small"), "rl")),
  );

  const look = async (
    {
      target = "verl",
      changes = {},
      rows = problems,
    }: { target?: string; changes?: SpecChanges; rows?: Problem[] } = {},
    options: {
      checkpoint?: string;
      rewardUrl?: string;
      versions?: () => Promise<Record<string, string>>;
    } = {},
  ): Promise<Record<string, Finding>> => {
    const out = join(folder, `export-${exports++}`);
    const own = { grpo: { prompts: 8, group: 8, miniBatches: 1, steps: 3, ...changes.grpo } };
    const spec = loadSpec({ ...changes, ...own }, "srpo-7b");
    await writeExport(target, { spec, folder: out, train: rows });
    const findings = await preflight({ folder: out, checkpoint: BASE_POLICY, ...options });
    return Object.fromEntries(findings.map((finding) => [finding.name, finding]));
  };

  it("finds nothing wrong with what is in order, and says what it did not look at", async () => {
    const found = await look();
    for (const [name, { status, detail }] of Object.entries(found)) {
      const expected = ["estimates", "reward server", "versions"].includes(name) ? "skipped" : "ok";
      assert.equal(status, expected, `${name}: ${detail}`);
    }
    assert.ok(Object.keys(found).length >= 11);
  });

  it("counts the tokens of a prompt as the policy sees them", async () => {
    const { lengths } = await look();
    const tokenizer = loadTokenizer(BASE_POLICY);
    const path = join(folder, "wide.jpg");
    // Turned by its EXIF data, as photographs of telephones are.
    await sharp({ create: { width: 500, height: 200, channels: 3, background: "red" } })
      .withMetadata({ orientation: 6 })
      .toFile(path);
    const processor = loadImageProcessor(BASE_POLICY);
    assert.deepEqual(
      await measureImage(path, processor.config),
      (await processor.processImage(path)).grid,
    );
    const { grid } = await processor.processImage(problems[0].images[0]);
    const ofImage = (grid[1] * grid[2]) / processor.config.mergeSize ** 2;
    assert.equal(lengths.numbers?.image_tokens_mean, ofImage);
    assert.ok((lengths.numbers?.max ?? 0) > ofImage + tokenizer.countTokens(problems[0].question));
  });

  it("lists rows that the target would drop, and fails where it would stop", async () => {
    const long = { ...problems[0], id: "long", question: "why? ".repeat(2000) };
    const rows = [...problems, long];
    const verl = await look({ rows });
    assert.equal(verl.lengths.status, "warning");
    assert.match(verl.lengths.detail, /1 of 9 over 2048 are left out: long/);
    const openrlhf = await look({ rows, target: "openrlhf" });
    assert.deepEqual(
      [openrlhf.lengths.status, openrlhf["pixel limits"].status],
      ["fail", "warning"],
    );
    const few = await look({ rows: [...problems.slice(1), long] });
    assert.equal(few.lengths.status, "fail");
  });

  it("notices what does not divide and too little data", async () => {
    const { divisibility, data } = await look({
      changes: {
        grpo: { prompts: 12, group: 2, miniBatches: 2 },
        cluster: { tensorParallel: 3, gpusPerNode: 8 },
      },
    });
    assert.equal(divisibility.status, "fail");
    assert.match(
      divisibility.detail,
      /optimiser step's rollouts by GPUs: 12 by 8.*tensorParallel: 8 by 3/,
    );
    assert.deepEqual([data.status, /not enough for one step/.test(data.detail)], ["fail", true]);
  });

  it("notices a template that begins the reply, and an end token that nobody generates", async () => {
    const checkpoint = join(folder, "checkpoint");
    mkdirSync(checkpoint);
    for (const name of [
      "tokenizer.json",
      "tokenizer_config.json",
      "preprocessor_config.json",
      "chat_template.jinja",
    ]) {
      cpSync(join(BASE_POLICY, name), join(checkpoint, name));
    }
    const template = readFileSync(join(checkpoint, "chat_template.jinja"), "utf8");
    const prefilled = template.replace("assistant\\n", "assistant\\n<think>");
    assert.notEqual(prefilled, template);
    writeFileSync(join(checkpoint, "chat_template.jinja"), prefilled);
    writeFileSync(join(checkpoint, "generation_config.json"), '{"eos_token_id": [1, 2]}');
    const found = await look({}, { checkpoint });
    assert.match(found.template.detail, /would miss the first tag/);
    assert.match(found["end of turn"].detail, /ends at 1, 2/);
    assert.deepEqual([found.template.status, found["end of turn"].status], ["fail", "fail"]);
  });

  it("asks the reward server and compares to the last bit", async () => {
    const tokenizer = loadTokenizer(BASE_POLICY);
    const other = { ...tokenizer, countTokens: (text: string) => text.length };
    const start = (own: typeof tokenizer, config = rewardConfig("paper")) =>
      startRewardServer({ config, tokenizer: own, token: null });
    const servers = [
      await start(tokenizer),
      await start(other),
      await start(tokenizer, rewardConfig("no-length")),
    ];
    const ask = async (rewardUrl: string) => (await look({}, { rewardUrl }))["reward server"];
    try {
      const [right, tokens, reward] = await Promise.all(servers.map(({ url }) => ask(url)));
      assert.deepEqual([right.status, right.detail], ["ok", "16 rewards as here, to the last bit"]);
      assert.match(tokens.detail, /16 of 16 rewards differ/);
      assert.match(reward.detail, /status 409/);
    } finally {
      await Promise.all(servers.map((server) => server.close(0)));
    }
    assert.match((await ask(servers[0].url)).detail, /ECONNREFUSED/);
  });

  it("names gold answers that no response can match", async () => {
    const lost = {
      ...problems[0],
      id: "lost",
      answer: "E",
      answerType: "choice" as const,
      choices: ["1", "2"],
    };
    const found = await look({ rows: [...problems, lost] });
    assert.match(found["gold answers"].detail, /1 of 9 are not right.*lost/);
    assert.equal(found["gold answers"].status, "fail");
  });

  it("compares versions", async () => {
    const ask = async (versions: Record<string, string>) =>
      (await look({}, { versions: async () => versions })).versions;
    assert.equal((await ask({ verl: "0.9.0" })).status, "ok");
    assert.match(
      (await ask({ verl: "0.7.1" })).detail,
      /0\.7\.1 is there, the export is for 0\.9\.1/,
    );
    assert.match((await ask({})).detail, /not installed/);
  });

  it("counts parameters as the checkpoints have them", () => {
    for (const checkpoint of [CHECKPOINT, BASE_POLICY]) {
      const { weights } = loadPolicy(checkpoint);
      const total = weights.names.reduce((sum, name) => sum + weights.get(name).size, 0);
      weights.dispose();
      assert.equal(parameterCount(readPolicyConfig(checkpoint)), total);
    }
    // As its authors state: 8.29 billion.
    assert.ok(Math.abs(parameterCount(SEVEN) / 8.29e9 - 1) < 0.005);
  });

  it("estimates the paper's own runs at the paper's own hours", () => {
    const close = (value: number, expected: number): boolean =>
      Math.abs(value / expected - 1) < 0.02;
    const [seven, large] = [loadSpec({}, "srpo-7b"), loadSpec({}, "srpo-32b")];
    assert.ok(close(estimateHours(seven, { parameters: 8.29e9 }), 31.2));
    assert.ok(close(estimateHours(large, { parameters: 33.45e9 }), 45.1));
    assert.ok(close(estimateHours(seven, { parameters: 8.29e9, samples: 10_000 }), 3.5));
  });
});
