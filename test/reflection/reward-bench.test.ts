import assert from "node:assert/strict";
import { withGuards } from "../../lib/reflection/guards";
import {
  advantagesAfter,
  advantagesWithout,
  groupSensitivity,
  standardise,
} from "../../lib/reflection/reward-bench/advantages";
import { attacks } from "../../lib/reflection/reward-bench/attacks";
import { benchReward, type BenchReport } from "../../lib/reflection/reward-bench/bench";
import { expectations, leastRecheck } from "../../lib/reflection/reward-bench/policies";
import {
  boxed,
  choiceQuestion,
  countWords,
  numberQuestion,
  specimen,
} from "../../lib/reflection/reward-bench/specimens";
import {
  calledOnce,
  pay,
  rewardFunction,
  type RewardFunction,
} from "../../lib/reflection/reward-bench/trial";
import { checkOrders, truthTable } from "../../lib/reflection/reward-bench/truth-table";
import { tryAttacks } from "../../lib/reflection/reward-bench/verdicts";
import { rewardConfig, rewardPresets, type RewardPreset } from "../../lib/reflection/reward-config";
import { isWellFormed, parseResponse } from "../../lib/reflection/template";

const paper = rewardFunction(rewardPresets.paper);

/** Words without repetition, which only a check has that says something. */
const richness = (text: string | null): number => new Set((text ?? "").split(/\s+/)).size;

function near(actual: number, expected: number, within = 1e-9): void {
  assert.ok(Math.abs(actual - expected) <= within, `${actual} is not ${expected}`);
}

function bench(preset: RewardPreset): Promise<BenchReport> {
  return benchReward({ name: preset, reward: rewardFunction(rewardPresets[preset]) });
}

function said(report: BenchReport, pattern: RegExp): string[] {
  return report.findings.filter(({ text }) => pattern.test(text)).map(({ text }) => text);
}

