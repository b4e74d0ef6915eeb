import assert from "node:assert/strict";
import { join } from "node:path";
import { LabError } from "../../lib/engine/errors";
import { writeFileAtomic, writeJsonl } from "../../lib/engine/files";
import { lastRollouts, readRollouts, rolloutTable } from "../../lib/lab/rollout-samples";
import { tableBundle } from "../../lib/lab/tables";
import { tokenCells, type ClipRule } from "../../lib/lab/token-cells";
import { tokensBundle, type TokenColours } from "../../lib/lab/token-view";
import { rewardConfig } from "../../lib/reflection/reward-config";
import { scoreResponse } from "../../lib/reflection/rewards";
import { parseResponse } from "../../lib/reflection/template";
import { tokenEnds, type RolloutRow } from "../../lib/train/rollouts";
import type { Problem } from "../../lib/types";
import { temporaryFolder } from "../policy/fixture";

const problem: Problem = {
  ...{ id: "sum-1", question: "How much?", images: [], answer: "7", answerType: "number" },
  ...{ family: "sums", level: 1, subject: "maths", source: "test" },
};

/** A rollout of these tokens; the last one ends the turn and is no text. */
function rollout(pieces: readonly string[], changes: Partial<RolloutRow> = {}): RolloutRow {
  const text = pieces.join("");
  const response = parseResponse(text);
  const reward = scoreResponse({
    ...{ response, problem, config: rewardConfig("paper"), tokenCount: (t) => t.length },
  });
  const { format, accuracy, efficacy, reflection_format, length, total } = reward;
  let end = 0;
  return {
    ...{ step: 1, problem: problem.id, text, truncated: false, reward, total, advantage: 1 },
    ...{ paid: { format, accuracy, efficacy, reflection_format, length }, custom: {} },
    tokens: {
      ids: pieces.map((_piece, i) => 100 + i),
      ends: pieces.map((piece) => (end += piece.length)),
      old: pieces.map(() => -1),
      current: pieces.map(() => -1),
    },
    ...changes,
  };
}

const PIECES = [
  ...["<think>", "3+4", "=6", "</think><answer>", "6", "</answer>", "<reflection>", "No.<b>"],
  ...["</reflection>", "<think>", "7", "</think>", "<answer>7", "</answer>", ""],
];
const rule: ClipRule = { loss: "grpo", clipLow: 0.2, clipHigh: 0.3 };

describe("the tokens of a rollout", () => {
  it("know which part they are, those on a border by most of their characters", () => {
    const cells = tokenCells(rollout(PIECES), rule);
    assert.equal(cells.map(({ text }) => text).join(""), PIECES.join(""));
    assert.deepEqual(
      cells.map(({ part }) => part),
      [
        ...["tag", "firstThink", "firstThink", "tag", "firstAnswer", "tag", "tag", "reflection"],
        ...["tag", "tag", "secondThink", "tag", "tag", "tag", "tag"],
      ],
    );
    const joined = ["<think>so</think><answer>", "7</", "answer>"];
    assert.deepEqual(
      tokenCells(rollout(joined), rule).map(({ part }) => part),
      ["tag", "tag", "tag"],
    );
    const mostly = ["<think>so</think><answer", ">777<", "/answer>"];
    assert.equal(tokenCells(rollout(mostly), rule)[1].part, "firstAnswer");
  });

  it("are clipped as PPO clips, and pushed where they are not", () => {
    const ratios = [0.7, 0.81, 1, 1.29, 1.31];
    const shifted = (advantage: number, mask?: number[]): RolloutRow => {
      const row = rollout(["a", "b", "c", "d", "e"], { advantage });
      const current = ratios.map((ratio) => Math.log(ratio) - 1);
      return { ...row, tokens: { ...row.tokens, current, mask } };
    };
    const sides = (row: RolloutRow, by = rule) => tokenCells(row, by).map(({ clipped }) => clipped);
    const pushes = (row: RolloutRow, by = rule) => tokenCells(row, by).map(({ push }) => push);
    assert.deepEqual(sides(shifted(1)), [null, null, null, null, "high"]);
    assert.deepEqual(sides(shifted(-1)), ["low", null, null, null, null]);
    assert.deepEqual(sides(shifted(0)), [null, null, null, null, null]);
    assert.deepEqual(pushes(shifted(1, [1, 0, 1, 1, 1])), [1, 0, 1, 1, 0]);
    assert.deepEqual(pushes(shifted(-1)), [0, -1, -1, -1, -1]);
    assert.deepEqual(pushes(shifted(0)), [0, 0, 0, 0, 0]);
    // CISPO stops no token; GSPO has one ratio, the geometric mean of all.
    assert.deepEqual(pushes(shifted(1), { ...rule, loss: "cispo" }), [1, 1, 1, 1, 1]);
    const [first, ...rest] = tokenCells(shifted(1), { ...rule, loss: "gspo" });
    const mean = ratios.reduce((a, b) => a * b) ** (1 / 5);
    assert.ok(Math.abs(first.ratio - mean) < 1e-12);
    assert.ok(rest.every(({ ratio }) => ratio === first.ratio));
  });

  it("end where they are decoded, also when a character is spread over several of them", () => {
    const bytes = Buffer.from("3°=é!");
    const decode = (ids: readonly number[]): string => Buffer.from(ids).toString("utf8");
    const ends = tokenEnds([...bytes], "3°=é!", decode);
    // °: 2 bytes, é: 2 bytes; both belong to their second one.
    assert.deepEqual(ends, [1, 1, 2, 3, 3, 4, 5]);
  });
});

