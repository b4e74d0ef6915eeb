import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import sharp from "sharp";
import { ready } from "../lib/engine/backend";
import { readJsonl, writeJsonl } from "../lib/engine/files";
import { readParityCases, type ParityCase } from "../lib/policy/parity";
import type { Attempt } from "../lib/reflection/selection";
import { CASES, CHECKPOINT, temporaryFolder, writeTinyPolicy } from "./policy/fixture";

const CLI = join(__dirname, "../lib/cli.js");

interface Ended {
  status: number | null;
  out: string;
  err: string;
  /** stdout as JSON lines. */
  rows: Record<string, unknown>[];
}

function start(args: readonly string[], env: Record<string, string> = {}) {
  return spawn(process.execPath, [CLI, ...args], {
    env: { ...process.env, SRPO_THREADS: "1", ...env },
  });
}

async function ended(child: ReturnType<typeof start>): Promise<Ended> {
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
  const lines = out.split("\n").filter((line) => line.startsWith("{"));
  return { status, out, err, rows: lines.map((line) => JSON.parse(line)) };
}

/** Runs `srpo …` to its end. */
function srpo(
  args: readonly string[],
  { input = "", env = {} }: { input?: string; env?: Record<string, string> } = {},
): Promise<Ended> {
  const child = start(args, env);
  // A command that fails early does not read its input.
  child.stdin.on("error", () => undefined).end(input);
  return ended(child);
}

const jsonl = (rows: readonly unknown[]): string =>
  rows.map((row) => JSON.stringify(row) + "\n").join("");

/** One character a token: printable ASCII from id 200 on, Chinese before. */
const spelled = (id: number): string =>
  id >= 200 && id < 316 ? String.fromCharCode(id - 188) : String.fromCodePoint(0x4e00 + id);

/** A tokenizer of the fixture's 320 ids in which a character is a token. */
function writeCharacterTokenizer(folder: string): void {
  const special = { 0: "<pad>", 2: "<end>", 316: "<|image_pad|>" } as Record<number, string>;
  Object.assign(special, { 317: "<|vision_start|>", 318: "<|vision_end|>", 319: "<video>" });
  const ids = Array.from({ length: 320 }, (_unused, id) => id);
  mkdirSync(folder, { recursive: true });
  const write = (name: string, value: unknown): void =>
    writeFileSync(join(folder, name), JSON.stringify(value));
  write("tokenizer.json", {
    version: "1.0",
    added_tokens: Object.entries(special).map(([id, content]) => ({
      ...{ id: Number(id), content, special: true },
      ...{ single_word: false, lstrip: false, rstrip: false, normalized: false },
    })),
    ...{ normalizer: null, pre_tokenizer: null, post_processor: null },
    decoder: { type: "Fuse" },
    model: {
      type: "BPE",
      vocab: Object.fromEntries(ids.map((id) => [special[id] ?? spelled(id), id])),
      merges: [],
      unk_token: spelled(1),
    },
  });
  write("tokenizer_config.json", {
    tokenizer_class: "PreTrainedTokenizerFast",
    ...{ eos_token: "<end>", pad_token: "<pad>" },
    // What the user says, and nothing else: the fixture's prompts are bare token ids.
    chat_template:
      "{% for part in messages[-1].content %}{% if part.type == 'image' %}" +
      "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}{% endfor %}",
  });
  write("preprocessor_config.json", {
    ...{ patch_size: 8, temporal_patch_size: 2, merge_size: 2 },
    ...{ min_pixels: 256, max_pixels: 4096 },
  });
}

