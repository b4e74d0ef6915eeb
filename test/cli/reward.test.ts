import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../policy/fixture";
import { jsonl, srpo, start, writeCharacterTokenizer } from "./srpo";

describe("srpo", function () {
  this.timeout(120_000);
  const folder = temporaryFolder();
  const tokenizer = join(folder, "tokenizer");
  before(() => writeCharacterTokenizer(tokenizer));

  describe("reward", () => {
    const FIRST = "<think>abcdefg</think>";
    const response = (first: string, second: string): string =>
      `${FIRST}<answer>${first}</answer><reflection>so</reflection><think>x</think>` +
      `<answer>${second}</answer>`;
    const transitions = { RR: ["7", "7"], WR: ["6", "7"], RW: ["7", "6"], WW: ["6", "5"] };

    it("pays the four transitions as the paper and as its published code do", async () => {
      const input = jsonl(
        Object.values(transitions).map(([a, b]) => ({ response: response(a, b), gold: "7" })),
      );
      const table = async (preset: string) => {
        const { status, rows } = await srpo(["reward", "--in", "-", "--preset", preset], { input });
        assert.equal(status, 0);
        assert.deepEqual(
          rows.map(({ transition }) => transition),
          Object.keys(transitions),
        );
        return rows as Record<string, number>[];
      };
      const paper = await table("paper");
      assert.deepEqual(
        paper.map(({ total, length }) => (total - length).toFixed(4)),
        ["1.5000", "1.2500", "1.0000", "0.7500"],
      );
      assert.deepEqual(Object.keys(paper[0]), [
        ...["format", "accuracy", "efficacy", "reflection_format", "length", "total"],
        ...["transition", "first", "second", "faults"],
      ]);
      const published = await table("official-code");
      assert.deepEqual(
        published.map(({ accuracy, efficacy }) => accuracy + efficacy),
        [0.75, 1, 0.25, 0],
      );
    });

    it("switches guards on and says what they took, and why parts are 0", async () => {
      const input = jsonl([
        { response: response("7", "7").replace("<think>x<", "<think>abcdefg<"), gold: "7" },
        { response: response("6", "7"), gold: "7", first_accuracy: 0.1 },
        { response: "<think>x</think><answer>7</answer>", gold: "7", first_accuracy: "low" },
      ]);
      const { rows, status } = await srpo(
        ["reward", "--in", "-", "--explain", "--guard", "copying,length-gate", "sandbagging=0.4"],
        { input },
      );
      assert.equal(status, 1);
      assert.deepEqual(
        rows.map(({ guards }) => guards),
        [["copying"], ["sandbagging"], undefined],
      );
      assert.deepEqual([rows[0].efficacy, rows[1].efficacy], [0, 0.125]);
      assert.match((rows[0].reasons as Record<string, string>).efficacy, /guard copying/);
      assert.match(String(rows[2].error), /first_accuracy is no number/);
      assert.equal(rows[2].line, 3);
    });

    it("counts a row's length in the tokens of the row's tokenizer", async () => {
      const text = response("7", "7");
      const input = jsonl([{ response: text, gold: 7, tokenizer }]);
      const { rows, err } = await srpo(["reward", "--in", "-"], { input });
      assert.equal(err, "");
      // One token a character: b = 7 + 1, T_target = 16, T_max = 20.
      const expected = 0.1 * Math.exp(-(((text.length - 16) / 4) ** 2));
      assert.ok(Math.abs((rows[0].length as number) - expected) <= 1e-12 * expected);
      assert.ok(expected > 0);
    });

    it("takes question types and choices as benchmarks write them", async () => {
      const cases: [Record<string, unknown>, boolean][] = [
        [{ gold: "B", question_type: "multi_choice", choices: ["61", "62"], answer: "(B)" }, true],
        [{ gold: "62", question_type: "multi-choice", choices: ["61", "62"], answer: "B" }, true],
        [{ gold: "B", choices: ["61", "62"], answer: "62" }, true],
        [{ gold: "B", answer: "B. the second" }, true],
        [{ gold: "B", answer: "C" }, false],
        [{ gold: "0.5", question_type: "free_form", answer: "1/2" }, true],
        [{ gold: "\\frac{1}{2}", question_type: "free-form", answer: "0.5" }, true],
        [{ gold: "x+1", answer: "1+x" }, true],
        [{ gold: "listen", answer: "silent" }, false],
        [{ gold: "right angle", question_type: "something new", answer: "Right angle" }, true],
      ];
      const input = jsonl(
        cases.map(([{ answer, ...row }]) => ({
          ...row,
          response: `<think>t</think><answer>${answer}</answer>`,
        })),
      );
      const { rows } = await srpo(["reward", "--in", "-", "--preset", "task-only"], { input });
      assert.deepEqual(
        rows.map(({ accuracy }, i) => [cases[i][0], accuracy]),
        cases.map(([row, right]) => [row, right ? 0.5 : 0]),
      );
    });

    it("loses no row to a bad one, names its line, and fails at the end", async () => {
      const good = JSON.stringify({ response: "<answer>7</answer>", gold: 7 });
      const lines = [
        "\ufeff" + good,
        "nonsense",
        '{"response":"<answer>7</answer>","gold":',
        "[1]",
        "null",
        '{"gold":"7"}',
        '{"response":"x"}',
        '{"response":{"text":"x"},"gold":"7"}',
        '{"response":"x","gold":"A","choices":"A"}',
        '{"response":"x","gold":"7","tokenizer":"/no/such/folder"}',
        "",
        good + "\r",
        '{"response":"<think>a\u2028b\u2029</think><answer>7</answer>","gold":"7"}',
        JSON.stringify({ response: "<think>".repeat(50_000) + "\ud800\u0000", gold: "\\frac{" }),
        good,
      ];
      const path = join(folder, "rows.jsonl");
      // No newline at the end.
      writeFileSync(path, lines.join("\n"));
      const { status, rows, err } = await srpo(["reward", "--in", path]);
      assert.deepEqual(
        rows.map((row) => row.line ?? row.accuracy),
        [0.5, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0.5, 0.5, 0, 0.5],
      );
      assert.match(String(rows[9].error), /\/no\/such\/folder/);
      assert.match(err, /9 of 14 rows could not be used/);
      assert.equal(status, 1);
    });

    it("ends quietly when nobody reads on", async () => {
      const row = { response: response("7", "7"), gold: "7" };
      const path = join(folder, "many.jsonl");
      writeFileSync(path, jsonl(new Array(5000).fill(row)));
      const child = start(["reward", "--in", path]);
      child.stdout.once("data", () => child.stdout.destroy());
      let err = "";
      child.stderr.on("data", (text: Buffer) => (err += text.toString()));
      const status = await new Promise((resolve) => child.on("close", resolve));
      assert.equal(err, "");
      assert.equal(status, 141);
    });

    it("names a file that is not there, and a folder", async () => {
      for (const path of [join(folder, "none.jsonl"), folder]) {
        const { status, out, err } = await srpo(["reward", "--in", path]);
        assert.deepEqual({ status, out }, { status: 1, out: "" });
        assert.ok(err.includes(path) && !err.includes("    at "), err);
      }
    });
  });

  describe("reward-bench", () => {
    it("tries a preset, one JSON line a result, and says what it found", async () => {
      const args = ["reward-bench", "--preset", "paper", "--section", "attacks", "findings"];
      const { status, rows, err } = await srpo(args);
      assert.equal(status, 0);
      assert.ok(rows.filter(({ section }) => section === "attacks").length >= 25);
      assert.match(err, /a vacuous reflection wins once a ≥ r/);
    });

    it("tries a reward of the user's own, of either kind of module", async () => {
      for (const [file, text] of [
        [
          "own.cjs",
          "exports.reward = async ({ response, problem }) => +(response.second.answer === problem.answer);",
        ],
        [
          "own.mjs",
          "export const reward = ({ response, problem }) => ({ first: +(response.first.answer === problem.answer) });",
        ],
      ]) {
        const path = join(folder, file);
        writeFileSync(path, text);
        const args = ["reward-bench", "--reward", path, "--section", "truth-table"];
        const { status, rows, err } = await srpo(args);
        assert.equal(status, 0, err);
        assert.equal(rows[0].transition, "RR");
        assert.equal(rows[0].total, 1);
      }
    });

    it("names a reward that is not there, and a module without one", async () => {
      const empty = join(folder, "empty.cjs");
      writeFileSync(empty, "exports.score = 1;");
      for (const [path, message] of [
        ["none.mjs", /no file at none\.mjs/],
        [empty, /exports no reward.*score/],
      ] as const) {
        const { status, err } = await srpo(["reward-bench", "--reward", path]);
        assert.equal(status, 1);
        assert.match(err, message);
      }
    });
  });

  it("equal compares and names the rule", async () => {
    const input = jsonl([
      { gold: "1/2", prediction: "0.5" },
      { gold: "$x=3$", prediction: "3", config: {} },
      { gold: "cat", prediction: "dog" },
      { gold: "5", prediction: null },
      { gold: "5", prediction: "5", config: { strict: true } },
    ]);
    const { status, rows, err } = await srpo(["equal", "--in", "-"], { input });
    assert.deepEqual(
      rows.map(({ equal }) => equal),
      [true, true, false, false, undefined],
    );
    assert.deepEqual(rows[0], { equal: true, rule: "number" });
    assert.match(String(rows[4].error), /no options.*strict/);
    assert.match(err, /1 of 5 rows/);
    assert.equal(status, 1);
  });
});
