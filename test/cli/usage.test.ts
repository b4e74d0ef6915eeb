import assert from "node:assert/strict";
import { srpo } from "./srpo";

describe("srpo", function () {
  this.timeout(120_000);

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
    const names = [
      ...out.matchAll(/^ {2}([a-z-]+)(?: \[options\])?(?: [<[]\w+[>\]])? {2,}\S/gm),
    ].map(([, name]) => name);
    assert.deepEqual(names, [
      ...["doctor", "data", "sft", "grpo", "eval", "paper-mini"],
      ...["reward", "reward-bench", "serve-reward", "export", "preflight"],
      ...["submit", "logs", "jobs", "stop"],
      ...["equal", "score", "bench", "parity", "generate", "policy", "onnx", "runs", "perf"],
    ]);
    for (const name of names) {
      const help = await srpo([name, "--help"]);
      assert.equal(help.status, 0);
      assert.match(help.out, new RegExp(`\nExamples?:\n.*npx srpo ${name}`), name);
    }
  });

  it("doctor fails exactly when something is missing", async () => {
    const { status, rows, err } = await srpo(["doctor"]);
    assert.ok(rows.length > 5);
    assert.equal(status, rows.some((row) => row.status === "missing") ? 1 : 0, err);
    for (const { name } of rows) assert.ok(err.includes(name as string), err);
  });
});
