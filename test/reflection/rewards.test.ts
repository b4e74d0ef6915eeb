import assert from "node:assert/strict";
import { createRandom } from "../../lib/engine/random";
import { goldOf } from "../../lib/reflection/answer-type";
import { withGuards } from "../../lib/reflection/guards";
import { rewardConfig, rewardPresets, type RewardConfig } from "../../lib/reflection/reward-config";
import {
  accuracyReward,
  effectivenessReward,
  formatReward,
  lengthReward,
  reflectionFormatReward,
} from "../../lib/reflection/reward-parts";
import { scoreResponse, type RewardBreakdown } from "../../lib/reflection/rewards";
import { parseResponse, renderResponse, renderSolution } from "../../lib/reflection/template";
import type { Transition } from "../../lib/types";

const problem = { answer: "61", answerType: "number" as const };

/** Words and tags are one token each. */
const tokenCount = (text: string): number => text.match(/<[^>]*>|[^\s<]+/g)?.length ?? 0;

const ANSWERS: Record<Transition, [string, string]> = {
  RR: ["61", "61"],
  WR: ["51", "61"],
  RW: ["61", "51"],
  WW: ["51", "52"],
};

/** A well-formed response whose length is exactly at f_len's target under `tokenCount`. */
function atTarget(transition: Transition): string {
  const [one, two] = ANSWERS[transition];
  // b = 19 + 1 = 20; target 40 = 10 tags + 20 + the rest, 10.
  return renderResponse({
    first: { think: "w ".repeat(19).trim(), answer: one },
    reflection: "w w w w w",
    second: { think: "w w w w", answer: two },
  });
}

function score(text: string, config: RewardConfig): RewardBreakdown {
  return scoreResponse({ response: parseResponse(text), problem, config, tokenCount });
}

function near(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 1e-12, `${actual} is not ${expected}`);
}

const PARTS = ["format", "accuracy", "efficacy", "reflection_format", "length"] as const;

