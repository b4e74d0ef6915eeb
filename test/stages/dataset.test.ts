import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { generateItems, materialize } from "../../datasets/visual-math/problems";
import { readJsonl } from "../../lib/engine/files";
import { basePolicyFolder, projectRoot } from "../../lib/paths";
import { teachAttempts } from "../../lib/reflection/construction";
import type { SharegptRecord } from "../../lib/reflection/records";
import { createRuleTeacher } from "../../lib/reflection/teacher";
import { exportDataset } from "../../lib/stages/dataset";
import type { ReflectionSample } from "../../lib/types";
import { needPeer } from "../peers";
import { temporaryFolder } from "../policy/fixture";
import { rightAttempt, wrongAttempt } from "../reflection/stage-one";

const LOADER = "test/stages/load_with_llamafactory.py";

describe("stages/dataset", function () {
  this.timeout(120_000);
  const root = temporaryFolder();
  const folder = join(root, "dataset");
  let samples: ReflectionSample[];

  before(async () => {
    const items = generateItems({ split: "sft", count: 10, seed: "export", allowRepeats: true });
    const problems = await materialize(items, join(root, "pictures"));
    // Two questions about one picture, and one about two.
    problems[1].images = problems[0].images;
    problems[2].images = [...problems[2].images, ...problems[3].images];
    const attempts = problems.map((problem, i) => (i % 3 ? wrongAttempt : rightAttempt)(problem));
    const teacher = { ...createRuleTeacher(), settings: { prompts: "p1" } };
    ({ samples } = await teachAttempts(attempts, { teacher, policy: "base 1", seed: 1 }));
    assert.equal(samples.length, 10);
    samples[4].problem.source = "llava-cot";
    samples[5].provenance.quality = { score: 4, comment: "clear", judge: "j" };
  });

  it("writes a folder that can be moved, each picture once", () => {
    const aside = join(root, "aside");
    exportDataset({ samples, folder: aside });
    renameSync(aside, folder);
    assert.equal(readdirSync(join(folder, "images")).length, 9);
    const records = readJsonl<SharegptRecord>(join(folder, "reflection.jsonl"));
    const rows = readJsonl<ReflectionSample>(join(folder, "samples.jsonl"));
    assert.equal(records.length, 10);
    records.forEach(({ messages, images }, i) => {
      const marks = messages.map(({ content }) => content.match(/<image>/g)?.length ?? 0);
      assert.deepEqual(marks, [0, images.length, 0]);
      for (const image of images) assert.ok(existsSync(join(folder, image)), image);
      assert.deepEqual(rows[i].problem.images, images);
      const from = samples[i].problem.images.map((path) => readFileSync(path).toString("base64"));
      const to = images.map((path) => readFileSync(join(folder, path)).toString("base64"));
      assert.deepEqual(to, from);
    });
    assert.match(records[0].messages[0].content, /two rounds/);
  });

  it("writes a card with counts, shares, lengths, sources, licences, who wrote what, and the filters", () => {
    const dropped = [{ reason: "truncated", right: 1, wrong: 2 }];
    const numbers = exportDataset({ samples, folder, title: "My set", dropped });
    assert.deepEqual(
      [numbers.samples, numbers.right, numbers.wrong, numbers.rightShare, numbers.images],
      [10, 4, 6, 0.4, 9],
    );
    assert.equal(
      numbers.strata.reduce((sum, { right, wrong }) => sum + right + wrong, 0),
      10,
    );
    const words = samples
      .map(({ reflection }) => reflection.split(" ").length)
      .sort((a, b) => a - b);
    const row = numbers.lengths.find(({ part }) => part === "reflection");
    assert.deepEqual(row, {
      ...{ part: "reflection", least: words[0], median: words[4], p95: words[9], most: words[9] },
      mean: words.reduce((a, b) => a + b) / 10,
    });
    assert.deepEqual(numbers.judges, { j: 1 });
    const card = readFileSync(join(folder, "README.md"), "utf8");
    for (const part of [
      ...[/^---\nlicense: other\n/, /# My set/, /\| truncated \| 1 \| 2 \|/, /40\.0 %/],
      ...[/LLaVA-CoT-100k: Apache-2\.0/, /visual-math.*: MIT/, /base 1: 10/, /rule \(prompts p1\)/],
      ...[/1\. a part that is empty/, /You teach a student/, /You grade solutions/],
    ]) {
      assert.match(card, part);
    }
  });

  it("is read by LLaMA-Factory's own loader: every sample, its pictures, and the response as what is learned", function () {
    const python = needPeer(this, "llamafactory");
    exportDataset({ samples, folder, style: "reflect" });
    const files = { srpo_reflection: "reflection.jsonl", srpo_plain_cot: "plain-cot.jsonl" };
    const out = execFileSync(
      python,
      [join(projectRoot, LOADER), "load", folder, basePolicyFolder, ...Object.keys(files)],
      { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], timeout: 110_000 },
    );
    const loaded = JSON.parse(out.trim().split("\n").at(-1) as string) as Record<
      string,
      { learned: string[]; images: string[][]; picture_tokens: number[] }
    >;
    for (const [name, file] of Object.entries(files)) {
      const { learned, images, picture_tokens } = loaded[name];
      const records = readJsonl<SharegptRecord>(join(folder, file));
      assert.deepEqual(
        learned.map((text) => text.replace(/<\|im_end\|>\n?$/, "")),
        records.map(({ messages }) => messages[2].content),
      );
      assert.deepEqual(
        images,
        records.map((record) => record.images.map((path) => join(folder, path))),
      );
      assert.equal(picture_tokens.length, 10);
      for (const tokens of picture_tokens) assert.ok(tokens > 0);
    }
  });
});