describe("srpo", function () {
  this.timeout(120_000);
  const folder = temporaryFolder();
  const tokenizer = join(folder, "tokenizer");
  before(() => writeCharacterTokenizer(tokenizer));

  describe("called wrongly", () => {
    const cases: [string, string[], RegExp][] = [
      ["nothing", [], /Usage: srpo/],
      ["an unknown command", ["rewrd"], /unknown command 'rewrd'\n\(Did you mean reward\?\)/],
      ["a command of another tool", ["scoore"], /unknown command 'scoore'/],
      [
        "an unknown option",
        ["data", "--presett", "smoke"],
        /unknown option '--presett'\n\(Did you mean --preset\?\)/,
      ],
      ["no input", ["reward"], /required option '--in <file>'/],
      ["an unknown preset", ["reward", "--in", "-", "--preset", "x"], /paper, official-code/],
      ["an unknown guard", ["reward", "--in", "-", "--guard", "x"], /no such guard.*copying/],
      ["unknown rules", ["equal", "--in", "-", "--rules", "x"], /Allowed choices are lab/],
      ["a word too many", ["runs", "all"], /too many arguments/],
      ["half a setting", ["data", "--set", "sft.batch"], /key=value/],
      [
        "an unknown setting",
        ["sft", "--set", "sft.batches=3"],
        /unknown key batches in sft.*batch/,
      ],
      ["a wrong setting", ["grpo", "--set", "grpo.steps=many"], /grpo\.steps/],
      [
        "a temperature below 0",
        ["generate", "--checkpoint", "x", "--prompt", "x", "--temperature", "-1"],
        /number from 0/,
      ],
    ];
    for (const [what, args, message] of cases) {
      it(`${what}: says what there is, status 2, nothing on stdout`, async () => {
        const { status, out, err } = await srpo(args);
        assert.match(err, message);
        assert.deepEqual({ status, out }, { status: 2, out: "" });
      });
    }
  });

  it("explains every command with an example", async () => {
    const { out } = await srpo(["--help"]);
    const names = [...out.matchAll(/^ {2}([a-z-]+)(?: \[options\])? {2,}\S/gm)].map(
      ([, name]) => name,
    );
    assert.deepEqual(names, [
      ...["doctor", "data", "sft", "grpo", "eval"],
      ...["reward", "reward-bench", "equal", "parity", "generate", "runs"],
    ]);
    for (const name of names) {
      const help = await srpo([name, "--help"]);
      assert.equal(help.status, 0);
      assert.match(help.out, new RegExp(`\nExample:\n.*npx srpo ${name}`), name);
    }
  });

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
          "exports.reward = async ({ second }, { answer }) => +(second.answer === answer);",
        ],
        [
          "own.mjs",
          "export const reward = ({ first }, { answer }) => ({ first: +(first.answer === answer) });",
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

  describe("parity", () => {
    it("agrees with transformers on the fixture", async () => {
      const { status, rows } = await srpo([
        ...["parity", "--checkpoint", CHECKPOINT, "--cases", CASES],
      ]);
      assert.equal(status, 0);
      assert.equal(rows.length, 3);
      for (const { maxAbsLogit, maxAbsLogprob, greedyEqual } of rows) {
        assert.ok((maxAbsLogit as number) < 2e-3 && (maxAbsLogprob as number) < 1e-3);
        assert.equal(greedyEqual, true);
      }
    });

    it("fails on a case that differs, after all cases", async () => {
      const [, , text] = readParityCases(CASES);
      const wrong: ParityCase = { ...text, greedy: [...text.greedy.slice(1), 0] };
      const path = join(folder, "cases.json");
      writeFileSync(path, JSON.stringify([wrong, text]));
      const { status, rows, err } = await srpo([
        ...["parity", "--checkpoint", CHECKPOINT, "--cases", path],
      ]);
      assert.deepEqual(
        rows.map(({ greedyEqual }) => greedyEqual),
        [false, true],
      );
      assert.match(err, /1 of 2 cases differ/);
      assert.equal(status, 1);
    });
  });

  describe("generate", () => {
    const checkpoint = join(folder, "checkpoint");
    before(() => {
      cpSync(CHECKPOINT, checkpoint, { recursive: true });
      cpSync(tokenizer, checkpoint, { recursive: true });
    });
    it("continues a prompt as transformers does", async () => {
      const [, , { input_ids, greedy }] = readParityCases(CASES);
      // `--prompt=…`, as the text may begin with a dash.
      const args = [
        "generate",
        "--checkpoint",
        checkpoint,
        `--prompt=${input_ids.map(spelled).join("")}`,
      ];
      const { status, rows, err } = await srpo([...args, "--max-new-tokens", "12", "--json"]);
      assert.equal(status, 0, err);
      assert.deepEqual(Object.keys(rows[0]), ["prompt_ids", "token_ids", "logprobs", "text"]);
      assert.deepEqual(rows[0].prompt_ids, input_ids);
      assert.deepEqual(rows[0].token_ids, greedy);
      const logprobs = rows[0].logprobs as number[];
      assert.ok(logprobs.length === 12 && logprobs.every((value) => value < 0));
      assert.equal(rows[0].text, greedy.map(spelled).join(""));

      const plain = await srpo([...args, "--max-new-tokens", "12"]);
      assert.equal(plain.out, `${rows[0].text as string}\n`);
    });

    it("gives a picture its place, and names one that is not there", async () => {
      const picture = join(folder, "picture.png");
      const [width, height] = [48, 32];
      await sharp({ create: { width, height, channels: 3, background: "teal" } }).toFile(picture);
      const args = ["generate", "--checkpoint", checkpoint, "--prompt", "hi", "--json"];
      const { rows, err } = await srpo([
        ...[...args, "--image", picture, "--image", picture, "--max-new-tokens", "1"],
      ]);
      assert.equal(err, "");
      // 48 × 32 pixels in patches of 8, four of them to a token.
      const one = [317, ...new Array<number>(6).fill(316), 318];
      const hi = [..."hi"].map((letter) => letter.charCodeAt(0) + 188);
      assert.deepEqual(rows[0].prompt_ids, [...one, ...one, ...hi]);

      const missing = await srpo([...args, "--image", "no-such.png"]);
      assert.deepEqual([missing.status, missing.out], [1, ""]);
      assert.match(missing.err, /no file at no-such\.png/);
    });

    it("draws the same from the same seed", async () => {
      const draw = async (seed: string) => {
        const args = ["--prompt", "hello", "--temperature", "1", "--max-new-tokens", "24"];
        const { rows } = await srpo([
          ...["generate", "--checkpoint", checkpoint, ...args, "--seed", seed, "--json"],
        ]);
        return rows[0].token_ids;
      };
      const first = await draw("1");
      assert.deepEqual(await draw("1"), first);
      assert.notDeepEqual(await draw("2"), first);
    });
  });

  describe("stages", () => {
    const policy = join(folder, "policy");
    const runs = join(folder, "runs");
    const env = { SRPO_RUNS: runs };
    before(async () => {
      await ready();
      writeTinyPolicy(policy);
    });
    const grpo = [
      ...["grpo", "--preset", "smoke", "--policy", policy, "--reward", "task-only"],
      ...["--set", "grpo.steps=6", "--set", "grpo.maxNewTokens=8", "--set", "problems.rl=8"],
    ];

    it("stop at Ctrl-C with status 130, go on where they stopped, and are done once", async () => {
      const child = start(grpo, env);
      const stopped = ended(child);
      while (metricsOf(runs, "grpo-") === undefined && child.exitCode === null) await wait(20);
      child.kill("SIGINT");
      const { status, out, err } = await stopped;
      assert.equal(status, 130, err);
      assert.equal(out, "");
      assert.match(err, /Stopped GRPO at step \d of 6\. Run it again to go on from there\.\n$/);

      const again = await srpo(grpo, { env });
      assert.equal(again.status, 0, again.err);
      assert.equal(again.rows.length, 1);
      const { stage, run, cached, steps } = again.rows[0];
      assert.deepEqual({ stage, cached, steps }, { stage: "grpo", cached: false, steps: 6 });
      assert.ok(existsSync(join(again.rows[0].policy as string, "model.safetensors")));
      assert.deepEqual(metricsOf(runs, "grpo-"), [1, 2, 3, 4, 5, 6]);

      const third = await srpo(grpo, { env });
      assert.deepEqual(third.rows, [{ ...again.rows[0], cached: true }]);
      assert.match(third.err, /^Finished before, nothing to do/);

      const listed = await srpo(["runs"], { env });
      assert.deepEqual(
        listed.rows.map(({ folder: path, finished }) => ({ path, finished })),
        [{ path: run, finished: true }],
      );
    });

    it("evaluate the policy of a run as it was trained", async () => {
      const [run] = (await srpo(["runs", "--stage", "grpo"], { env })).rows;
      const small = ["problems.test=4", "evaluation.maxNewTokens=4"];
      const { status, rows, err } = await srpo(
        [
          ...["eval", "--preset", "smoke", "--policy", run.folder as string],
          ...small.flatMap((setting) => ["--set", setting]),
        ],
        { env },
      );
      assert.equal(status, 0, err);
      assert.equal(rows[0].policy, join(run.folder as string, "policy"));
      const { overall } = rows[0].greedy as { overall: Record<string, number> };
      assert.equal(overall.n, 4);
      assert.ok(overall.low <= overall.accuracy && overall.accuracy <= overall.high);
      assert.match(err, /greedy: [\d.]+ % \[[\d.]+, [\d.]+\], n = 4/);
      const spec = JSON.parse(readFileSync(join(rows[0].run as string, "spec.json"), "utf8"));
      assert.deepEqual([spec.policy, spec.style], [run.hash, "direct"]);
    });

    describe("fine-tuning", () => {
      const settings = ["problems.sft=24", "construction.maxNewTokens=2", "sft.batch=4"];
      const options = [
        ...["--preset", "smoke", "--policy", policy],
        ...settings.flatMap((setting) => ["--set", setting]),
      ];

      it("constructs its data first, and says why it cannot go on", async () => {
        const { status, out, err } = await srpo(["sft", ...options], { env });
        // Random weights solve nothing, and there is nothing to reflect on.
        assert.match(err, /Data construction: finished.*✗ trainSft: fewer examples/s);
        assert.deepEqual([status, out], [1, ""]);
        const [run] = (await srpo(["runs", "--stage", "construct"], { env })).rows;
        assert.equal(run.finished, true);
      });

      it("goes on from attempts that are there, and trains on the reflections", async () => {
        const [{ folder: run }] = (await srpo(["runs", "--stage", "construct"], { env })).rows;
        rmSync(join(run as string, "summary.json"));
        giveAnswers(join(run as string, "attempts.jsonl"));
        const { status, rows, err } = await srpo(["sft", ...options], { env });
        assert.equal(status, 0, err);
        assert.match(err, /Reflection SFT: finished/);
        assert.ok((rows[0].examples as number) >= 8);
        assert.ok(existsSync(join(rows[0].policy as string, "model.safetensors")));

        const data = await srpo(["data", ...options], { env });
        const { stage, cached, attempts, accuracy, samples } = data.rows[0];
        assert.deepEqual([stage, cached, attempts], ["construct", true, 24]);
        assert.deepEqual([accuracy, samples], [8 / 24, rows[0].examples]);
      });
    });

    it("name a checkpoint that is none", async () => {
      const { status, err } = await srpo(["data", "--policy", folder], { env });
      assert.equal(status, 1);
      assert.ok(err.includes(folder) && !err.includes("    at "), err);
    });
  });

  it("doctor fails exactly when something is missing", async () => {
    const { status, rows, err } = await srpo(["doctor"]);
    assert.ok(rows.length > 5);
    assert.equal(status, rows.some((row) => row.status === "missing") ? 1 : 0, err);
    for (const { name } of rows) assert.ok(err.includes(name as string), err);
  });
});

/** Steps in the metrics of the run whose folder begins so, once there are any. */
function metricsOf(runs: string, prefix: string): number[] | undefined {
  const name = existsSync(runs) ? readdirSync(runs).find((n) => n.startsWith(prefix)) : undefined;
  const file = join(runs, name ?? "", "metrics.jsonl");
  if (name === undefined || !existsSync(file)) return undefined;
  const lines = readFileSync(file, "utf8").trim().split("\n");
  return lines.map((line) => (JSON.parse(line) as { step: number }).step);
}

/** Puts a careful solution into every attempt; every third keeps the right answer. */
function giveAnswers(path: string): void {
  const attempts = readJsonl<Attempt>(path).map((attempt, i): Attempt => {
    const { reading, steps, answer } = attempt.problem;
    const correct = i % 3 === 0;
    const given = correct ? answer : `${answer}1`;
    return {
      ...attempt,
      text: `<think>${[reading, ...(steps ?? [])].join(" ")}</think><answer>${given}</answer>`,
      verdict: { extraction: given, prediction: given, correct, rule: "number" },
      truncated: false,
    };
  });
  writeJsonl(path, attempts);
}