describe("reflection/reward-bench", function () {
  this.timeout(60_000);

  describe("specimens", () => {
    it("are well formed and exactly as long as asked", () => {
      for (const question of [numberQuestion, choiceQuestion, boxed(numberQuestion)]) {
        for (const [firstTokens, reflectionTokens, secondTokens] of [
          [2, 1, 2],
          [17, 30, 6],
          [90, 200, 40],
        ]) {
          const text = specimen({
            ...{ first: question.right, second: question.wrong },
            ...{ firstTokens, reflectionTokens, secondTokens },
          });
          assert.equal(countWords(text), 10 + firstTokens + reflectionTokens + secondTokens);
          assert.ok(isWellFormed(parseResponse(text), { solutions: 2 }));
        }
      }
    });
  });

  describe("pay", () => {
    const once = (reward: unknown, timeoutMs?: number) =>
      pay(reward as RewardFunction, "x", numberQuestion.problem, { timeoutMs });

    it("takes a number, parts, a total beside parts, and promises of them", async () => {
      assert.equal((await once(() => 0.5)).total, 0.5);
      assert.equal((await once(() => Promise.resolve(-1))).total, -1);
      const sum = await once(() => ({ a: 1, b: 0.5, note: "x" }));
      assert.deepEqual(sum, { total: 1.5, parts: { a: 1, b: 0.5 }, failure: null });
      assert.equal((await once(() => null)).total, 0);
      const stated = await once(async () => ({ a: 1, total: 3 }));
      assert.deepEqual(stated, { total: 3, parts: { a: 1 }, failure: null });
    });

    it("makes a result of every failure", async () => {
      const failures: [unknown, RegExp][] = [
        [
          () => {
            throw new Error("no such key");
          },
          /no such key/,
        ],
        [() => Promise.reject(new Error("503")), /503/],
        [() => NaN, /NaN/],
        [() => Infinity, /Infinity/],
        [() => ({ a: NaN }), /NaN/],
        [() => undefined, /undefined/],
        [() => "1", /string/],
        [() => ({}), /without a number/],
        [() => new Promise(() => undefined), /no reward after 0\.02 s/],
      ];
      for (const [reward, message] of failures) {
        const { total, failure } = await once(reward, 20);
        assert.match(failure ?? "", message);
        assert.ok(Number.isNaN(total));
      }
    });
  });

  it("calls a reward once for a text, unless it looks at the first answers' accuracy", async () => {
    const { problem } = numberQuestion;
    let calls = 0;
    const plain = calledOnce(({ response }) => ++calls + response.text.length);
    const paid = await pay(plain, "x", problem, { firstAccuracy: 0 });
    assert.equal(paid.total, (await pay(plain, "x", problem, { firstAccuracy: 1 })).total);
    assert.equal(calls, 1);
    const watching = calledOnce(({ firstAccuracy }) => firstAccuracy ?? 0);
    for (const firstAccuracy of [0.25, 0.5]) {
      assert.equal((await pay(watching, "x", problem, { firstAccuracy })).total, firstAccuracy);
    }
  });

  describe("truth table", () => {
    it("has the paper's totals at the target length and nothing that fails", async () => {
      const table = await truthTable(paper);
      assert.equal(table.length, 5 * 3 * 4 + 2);
      assert.ok(table.every(({ failure }) => failure === null));
      const totals = table
        .filter((row) => row.form === "well-formed" && row.length === "target")
        .map(({ transition, total }) => [transition, total.toFixed(2)]);
      assert.deepEqual(totals, [
        ...[
          ["RR", "1.60"],
          ["WR", "1.35"],
          ["RW", "1.10"],
          ["WW", "0.85"],
        ],
      ]);
      for (const row of table) {
        const formed = isWellFormed(parseResponse(row.text), { solutions: 2 });
        assert.equal(formed, row.form === "well-formed", row.form);
      }
    });

    it("finds which orders are broken: W→R over R→R in the published table, R→W over W→W in the paper's", async () => {
      const broken = async (preset: RewardPreset): Promise<string[]> =>
        checkOrders(await truthTable(rewardFunction(rewardPresets[preset])))
          .filter(({ holds }) => !holds)
          .map(({ claim }) => claim);
      const spoiling = "spoiling a right answer pays less than never having had it";
      const failing = "being right twice pays more than failing first";
      assert.deepEqual(await broken("paper"), [spoiling]);
      assert.deepEqual(await broken("official-code"), [failing, spoiling]);
      assert.deepEqual(await broken("octopus"), [failing]);
    });
  });

  describe("attacks", () => {
    it("are at least 25 kinds, no two alike, each beside a well-formed honest response", () => {
      const all = attacks();
      assert.ok(all.length >= 25);
      assert.equal(new Set(all.map(({ kind }) => kind)).size, all.length);
      assert.equal(new Set(all.map(({ response }) => response)).size, all.length);
      for (const { kind, honest, response } of [...all, ...attacks(boxed)]) {
        assert.ok(isWellFormed(parseResponse(honest), { solutions: 2 }), kind);
        assert.notEqual(response, honest, kind);
        assert.ok(!response.includes("HERE"), kind);
      }
    });

    it("that the paper's reward pays are those that write an honest response's form without its work", async () => {
      const verdicts = await tryAttacks(paper);
      const outcome = (name: string): string[] =>
        verdicts.filter((row) => row.outcome === name).map(({ kind }) => kind);
      assert.deepEqual(outcome("failed"), []);
      assert.deepEqual(outcome("exploited"), [
        "vacuous reflection",
        "vacuous reflection, wrong answer kept",
        "vacuous reflection of the right length",
        "padded first think",
        "reflection that pleads",
        "reflection that claims a given answer",
      ]);
    });

    it("are stopped by the guards that were made for them", async () => {
      const stopped: [RewardPreset, string, string][] = [
        ["paper", "reward-words", "reflection that pleads"],
        ["paper", "reward-words", "reflection that claims a given answer"],
        ["no-length", "copying", "copied solution"],
        ["official-intended", "ill-formed-second", "doubled answers"],
      ];
      for (const [preset, guard, kind] of stopped) {
        const chosen = attacks().filter((attack) => attack.kind === kind);
        const outcomes = [];
        for (const config of [rewardPresets[preset], withGuards(rewardPresets[preset], [guard])]) {
          outcomes.push((await tryAttacks(rewardFunction(config), { chosen }))[0].outcome);
        }
        assert.deepEqual(outcomes, ["exploited", "held"], `${guard} against ${kind}`);
      }
    });

    it("find the published function's holes", async () => {
      const verdicts = await tryAttacks(rewardFunction(rewardPresets["official-code"]));
      const exploited = verdicts
        .filter((row) => row.outcome === "exploited")
        .map((row) => row.kind);
      for (const kind of [
        ...["sandbagging", "the letter inside a word", "the question as the answer"],
        "third answer after the end",
      ]) {
        assert.ok(exploited.includes(kind), kind);
      }
    });

    it("are all held by a reward that only a check can earn", async () => {
      const strict: RewardFunction = ({
        response: { first, reflection, second, faults },
        problem,
      }) =>
        faults.length === 0 && first.answer === problem.answer && second.answer === problem.answer
          ? Math.min(richness(reflection), 12) -
            (/ground truth|reward/.test(reflection ?? "") ? 9 : 0)
          : richness(reflection) / 100;
      const verdicts = await tryAttacks(strict, {
        chosen: attacks().filter(
          ({ must, beside }) => must === "earn less" && /right twice/.test(beside),
        ),
      });
      assert.deepEqual(
        verdicts.filter(({ outcome }) => outcome !== "held").map(({ kind }) => kind),
        [],
      );
    });

    it("report a reward that breaks instead of breaking themselves", async () => {
      const fragile: RewardFunction = ({ response }) => {
        if (response.text.length > 50_000) throw new Error("too long");
        return 1;
      };
      const verdicts = await tryAttacks(fragile);
      const failed = verdicts.filter(({ outcome }) => outcome === "failed");
      assert.deepEqual(
        failed.map(({ kind }) => kind),
        ["answer of 100,000 characters", "number of 100,000 digits"],
      );
      assert.match(failed[0].why, /too long/);
    });
  });

  describe("advantages", () => {
    it("are GRPO's, and move with one part and one reward", () => {
      const group = [1, 0, 0, 1].map((total) => ({ total, parts: { accuracy: total } }));
      const deviation = Math.sqrt(1 / 3);
      near(standardise([1, 0, 0, 1])[0], 0.5 / (deviation + 1e-4));
      assert.deepEqual(advantagesWithout(group, "accuracy"), [0, 0, 0, 0]);
      assert.deepEqual(advantagesWithout(group, "length"), standardise([1, 0, 0, 1]));
      const moved = advantagesAfter(group, { index: 1, by: 1 });
      assert.ok(moved[1] > 0 && moved[0] < standardise([1, 0, 0, 1])[0]);
    });

    it("of a group that is right twice throughout come from the length alone", async () => {
      const { rows, weights } = await groupSensitivity(paper, {});
      const same = rows.filter(({ group }) => group === "right twice throughout");
      assert.equal(same.length, 8);
      const reach = Math.max(...same.map((row) => row.advantage));
      assert.ok(reach > 1, "differences below 0.1 became full-sized advantages");
      assert.ok(same.every((row) => Math.abs(row.without.length) < 1e-6));
      const moving = weights.filter((row) => row.group === same[0].group && row.range > 1e-9);
      assert.deepEqual(
        moving.map(({ part }) => part),
        ["length"],
      );
      assert.ok(moving[0].range < 0.1);
    });
  });

  describe("policies", () => {
    const lengths = { first: 46, check: 30, second: 6 };

    it("have the expected reward of the closed form", async () => {
      const [a, r] = [0.4, 0.7];
      const given = await expectations(paper, { a, lengths });
      // Well formed and exactly at the target of 92 tokens.
      const effect = 0.25 * a * r - 0.25 * a * (1 - r) + 0.5 * (1 - a) * r;
      near(given.value("honest", r), 0.75 + 0.1 + 0.5 * a + effect);
      near(given.value("vacuous", r), 0.75 + 0.1 + 0.5 * a + 0.25 * a);
      near(given.value("sandbagging", r), 0.75 + 0.1 + 0.5 * r);
      near(given.value("never", r), 0.5 * a);
    });

    it("show that the vacuous reflection wins once a ≥ r where the length is right", async () => {
      for (const a of [0.1, 0.35, 0.6, 0.9]) {
        const given = await expectations(paper, { a, lengths });
        near(leastRecheck(given, "vacuous") ?? NaN, a, 0.002);
      }
    });

    it("show that a short first solution makes f_len punish a real check", async () => {
      const short = { ...lengths, first: 17 };
      const margin = async (config: Parameters<typeof rewardConfig>[1]): Promise<number> => {
        const reward = rewardFunction(rewardConfig("paper", config));
        return (
          (leastRecheck(await expectations(reward, { a: 0.4, lengths: short }), "vacuous") ?? 2) -
          0.4
        );
      };
      // I_eff gives a real check ½ (r − a); f_len takes 0.1 from it.
      near(await margin({}), 0.2, 0.01);
      near(await margin({ alpha: 0 }), 0, 0.002);
      near(await margin({ lengthBaseFloor: 32 }), 0, 0.01);
      const given = await expectations(paper, { a: 0.4, lengths: short });
      assert.ok(given.vacuousGain.length > 0.09);
      near(given.vacuousGain.efficacy, 0);
    });

    it("change with the guard that watches first answers", async () => {
      const a = 0.4;
      const value = async (preset: RewardPreset, guard: string[]): Promise<number[]> => {
        const reward = rewardFunction(withGuards(rewardPresets[preset], guard));
        const given = await expectations(reward, { a, lengths });
        return [given.value("honest", 0.9), given.value("sandbagging", 0.9)];
      };
      const [honest, sandbag] = await value("official-intended", []);
      const [guardedHonest, guardedSandbag] = await value("official-intended", ["sandbagging=0.4"]);
      assert.ok(sandbag > honest);
      assert.ok(guardedSandbag < guardedHonest);
      near(guardedHonest, honest);
    });
  });

  describe("benchReward", () => {
    it("finds by itself what the paper's reward wants", async () => {
      const report = await bench("paper");
      assert.equal(
        said(report, /^First solutions of 46 .*vacuous reflection wins once a ≥ r\.$/).length,
        1,
      );
      assert.match(
        said(report, /^First solutions of 17 /)[0],
        /r = a \+ 0\.20 on.*0\.10 less for length/,
      );
      assert.equal(said(report, /Failing first on purpose is never paid better/).length, 1);
      assert.equal(said(report, /Drawing out the first think pays: up to \+0\.10/).length, 1);
      assert.equal(said(report, /length alone decides/).length, 1);
    });

    it("finds sandbagging in the published table and in Octopus's, and in no reward without it", async () => {
      const wins = /^Failing first on purpose is paid better/;
      for (const preset of ["official-code", "official-intended", "octopus"] as const) {
        assert.equal(said(await bench(preset), wins).length, 1, preset);
      }
      for (const preset of ["no-length", "no-effectiveness", "no-reflection-reward"] as const) {
        assert.equal(said(await bench(preset), wins).length, 0, preset);
      }
    });

    it("finds that nothing pays a check without I_eff, and that a ≥ r is the border without f_len", async () => {
      const without = await bench("no-effectiveness");
      assert.equal(
        said(without, /an honest reflection is never paid more than a vacuous one/).length,
        5,
      );
      const bare = await bench("no-length");
      assert.equal(said(bare, /a vacuous reflection wins once a ≥ r\.$/).length, 5);
    });

    it("finds that a single solution wins where only one is asked for", async () => {
      assert.equal(said(await bench("task-only"), /^Never reflecting is paid better/).length, 1);
    });

    it("says good things of a reward that deserves them", async () => {
      const report = await benchReward({
        name: "own",
        reward: async ({ response: { reflection, second }, problem: { answer } }) =>
          (second.answer === answer ? 0.01 : 0) + (/\d=\d/.test(reflection ?? "") ? 1 : 0),
        firsts: [17],
      });
      assert.match(
        said(report, /^First solutions/)[0],
        /an honest reflection is paid more than a vacuous one at every a and r/,
      );
      assert.equal(said(report, /sandbag|Failing first on purpose is paid/).length, 0);
    });

    it("names a reward's failure and compares what is left", async () => {
      const report = await benchReward({
        name: "broken",
        reward: () => {
          throw new Error("key r2 is missing");
        },
      });
      assert.match(report.findings[0].text, /fails \(RR, well-formed\): key r2 is missing/);
      assert.deepEqual(report.policies, []);
      assert.ok(report.attacks.every(({ outcome }) => outcome === "failed"));
    });
  });
});
