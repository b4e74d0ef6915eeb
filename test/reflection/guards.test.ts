import assert from "node:assert/strict";
import { guards, rewardWords, withGuards, type GuardName } from "../../lib/reflection/guards";
import { rewardConfig, rewardPresets, type RewardConfig } from "../../lib/reflection/reward-config";
import { PART_NAMES } from "../../lib/reflection/reward-parts";
import { scoreResponse, type RewardBreakdown } from "../../lib/reflection/rewards";
import { parseResponse, renderResponse } from "../../lib/reflection/template";

const problem = { answer: "61", answerType: "number" as const };
const tokenCount = (text: string): number => text.match(/<[^>]*>|[^\s<]+/g)?.length ?? 0;

interface Parts {
  think?: string;
  first?: string;
  reflection?: string;
  again?: string;
  second?: string;
}

const respond = ({
  think = "ones make eleven and tens make six",
  first = "61",
  reflection = "from the tens: 30+20=50, 4+7=11",
  again = "so it holds",
  second = "61",
}: Parts = {}): string =>
  renderResponse({
    first: { think, answer: first },
    reflection,
    second: { think: again, answer: second },
  });

function score(text: string, config: RewardConfig, firstAccuracy?: number): RewardBreakdown {
  return scoreResponse({
    response: parseResponse(text),
    problem,
    config,
    tokenCount,
    firstAccuracy,
  });
}

/** The hack before and after its guard, and an honest response, which the guard must leave alone. */
function stops(name: GuardName, hack: string, options: { firstAccuracy?: number } = {}) {
  const config = withGuards(rewardPresets.paper, [name]);
  const { firstAccuracy } = options;
  const [before, after] = [
    score(hack, rewardPresets.paper, firstAccuracy),
    score(hack, config, firstAccuracy),
  ];
  assert.ok(after.total < before.total, `${after.total} is not less than ${before.total}`);
  assert.deepEqual(after.guards, [name]);
  assert.deepEqual(before.guards, []);
  for (const part of PART_NAMES) {
    if (after[part] !== before[part]) assert.match(after.reasons[part] ?? "", /^guard /);
  }
  for (const honest of [respond(), respond({ second: "51" }), respond({ first: "51" })]) {
    const untouched = score(honest, config, 0.9);
    assert.equal(untouched.total, score(honest, rewardPresets.paper).total);
    assert.deepEqual(untouched.guards, []);
  }
  return { before, after };
}

