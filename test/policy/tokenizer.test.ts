import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { families } from "../../datasets/visual-math/index";
import { createRandom } from "../../lib/engine/random";
import type { PolicyConfig } from "../../lib/policy/config";
import {
  checkTokenizerFits,
  encodePrompt,
  loadTokenizer,
  type Message,
} from "../../lib/policy/tokenizer";
import { checkReflection, secondThink, vacuousReflection } from "../../lib/reflection/dialect";
import { SYSTEM_PROMPTS } from "../../lib/reflection/prompts";

const BASE_POLICY = join(__dirname, "../../../datasets/base-policy");
// Computed by transformers on the same tokenizer, see make_policy_fixture.py there.
const goldens = JSON.parse(
  readFileSync(join(__dirname, "../../../test/fixtures/policy/tokenizer.json"), "utf8"),
) as {
  known: { size: number; eos: number; pad: number };
  texts: { text: string; ids: number[]; decoded: string; plain: string }[];
  chats: { messages: Message[]; prompt: string; closed: string }[];
};

describe("tokenizer", () => {
  const tokenizer = loadTokenizer(BASE_POLICY);
  const imageTokenId = tokenizer.idOf("<|image_pad|>");
  const config = {
    decoder: { vocabSize: tokenizer.vocabSize },
    imageTokenId,
    visionStartTokenId: tokenizer.idOf("<|vision_start|>"),
    visionEndTokenId: tokenizer.idOf("<|vision_end|>"),
  } as PolicyConfig;

  describe("agrees with transformers", () => {
    it("on its size and on the tokens that end and fill", () => {
      const { vocabSize, endId, padId } = tokenizer;
      assert.deepEqual({ size: vocabSize, eos: endId, pad: padId }, goldens.known);
    });

    for (const { text, ids, decoded, plain } of goldens.texts) {
      it(`on ${JSON.stringify(text)}`, () => {
        assert.deepEqual(tokenizer.encode(text), ids);
        assert.equal(tokenizer.countTokens(text), ids.length);
        assert.equal(tokenizer.decode(ids), decoded);
        assert.equal(tokenizer.decode(ids, { skipSpecial: true }), plain);
      });
    }

    it("counts what it encodes, of texts that nobody would write", () => {
      const random = createRandom("token counts");
      const parts = [
        "a",
        "Z",
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "1",
        "23",
        "'s",
        "'LL",
        "<thin",
        "k>",
      ];
      parts.push("<think>", "</answer>", "<|im_end|>", "é", "e\u0301", "中文", "😀", "\ud800", "ﬁ");
      parts.push("\u00a0", "\u2028", ".", "!!", "\\frac{1}{2}", "$", "ſ", "\u212a", "\0", "½");
      parts.push("a".repeat(70));
      for (let round = 0; round < 2000; round++) {
        const length = random.int(1, 25);
        const text = Array.from({ length }, () => random.pick(parts)).join("");
        assert.equal(
          tokenizer.countTokens(text),
          tokenizer.encode(text).length,
          JSON.stringify(text),
        );
      }
    });

    it("on chats", () => {
      for (const { messages, prompt, closed } of goldens.chats) {
        const options = { addGenerationPrompt: true };
        assert.equal(tokenizer.applyChatTemplate(messages, options), prompt);
        assert.equal(tokenizer.applyChatTemplate(messages), closed);
      }
    });
  });

  it("gives back every text that its normal form (NFC) can be", () => {
    const random = createRandom("bytes");
    for (let i = 0; i < 50; i++) {
      const codes = Array.from({ length: 40 }, () => random.int(1, 0xd7ff));
      const text = String.fromCodePoint(...codes).normalize("NFC");
      assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
    }
  });

  describe("has one token", () => {
    const tokensPerWord = (texts: readonly string[]): number[] =>
      texts.flatMap((text) =>
        [...text.matchAll(/ ?[A-Za-z]+/g)].map(([word]) => tokenizer.countTokens(word)),
      );

    it("for every word of the dialect and of the prompts, every tag and every digit", () => {
      const dialect = [
        checkReflection({ steps: ["4+7=11"], right: true }),
        checkReflection({ steps: ["4+7=11"], right: false }),
        vacuousReflection({ right: true }),
        vacuousReflection({ right: false }),
        secondThink("61"),
        SYSTEM_PROMPTS.direct,
        SYSTEM_PROMPTS.reflect,
      ];
      assert.deepEqual(new Set(tokensPerWord(dialect)), new Set([1]));
      for (const name of ["think", "answer", "reflection"]) {
        for (const tag of [`<${name}>`, `</${name}>`]) assert.equal(tokenizer.countTokens(tag), 1);
      }
      assert.equal(tokenizer.countTokens("61-27=34"), 8);
    });

    it("for nearly every word of every family", () => {
      const random = createRandom("words");
      for (const family of families) {
        const scenes = [...family.levels, ...family.heldOut].flatMap((level) =>
          Array.from({ length: 10 }, () => family.sample(random, level)),
        );
        const counts = tokensPerWord(
          scenes.flatMap((scene) => [scene.question, scene.read(scene.values)]),
        );
        const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
        assert.ok(mean < 1.2, `${family.name}: ${mean.toFixed(2)} tokens a word`);
      }
    });
  });

  it("passes over ids of a padded vocabulary", () => {
    const [id] = tokenizer.encode("a");
    assert.equal(tokenizer.decode([tokenizer.vocabSize + 5, id]), "a");
    assert.equal(tokenizer.decode([]), "");
  });

  describe("encodePrompt", () => {
    const messages: Message[] = [
      {
        role: "user",
        content: [{ type: "image" }, { type: "image" }, { type: "text", text: "Which?" }],
      },
    ];
    const options = { imageTokenId, mergeSize: 2 };

    it("gives each picture as many tokens as merge blocks, in order", () => {
      const ids = encodePrompt(
        tokenizer,
        messages,
        [
          [1, 8, 6],
          [1, 2, 4],
        ],
        options,
      );
      const image = (count: number) =>
        `<|vision_start|>${"<|image_pad|>".repeat(count)}<|vision_end|>`;
      assert.equal(
        tokenizer.decode(ids),
        `<|im_start|>user\n${image(12)}${image(2)}Which?<|im_end|>\n<|im_start|>assistant\n`,
      );
      assert.deepEqual(tokenizer.encode(tokenizer.decode(ids)), ids);
    });

    it("refuses when pictures and places differ, also when a text names the image token", () => {
      assert.throws(
        () => encodePrompt(tokenizer, messages, [[1, 2, 2]], options),
        /2 image tokens for 1 pictures/,
      );
      const smuggled: Message[] = [{ role: "user", content: "What is <|image_pad|>?" }];
      assert.throws(() => encodePrompt(tokenizer, smuggled, [], options), /1 image tokens for 0/);
    });
  });

  describe("checkTokenizerFits", () => {
    it("passes the tokenizer's own policy and a padded one", () => {
      checkTokenizerFits(tokenizer, config);
      checkTokenizerFits(tokenizer, { ...config, decoder: { ...config.decoder, vocabSize: 1024 } });
    });

    it("names a vocabulary that is too small and ids that mean something else", () => {
      const small = { ...config, decoder: { ...config.decoder, vocabSize: 512 } };
      assert.throws(() => checkTokenizerFits(tokenizer, small), /at most vocab_size 512/);
      const shifted = { ...config, imageTokenId: imageTokenId - 1 };
      assert.throws(
        () => checkTokenizerFits(tokenizer, shifted),
        /image_token_id .* got "<\|vision_end\|>", expected <\|image_pad\|>/,
      );
    });
  });

  describe("bad input", () => {
    let folder: string;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), "tokenizer-"));
      for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
        cpSync(join(BASE_POLICY, name), join(folder, name));
      }
    });
    afterEach(() => rmSync(folder, { recursive: true, force: true }));
    const refuses = (message: RegExp) =>
      assert.throws(() => loadTokenizer(folder), { name: "LabError", message });

    it("names what is missing or broken", () => {
      const path = join(folder, "tokenizer.json");
      writeFileSync(path, readFileSync(path).subarray(0, 5000));
      refuses(/tokenizer\.json is not JSON .*Try: copy or download the file again/);
      writeFileSync(path, "{}");
      refuses(/tokenizer\.json is not a tokenizer/);
      rmSync(path);
      refuses(/no file at .*tokenizer\.json/);
    });

    it("says that there is no chat template only when one is needed", () => {
      const bare = loadTokenizer(folder);
      assert.equal(bare.countTokens("What"), 1);
      assert.throws(() => bare.applyChatTemplate([]), /no chat template in/);
    });

    it("reads the template from tokenizer_config.json where there is no file of its own", () => {
      const path = join(folder, "tokenizer_config.json");
      const settings = JSON.parse(readFileSync(path, "utf8"));
      settings.chat_template = [
        { name: "tools", template: "no" },
        { name: "default", template: "{{ messages[0].content }}{{ eos_token }}" },
      ];
      writeFileSync(path, JSON.stringify(settings));
      const messages: Message[] = [{ role: "user", content: "Hi" }];
      assert.equal(loadTokenizer(folder).applyChatTemplate(messages), "Hi<|im_end|>");
    });

    it("names a template that refuses the messages", () => {
      const template = "{{ raise_exception('roles must alternate') }}";
      writeFileSync(join(folder, "chat_template.jinja"), template);
      assert.throws(
        () => loadTokenizer(folder).applyChatTemplate([]),
        /chat_template\.jinja failed \(roles must alternate\)/,
      );
    });

    it("names a token that the vocabulary lacks", () => {
      assert.throws(() => tokenizer.idOf("<|nothing|>"), /"<\|nothing\|>" is not a token of/);
    });
  });
});