describe("reflection/rewards", () => {
  it("pays by the paper's formula 1.60, 1.35, 1.10 and 0.85", () => {
    const totals: Record<Transition, number> = { RR: 1.6, WR: 1.35, RW: 1.1, WW: 0.85 };
    for (const [transition, total] of Object.entries(totals) as [Transition, number][]) {
      const reward = score(atTarget(transition), rewardPresets.paper);
      assert.equal(reward.transition, transition);
      assert.equal(reward.format, 0.5);
      assert.equal(reward.reflection_format, 0.25);
      near(reward.length, 0.1);
      near(reward.total, total);
    }
  });

  it("pays by the published table 0.75, 1.00, 0.25 and 0 for the answers", () => {
    const sums: Record<Transition, number> = { RR: 0.75, WR: 1, RW: 0.25, WW: 0 };
    for (const preset of ["official-code", "official-intended"] as const) {
      for (const [transition, sum] of Object.entries(sums) as [Transition, number][]) {
        const reward = score(atTarget(transition), rewardPresets[preset]);
        near(reward.accuracy + reward.efficacy, sum);
        near(reward.total, sum + 0.5 + 0.1);
        assert.equal(reward.reflection_format, 0);
      }
      const early = "So: " + atTarget("RR");
      assert.equal(score(early, rewardPresets[preset]).format, 0.5);
    }
    const early = "So: " + atTarget("RR");
    assert.equal(score(early, rewardPresets.paper).format, 0);
  });

  it("has f_len's values at the ratios of the paper's formula, the same on both sides of the target", () => {
    const table: [number, number][] = [
      [1, 0.018],
      [1.25, 0.105],
      [1.5, 0.368],
      [1.75, 0.779],
      [2, 1],
      [2.25, 0.779],
      [2.5, 0.368],
      [3, 0.018],
    ];
    for (const [ratio, value] of table) {
      const given = lengthReward({ response: ratio * 200, target: 400, max: 500 });
      assert.equal(Number(given.toFixed(3)), value, `at ${ratio} b`);
    }
  });

  it("turns off one part in each ablation and leaves the others as they are", () => {
    const cases = [
      ["no-effectiveness", "efficacy"],
      ["no-reflection-format", "reflection_format"],
      ["no-length", "length"],
    ] as const;
    for (const [preset, off] of cases) {
      const whole = score(atTarget("WR"), rewardPresets.paper);
      const part = score(atTarget("WR"), rewardPresets[preset]);
      assert.notEqual(whole[off], 0);
      assert.equal(part[off], 0);
      near(part.total, whole.total - whole[off]);
      assert.equal(part.reasons[off], undefined, "what is not paid needs no reason");
    }
  });

  it("pays plain GRPO for one solution, and task reward alone for two", () => {
    const single = renderSolution({ think: "w", answer: "61" });
    const plain = score(single, rewardPresets["task-only"]);
    near(plain.total, 1);
    assert.deepEqual(plain.faults, []);
    near(score(renderSolution({ think: "w", answer: "6" }), rewardPresets["task-only"]).total, 0.5);
    const twice = score(atTarget("RR"), rewardPresets["task-only"]);
    assert.equal(twice.format, 0);
    assert.match(twice.reasons.format ?? "", /one solution was asked for/);
    near(score(atTarget("RR"), rewardPresets["no-reflection-reward"]).total, 1);
  });

  it("pays a single right answer, where the published code fell to 0", () => {
    for (const preset of ["paper", "official-intended"] as const) {
      const reward = score("<think>w</think><answer>61</answer>", rewardPresets[preset]);
      assert.equal(reward.total, 0.5);
      assert.equal(reward.accuracy, 0.5);
      assert.equal(reward.transition, null);
      assert.equal(reward.second, null);
      assert.match(reward.reasons.efficacy ?? "", /no two answers/);
      assert.match(reward.reasons.length ?? "", /no two solutions/);
      assert.match(reward.reasons.format ?? "", /no-reflection/);
    }
  });

  it("compares a bare letter as a choice in every transition, where the published code lost I_eff", () => {
    const letters: [string, string, Transition][] = [
      ["A", "A", "RR"],
      ["B", "\\boxed{A}", "WR"],
      ["(A)", "B", "RW"],
      ["B", "C", "WW"],
      ["E", "e", "WW"],
    ];
    for (const [one, two, transition] of letters) {
      const response = parseResponse(
        renderResponse({
          first: { think: "w", answer: one },
          reflection: "r",
          second: { think: "w", answer: two },
        }),
      );
      const reward = scoreResponse({
        response,
        problem: { answer: "A", answerType: "choice", choices: ["1", "2", "3", "4", "5"] },
        config: rewardPresets.paper,
        tokenCount,
      });
      assert.equal(reward.transition, transition, `${one} then ${two}`);
      assert.equal(reward.efficacy, rewardPresets.paper.effectiveness[transition]);
    }
  });

  it("does not pay everybody where the gold answer cannot be read as mathematics", () => {
    const response = parseResponse("<think>w</think><answer>7</answer>");
    const gold = { answer: "\\frac{", answerType: "number" as const };
    const reward = scoreResponse({
      response,
      problem: gold,
      config: rewardPresets.paper,
      tokenCount,
    });
    assert.equal(reward.accuracy, 0);
  });

  it("pays I_ref for a proper reflection whatever is wrong elsewhere, and for no other", () => {
    const pay = (text: string): number =>
      reflectionFormatReward(parseResponse(text), rewardPresets.paper);
    const one = "<think>a</think><answer>1</answer>";
    assert.equal(pay(one + "<reflection>r</reflection><answer>2</answer> tail"), 0.25);
    assert.equal(pay(one + "<reflection> </reflection><answer>2</answer>"), 0);
    assert.equal(pay("<reflection>r</reflection>" + one + one), 0);
    assert.equal(pay(one + one + "<reflection>r</reflection>"), 0);
    assert.equal(pay(one), 0);
  });

  it("does not pay I_ref for a reflection that is never closed", () => {
    const text =
      "<think>a</think><answer>1</answer><reflection>r<think>b</think><answer>2</answer>";
    assert.equal(reflectionFormatReward(parseResponse(text), rewardPresets.paper), 0);
  });

  it("lets the answer that counts be chosen", () => {
    const on = (accuracyOn: RewardConfig["accuracyOn"]) =>
      [
        [true, true],
        [false, true],
        [true, false],
        [false, false],
        [true, null],
        [false, null],
      ].map(([first, second]) =>
        accuracyReward(first === true, second, { accuracyWeight: 0.5, accuracyOn }),
      );
    assert.deepEqual(on("first"), [0.5, 0, 0.5, 0, 0.5, 0]);
    assert.deepEqual(on("final"), [0.5, 0.5, 0, 0, 0.5, 0]);
    assert.deepEqual(on("either"), [0.5, 0.5, 0.5, 0, 0.5, 0]);
    assert.equal(effectivenessReward(null, rewardPresets.paper), 0);
    assert.equal(formatReward({ faults: [] }, rewardPresets.paper), 0.5);
  });

  it("takes the first solution for at least as long as the floor", () => {
    const short = renderResponse({
      first: { think: "w", answer: "61" },
      reflection: "w ".repeat(20).trim(),
      second: { think: "w", answer: "61" },
    });
    const bare = score(short, rewardPresets.paper);
    const guarded = score(short, rewardConfig("paper", { lengthBaseFloor: 17 }));
    assert.deepEqual(bare.lengths, { response: 34, base: 2, target: 4, max: 5 });
    assert.deepEqual(guarded.lengths, { response: 34, base: 17, target: 34, max: 42.5 });
    near(guarded.length, 0.1);
    assert.ok(bare.length < 1e-100);
  });

  it("is finite, adds up and gives a reason for every zero, whatever the text", () => {
    const texts = [
      "",
      "61",
      "<think></think><answer></answer>",
      "<think></think><answer></answer><reflection></reflection><think></think><answer></answer>",
      "<answer>" + "9".repeat(1e5) + "</answer>",
      "<think>\u0000</think><answer>NaN</answer>",
      atTarget("RR").repeat(50),
      "<think>a</think><answer>\\frac{1}{0}</answer>",
      "<think>a</think><answer>9^{9^{9^9}}</answer>",
      "<answer>Infinity</answer>",
      "</answer>".repeat(100),
    ];
    for (const text of texts) {
      for (const config of Object.values(rewardPresets)) {
        for (const count of [tokenCount, () => 0, () => NaN]) {
          const reward = scoreResponse({
            response: parseResponse(text),
            problem,
            config,
            tokenCount: count,
          });
          near(
            reward.total,
            PARTS.reduce((sum, part) => sum + reward[part], 0),
          );
          const paid = {
            format: config.formatWeight,
            accuracy: config.accuracyWeight,
            length: config.alpha,
            efficacy: config.effectiveness.WR,
            reflection_format: config.reflectionFormat,
          };
          for (const part of PARTS) {
            assert.ok(Number.isFinite(reward[part]));
            const silent = reward[part] === 0 && paid[part] !== 0 && !reward.reasons[part];
            assert.equal(silent, false, `${part} of ${text.slice(0, 40)}`);
          }
        }
      }
    }
  });

  it("pays by Octopus 0.9 times its table and 0.1 for the format", () => {
    const octopus = rewardPresets.octopus;
    const table: Record<Transition, number> = { RR: 0.75, WR: 1, RW: -0.25, WW: 0 };
    for (const [transition, value] of Object.entries(table) as [Transition, number][]) {
      near(score(atTarget(transition), octopus).total, 0.9 * value + 0.1);
    }
    const half = (think: string, answer: string) => ({ think, answer });
    const twice = (one: ReturnType<typeof half>, two: ReturnType<typeof half>): number =>
      score(renderResponse({ first: one, reflection: "r", second: two }), octopus).total;
    // Two equal solutions are held to 0.5, an empty first answer to 0, an ill-formed second solution to 0.5.
    near(twice(half("w", "61"), half("w", "61")), 0.9 * 0.5 + 0.1);
    near(twice(half("w", ""), half("v", "61")), 0);
    const noThink = atTarget("WR").replace("<think>w w w w</think>", "");
    near(score(noThink, octopus).total, 0.9 * 0.5);
    // Without a second solution: accuracy less one half, and no format.
    near(score(renderSolution(half("w", "61")), octopus).total, 0.9 * 0.5);
    near(score(renderSolution(half("w", "51")), octopus).total, -0.9 * 0.5);
    near(score("", octopus).total, -0.9 * 0.5);
  });

  it("survives any text, tokenizer and gold answer, by any preset, with all guards", () => {
    const random = createRandom("hostile rewards");
    const pieces = [
      ...["<think>", "</think>", "<answer>", "</answer>", "<reflection>", "</reflection>"],
      ...[
        "61",
        "\\boxed{",
        "}",
        "$",
        "\\frac{1}{",
        "9^{9^{9",
        "<",
        ">",
        "\u0000",
        "\ud800",
        "\u202e",
      ],
      ...[
        "А",
        "６１",
        " ",
        "\n",
        "A",
        "(B)",
        "or",
        "NaN",
        "Infinity",
        "-",
        "\\",
        "[0,",
        "w w w",
        "🤔",
      ],
    ];
    const counters = [tokenCount, (text: string) => text.length, () => NaN, () => Infinity];
    const broken = (): number => {
      throw new Error("no such token");
    };
    const golds = ["61", "A", "\\frac{", "", "x>2", "right angle"];
    const configs = Object.values(rewardPresets).flatMap((config) => [
      config,
      withGuards(config, ["all"]),
    ]);
    for (let i = 0; i < 400; i++) {
      const text = Array.from({ length: random.int(0, 30) }, () => random.pick(pieces)).join("");
      const response = parseResponse(text, { truncated: random.chance(0.2) });
      const given = goldOf(random.pick(golds));
      const config = random.pick(configs);
      const counter = random.pick([...counters, broken]);
      const reward = scoreResponse({
        ...{ response, problem: given, config, tokenCount: counter },
        firstAccuracy: random.pick([undefined, 0, 0.5, NaN, -1]),
      });
      near(
        reward.total,
        PARTS.reduce((sum, part) => sum + reward[part], 0),
      );
      const paid = {
        format: config.formatWeight,
        accuracy: config.accuracyWeight,
        length: config.alpha,
        efficacy: config.effectiveness.WR,
        // The published code has no such part.
        reflection_format: config.scorer === "equations" ? config.reflectionFormat : 0,
      };
      for (const part of PARTS) {
        assert.ok(Number.isFinite(reward[part]), `${part} of ${JSON.stringify(text)}`);
        if (reward[part] === 0 && paid[part] !== 0) {
          assert.ok(
            reward.reasons[part],
            `${part} of ${JSON.stringify(text)} is 0 without a reason`,
          );
        }
      }
      if (reward.lengths !== null) {
        assert.ok(Object.values(reward.lengths).every(Number.isFinite));
      }
    }
  });

  it("says why a length could not be measured", () => {
    const reward = scoreResponse({
      ...{ response: parseResponse(atTarget("RR")), problem, config: rewardPresets.paper },
      tokenCount: () => {
        throw new Error("unknown byte");
      },
    });
    assert.match(reward.reasons.length ?? "", /unknown byte/);
    near(reward.total, 1.5);
  });

  it("refuses configurations that cannot be", () => {
    assert.throws(() => rewardConfig("papr" as "paper"), /no such preset.*papr.*official-code/);
    assert.throws(() => rewardConfig("toString" as "paper"), /no such preset/);
    assert.throws(() => rewardConfig("paper", { alpha: NaN }), /alpha/);
    assert.throws(() => rewardConfig("paper", { maxRatio: 2 }), /maxRatio/);
    assert.throws(() => rewardConfig("paper", { lengthBaseFloor: -1 }), /lengthBaseFloor/);
    assert.throws(
      () => rewardConfig("paper", { payCopies: "no" } as unknown as Partial<RewardConfig>),
      /payCopies.*true or false/,
    );
    assert.throws(
      () => rewardConfig("paper", { alpha: "1" } as unknown as Partial<RewardConfig>),
      /alpha/,
    );
    assert.throws(
      () => rewardConfig("paper", { alfa: 1 } as Partial<RewardConfig>),
      /unknown key alfa/,
    );
    assert.throws(
      () => rewardConfig("paper", { effectiveness: { RR: 1 } as RewardConfig["effectiveness"] }),
      /lacks WR, RW, WW/,
    );
  });
});
