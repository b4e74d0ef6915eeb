/** `srpo …` in a process of its own, and what its tests feed it. */
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const CLI = join(__dirname, "../../lib/cli.js");

export interface Ended {
  status: number | null;
  out: string;
  err: string;
  /** stdout as JSON lines. */
  rows: Record<string, unknown>[];
}

export function start(args: readonly string[], env: Record<string, string> = {}) {
  return spawn(process.execPath, [CLI, ...args], {
    env: { ...process.env, SRPO_THREADS: "1", ...env },
  });
}

export async function ended(child: ReturnType<typeof start>): Promise<Ended> {
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
  const lines = out.split("\n").filter((line) => line.startsWith("{"));
  return { status, out, err, rows: lines.map((line) => JSON.parse(line)) };
}

/** Runs `srpo …` to its end. */
export function srpo(
  args: readonly string[],
  { input = "", env = {} }: { input?: string; env?: Record<string, string> } = {},
): Promise<Ended> {
  const child = start(args, env);
  // A command that fails early does not read its input.
  child.stdin.on("error", () => undefined).end(input);
  return ended(child);
}

export const jsonl = (rows: readonly unknown[]): string =>
  rows.map((row) => JSON.stringify(row) + "\n").join("");

/** One character a token: printable ASCII from id 200 on, Chinese before. */
export const spelled = (id: number): string =>
  id >= 200 && id < 316 ? String.fromCharCode(id - 188) : String.fromCodePoint(0x4e00 + id);

/** A tokenizer of the fixture's 320 ids in which a character is a token. */
export function writeCharacterTokenizer(folder: string): void {
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
