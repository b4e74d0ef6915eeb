import assert from "node:assert/strict";
import { cpSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { ready } from "../../lib/engine/backend";
import { describeFused } from "../../lib/engine/fused";
import { readParityCases, type ParityCase } from "../../lib/policy/parity";
import { CASES, CHECKPOINT, temporaryFolder, writeTinyPolicy } from "../policy/fixture";
import { spelled, srpo, writeCharacterTokenizer } from "./srpo";

describe("srpo", function () {
  this.timeout(120_000);
  const folder = temporaryFolder();
  const tokenizer = join(folder, "tokenizer");
  before(() => writeCharacterTokenizer(tokenizer));

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

  describe("onnx", () => {
    const tiny = join(folder, "tiny");
    before(() => writeTinyPolicy(tiny));

    it("exports both models with what belongs to them", async () => {
      const out = join(folder, "exported");
      const { status, rows } = await srpo(["onnx", "export", "--policy", tiny, "--out", out]);
      assert.deepEqual({ status, rows }, { status: 0, rows: [{ policy: tiny, out }] });
      for (const file of ["vision.onnx", "decoder.onnx", "config.json", "tokenizer.json"]) {
        assert.ok(existsSync(join(out, file)), file);
      }
    });

    it("finds the greedy tokens equal to those of tfjs, and times both", async () => {
      const some = ["--policy", tiny, "--prompts", "4", "--new-tokens", "8"];
      const check = await srpo(["onnx", "check", ...some]);
      assert.equal(check.status, 0, check.err);
      const [{ engine, prompts, equal, different }] = check.rows;
      assert.deepEqual([engine, prompts, equal, different], ["onnx/cpu", 4, 4, []]);
      await ready();
      const fused = describeFused().used ? ["tfjs, fused"] : [];
      const engines = ["tfjs", ...fused, "onnx/cpu"];
      const speed = await srpo([
        ...["onnx", "speed", ...some, "--batch", "1", "4", "--repeats", "1", "--threads", "1"],
      ]);
      assert.deepEqual(
        speed.rows.map((row) => [row.engine, row.batch]),
        [1, 4].flatMap((batch) => engines.map((name) => [name, batch])),
      );
      assert.ok(speed.rows.every(({ s, tok_per_s }) => Number(s) > 0 && Number(tok_per_s) > 0));
      assert.match(speed.err, /engine +batch +seconds +tokens\/s +times tfjs/);
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
});
