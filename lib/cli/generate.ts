/** `srpo generate`: one completion, with its token ids and log-probabilities. */
import { Command } from "commander";
import { openPolicy, type PolicyBundle } from "../policy/bundle";
import { generate, type PreparedPrompt } from "../policy/generate";
import { encodePrompt, type Message } from "../policy/tokenizer";
import { imageFeatures } from "../policy/vision";
import { startEngine } from "./engine";
import { writeRow } from "./io";
import { numberFrom, wholeNumber } from "./numbers";

interface Options {
  checkpoint: string;
  prompt: string;
  system?: string;
  image: string[];
  maxNewTokens: number;
  temperature: number;
  seed: number;
  json?: true;
}

export const command = new Command("generate")
  .description("Continues a prompt in the checkpoint's chat format.")
  .requiredOption("--checkpoint <dir>", "Hugging Face layout, with tokenizer")
  .requiredOption("--prompt <text>", "what the user says")
  .option("--image <file>", "a picture before the text; repeatable", collect, [])
  .option("--system <text>", "system prompt (default: what the chat template says)")
  .option("--max-new-tokens <n>", "at most so many", wholeNumber(1), 128)
  .option("--temperature <t>", "0 takes the most likely token", numberFrom(0), 0)
  .option("--seed <n>", "of the random draws", wholeNumber(0), 0)
  .option("--json", "{prompt_ids, token_ids, logprobs, text} instead of the text alone")
  .addHelpText(
    "after",
    `
logprobs are natural logarithms at temperature 1, one a token; token_ids hold the token that ended the turn.
The embedded policy knows the system prompts "Solve." and "Solve, reflect, solve again."

Example:
  npx srpo generate --checkpoint datasets/base-policy --system Solve. --prompt "What is 3 + 4?" --json`,
  )
  .action(async (options: Options) => {
    await startEngine();
    const bundle = openPolicy(options.checkpoint);
    try {
      const prompt = await preparePrompt(bundle, options);
      const [[{ ids, logprobs }]] = await generate(bundle, [prompt], {
        group: 1,
        maxNewTokens: options.maxNewTokens,
        temperature: options.temperature,
        keys: [options.seed],
      });
      const text = bundle.tokenizer.decode(ids, { skipSpecial: true });
      if (options.json) await writeRow({ prompt_ids: prompt.ids, token_ids: ids, logprobs, text });
      else process.stdout.write(`${text}\n`);
    } finally {
      bundle.weights.dispose();
    }
  });

/** The chat prompt's tokens and the merged tokens of its pictures, which stand before the text. */
async function preparePrompt(
  bundle: PolicyBundle,
  { prompt, system, image }: Options,
): Promise<PreparedPrompt> {
  const { tokenizer, processor, config } = bundle;
  const pictures = await Promise.all(image.map((path) => processor.processImage(path)));
  const grids = pictures.map(({ grid }) => grid);
  const messages: Message[] = [
    {
      role: "user",
      content: [...image.map(() => ({ type: "image" as const })), { type: "text", text: prompt }],
    },
  ];
  if (system !== undefined) messages.unshift({ role: "system", content: system });
  const ids = encodePrompt(tokenizer, messages, grids, {
    imageTokenId: config.imageTokenId,
    mergeSize: config.vision.mergeSize,
  });
  const patches = pictures.flatMap((picture) => Array.from(picture.patches));
  return { ids, grids, features: imageFeatures(bundle, patches, grids) };
}

function collect(value: string, earlier: string[]): string[] {
  return [...earlier, value];
}