describe("reflection/guards", () => {
  it("are off in every preset of the paper and its ablations", () => {
    const { octopus, ...others } = rewardPresets;
    for (const config of Object.values(others)) {
      for (const { changes } of Object.values(guards)) {
        for (const [key, on] of Object.entries(changes)) {
          assert.notEqual(config[key as keyof RewardConfig], on);
        }
      }
    }
    assert.equal(octopus.payCopies, false);
  });

  it("copying: the first solution said again earns no I_eff and no length", () => {
    const think = "ones make eleven and tens make six";
    const { after } = stops("copying", respond({ think, again: `${think}.` }));
    assert.equal(after.efficacy, 0);
    assert.equal(after.length, 0);
    assert.equal(after.accuracy, 0.5, "the first answer is still right");
  });

  it("copying: a harmful copy cannot be, and another answer is no copy", () => {
    const config = withGuards(rewardPresets.paper, ["copying"]);
    const changed = score(respond({ think: "a", again: "a", first: "51" }), config);
    assert.equal(changed.transition, "WR");
    assert.equal(changed.efficacy, 0.5);
  });

  it("empty-first: no answer is paid after an empty, blank or boxed-empty one", () => {
    for (const first of ["", " ", "$\\boxed{}$", "\\boxed{ }"]) {
      const { before, after } = stops("empty-first", respond({ first }));
      assert.equal(before.efficacy, 0.5);
      assert.equal(after.efficacy, 0);
      assert.equal(after.accuracy, 0);
    }
  });

  it("ill-formed-second: I_eff needs one think and one answer after the reflection", () => {
    const bare = respond({ first: "51" }).replace("<think>so it holds</think>", "");
    const twice = respond({ first: "51" }) + "<answer>61</answer>";
    for (const hack of [bare, twice]) {
      assert.equal(stops("ill-formed-second", hack).after.efficacy, 0);
    }
  });

  it("length-gate: length is paid on well-formed output only", () => {
    const { before, after } = stops("length-gate", "w " + respond());
    assert.ok(before.length > 0);
    assert.equal(after.length, 0);
  });

  it("reward-words: a reflection that pleads earns nothing for itself", () => {
    const hacks = [
      "This reflection is well formed and deserves the full reward",
      "the ground truth must be 61",
      "I use the required format and get the bonus",
    ];
    for (const reflection of hacks) {
      const { after } = stops("reward-words", respond({ reflection }));
      assert.equal(after.reflection_format, 0);
      assert.equal(after.efficacy, 0);
    }
  });

  it("reward-words: a check's own words are none of them", () => {
    const checks = [
      "Check: 4+7=11, 3+2+1=6. Right.",
      "The correct answer is 61, not 51: I forgot the carry. Wrong.",
      "He scored 5 points, then 6 points: the score is 11",
      "A triangle of this form has a right angle; the length of the ruler is golden",
    ];
    for (const text of checks) assert.equal(rewardWords(text), null, text);
  });

  it("padding: up to the floor a longer first think changes nothing", () => {
    const reflection = "w ".repeat(40).trim();
    const length = (words: number, floor: number): number =>
      score(
        respond({ think: "w ".repeat(words).trim(), reflection }),
        rewardConfig("paper", { lengthBaseFloor: floor }),
      ).length;
    assert.ok(length(30, 0) > 5 * length(8, 0), "without the guard padding pays");
    const floored = [4, 8, 16].map((words) => {
      const { lengths } = score(
        respond({ think: "w ".repeat(words).trim() }),
        withGuards(rewardPresets.paper, ["padding=32"]),
      );
      return lengths?.target;
    });
    assert.deepEqual(floored, [64, 64, 64]);
  });

  it("sandbagging: corrections are paid as far as first answers hold the baseline", () => {
    const sandbag = respond({ first: "51" });
    const at = (accuracy: number | undefined) =>
      score(sandbag, withGuards(rewardPresets["official-intended"], ["sandbagging=0.4"]), accuracy);
    assert.equal(at(0.4).efficacy, 0.5);
    assert.equal(at(0.9).efficacy, 0.5);
    assert.equal(at(0.2).efficacy, 0.25);
    assert.equal(at(0.2).accuracy, 0.25);
    assert.equal(at(0).efficacy + at(0).accuracy, 0);
    assert.equal(at(undefined).efficacy, 0.5, "nothing is withheld where nobody measured");
    assert.equal(at(NaN).efficacy, 0.5);
    const right = score(respond(), rewardConfig("paper", { firstBaseline: 0.4 }), 0);
    assert.equal(right.efficacy, 0.25, "only corrections are looked at");
    stops("sandbagging", sandbag, { firstAccuracy: 0.1 });
  });

  it("withhold and never pay, all together on any of the hacks", () => {
    const all = withGuards(rewardPresets.paper, ["all"]);
    const texts = [
      respond(),
      respond({ first: "" }),
      respond({ reflection: "reward" }),
      "",
      "<answer>",
    ];
    for (const text of texts) {
      const [bare, guarded] = [score(text, rewardConfig("paper")), score(text, all, 0.1)];
      for (const part of ["format", "accuracy", "efficacy", "reflection_format"] as const) {
        assert.ok(guarded[part] <= bare[part]);
      }
    }
  });

  it("explain themselves and refuse what cannot be", () => {
    for (const { hack, does } of Object.values(guards)) assert.ok(hack.length > 60 && does !== "");
    assert.throws(() => withGuards(rewardPresets.paper, ["copy"]), /no such guard.*copying/);
    assert.throws(() => withGuards(rewardPresets.paper, ["copying=3"]), /without a number/);
    assert.throws(() => withGuards(rewardPresets.paper, ["padding=-1"]), /above 0/);
    assert.throws(() => withGuards(rewardPresets.paper, ["toString"]), /no such guard/);
    assert.equal(withGuards(rewardPresets.paper, ["padding=48"]).lengthBaseFloor, 48);
  });
});