describe("the view of a rollout's tokens", () => {
  const row = { ...rollout(PIECES), rule };
  row.tokens.current[1] = Math.log(1.5) - 1;

  it("says in words what it colours", () => {
    const by: TokenColours[] = ["part", "ratio", "clipping", "advantage"];
    const text = tokensBundle(row, { by })["text/plain"];
    const [head, parts, ratio, clipping, advantage] = text.split("\n");
    assert.match(head, /^step 1 · sum-1 · WR · reward 1\.25 \(format 0\.5, efficacy 0\.5, refl/);
    assert.match(
      parts,
      /^parts: <think> \[first think\] 3\+4=6 <\/think><answer> \[first answer\] 6 /,
    );
    assert.match(ratio, /^ratio: farthest from 1: "3\+4" 1\.5, /);
    assert.equal(clipping, "clipping: 0 below, 1 above, of 15 tokens");
    assert.equal(advantage, "advantage: 14 tokens pushed up, 0 down, 1 left alone");
  });

  it("holds every token once, harmless, with its numbers", () => {
    const html = String(tokensBundle(row, { by: "ratio" })["text/html"]);
    const spans = [...html.matchAll(/<span title="([^"]*)"[^>]*>([^<]*)<\/span>/g)];
    assert.equal(spans.length, PIECES.length);
    const unescaped = (text: string): string =>
      text.replace(/&#(\d+);/g, (_all, code: string) => String.fromCharCode(Number(code)));
    // The token that ends the turn is shown as a sign.
    assert.equal(spans.map(([, , text]) => unescaped(text)).join(""), `${PIECES.join("")}∎`);
    assert.match(
      unescaped(spans[1][1]),
      /token 2, id 101, first think\nlog p -1 → -0\.595, ratio 1\.5/,
    );
    assert.match(spans[1][1], /clipped high/);
  });

  it("colours a token by how far its ratio is within the clip's range", () => {
    const alphas = [1, 1.15, 1.31, 9, 0.9, 0.79, 0.1].map((ratio) => {
      const one = { ...rollout(["a"]), rule };
      one.tokens.current[0] = Math.log(ratio) - 1;
      const html = String(tokensBundle(one, { by: "ratio" })["text/html"]);
      return /<span title[^>]*background:#([0-9A-F]{6})([0-9a-f]{2})/.exec(html)?.slice(1) ?? [];
    });
    const strength = alphas.map(([, alpha]) => parseInt(alpha, 16));
    assert.ok(strength[0] === 0 && strength[1] > 0 && strength[1] < strength[2]);
    assert.deepEqual(
      [strength[3], strength[5], strength[6]],
      [strength[2], strength[2], strength[2]],
    );
    // Two directions, two colours.
    assert.equal(new Set(alphas.slice(1, 4).map(([colour]) => colour)).size, 1);
    assert.notEqual(alphas[1][0], alphas[4][0]);
  });
});

describe("a run's rollouts", function () {
  // The first table loads danfo.
  this.timeout(60_000);
  const root = temporaryFolder();
  const folder = join(root, "grpo-test-0123456789");
  before(() => {
    const spec = { grpo: { loss: "gspo", clipLow: 3e-4, clipHigh: 4e-4 } };
    writeFileAtomic(join(folder, "spec.json"), JSON.stringify(spec));
    writeJsonl(join(folder, "rollouts.jsonl"), [
      rollout(PIECES, { step: 1, total: 0.1 }),
      rollout(PIECES, { step: 6, total: 0.2, advantage: -0.5 }),
      rollout(["nothing | of it"], { step: 6, total: 0.9, problem: "sum-2" }),
    ]);
  });

  it("are those of the last step, best first, with the rule of their loss", () => {
    const rows = readRollouts(folder);
    assert.deepEqual(
      rows.map(({ step, total }) => [step, total]),
      [
        [6, 0.9],
        [6, 0.2],
      ],
    );
    assert.deepEqual(rows[0].rule, { loss: "gspo", clipLow: 3e-4, clipHigh: 4e-4 });
    assert.equal(readRollouts(folder, { step: 1 })[0].total, 0.1);
    assert.throws(
      () => readRollouts(folder, { step: 3 }),
      (error: Error) =>
        error instanceof LabError && /got 3, expected one of 1, 6/.test(error.message),
    );
  });

  it("make a table with text, parts and advantage", () => {
    const [, row] = rolloutTable(readRollouts(folder));
    assert.deepEqual(
      [row.transition, row.format, row.efficacy, row.total, row.advantage, row.tokens],
      ["WR", 0.5, 0.5, 0.2, -0.5, 15],
    );
    const { "text/plain": text, "text/html": html } = tableBundle(
      rolloutTable(readRollouts(folder)),
    );
    assert.ok(text.includes("nothing | of it") && text.includes("-0.500"));
    assert.ok(String(html).includes("3+4=6&#60;/think&#62;"));
  });

  it("are shown as samples where their problem is known", () => {
    const samples = lastRollouts(folder, [problem]);
    assert.equal(samples.length, 1);
    const [{ transition, firstCorrect, secondCorrect, total, rewards }] = samples;
    assert.deepEqual([transition, firstCorrect, secondCorrect, total], ["WR", false, true, 0.2]);
    assert.equal(rewards?.efficacy, 0.5);
  });
});
