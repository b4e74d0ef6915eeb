/**
 * What reading the collections takes at their real size: a JSON array like MathV360K's (360,000 records, 175 MB, 40,000 pictures), one
 * like Mulberry's (260,000 solutions), and JSON Lines like LLaVA-CoT's (100,000 solutions), of which every record, text and picture
 * is made up.
 *
 *     node dist/test/datasets/sources/memory.js [--folder DIR] [--scale 1]
 *
 * writes them (2 GB, in a minute or two), reads each with `srpo data read` in several ways, and prints a row for each reading: the
 * command's peak of resident memory in MB (VmHWM), and its seconds.
 */
import { spawn } from "node:child_process";
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  statSync,
} from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { mapBounded } from "../../../lib/engine/lists";
import { createRandom, type Random } from "../../../lib/engine/random";

const CLI = join(__dirname, "../../../lib/cli.js");

/** The command says its own peak at its end: `/proc` knows it per program, `getrusage` takes the parent's over. */
const PEAK_HOOK = `process.on("exit", () => {
  const fs = require("node:fs");
  const own = fs.existsSync("/proc/self/status") && /VmHWM:\\s*(\\d+)/.exec(fs.readFileSync("/proc/self/status", "utf8"));
  fs.writeFileSync(process.env.SRPO_TEST_PEAK, String(own ? own[1] : process.resourceUsage().maxRSS));
});`;

export interface Reading {
  /** Rows on stdout. */
  rows: number;
  megabytes: number;
  seconds: number;
}

/** Runs `srpo …`, throws its stdout away and tells what it took. @throws Error when it fails */
export async function peakOf(args: readonly string[], folder: string): Promise<Reading> {
  const [hook, peak] = [join(folder, "peak-hook.cjs"), join(folder, "peak.txt")];
  const { writeFileSync } = await import("node:fs");
  writeFileSync(hook, PEAK_HOOK);
  const start = process.hrtime.bigint();
  const child = spawn(process.execPath, ["--require", hook, CLI, ...args], {
    env: { ...process.env, SRPO_THREADS: "1", SRPO_TEST_PEAK: peak },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [rows, err] = [0, ""];
  child.stdout.on("data", (bytes: Buffer) => {
    for (const byte of bytes) if (byte === 0x0a) rows++;
  });
  child.stderr.on("data", (text: Buffer) => (err = (err + String(text)).slice(-4000)));
  const [status] = (await once(child, "close")) as [number | null];
  if (status !== 0) throw new Error(`srpo ${args.join(" ")} ended with ${status}: ${err}`);
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  return { rows, megabytes: Number(readFileSync(peak, "utf8")) / 1024, seconds };
}

/** Small pictures that all differ. */
async function drawPictures(root: string, names: readonly string[]): Promise<void> {
  for (const name of names) mkdirSync(join(root, name, ".."), { recursive: true });
  const [width, height] = [24, 16];
  await mapBounded(names, 8, async (name) => {
    const path = join(root, name);
    if (existsSync(path)) return;
    const random = createRandom(name);
    const raw = { width, height, channels: 1 } as const;
    const bytes = Uint8Array.from({ length: width * height }, () => random.int(0, 255));
    await sharp(bytes, { raw }).png().toFile(path);
  });
}

const WORDS =
  "the of bar line angle value chart total left right circle shows first second between point table number length triangle than each".split(
    " ",
  );

const sentence = (random: Random, words: number): string =>
  Array.from({ length: words }, () => random.pick(WORDS)).join(" ");

async function writeRecords(
  path: string,
  count: number,
  text: (i: number) => string,
  ends: [string, string, string],
): Promise<void> {
  const [begin, between, end] = ends;
  const out = createWriteStream(path);
  for (let i = 0; i < count; i++) {
    if (!out.write((i === 0 ? begin : between) + text(i))) await once(out, "drain");
  }
  out.end(end);
  await once(out, "close");
}

const ARRAY: [string, string, string] = ["[", ",\n", "]\n"];
const LINES: [string, string, string] = ["", "\n", "\n"];
const SUBSETS = [
  "TabMWP",
  "IconQA",
  "DVQA",
  "FigureQA",
  "GeoQA+",
  "CLEVR-Math",
  "UniGeo",
  "A-OKVQA",
];

/** Where the n-th of `pictures` lies, in the subsets' folders. */
const pictureName = (n: number): string => `${SUBSETS[n % SUBSETS.length]}/images/${n}.png`;

export interface Collection {
  source: string;
  path: string;
  /** Its own benchmark-like file, with some of its questions and pictures. */
  images: string;
  megabytes: number;
}

/** A JSON array of short questions and answers with hints, nine to a picture, one in fifty a copy. */
export async function writeMathV360k(folder: string, records: number): Promise<Collection> {
  const pictures = Math.max(1, Math.floor(records / 9));
  const path = join(folder, "train_samples_all_tuning.json");
  const text = (i: number): string => {
    const n = i % 50 === 49 ? i - 1 : i;
    const random = createRandom(`math/${n}`);
    const choices = "(A) left\n(B) right\n(C) both\n(D) none";
    const question = `Hint: Please answer the question and provide the correct option letter, e.g., A, B, C, D, at the end.\nQuestion: What of ${n} is ${sentence(random, 30)}?\nChoices:\n${choices}`;
    return JSON.stringify({
      ...{ id: `identity_${i}`, image: pictureName(n % pictures) },
      conversations: [
        { from: "human", value: `<image>\n${question}` },
        { from: "gpt", value: `The answer is ${"ABCD"[n % 4]}` },
      ],
    });
  };
  await drawPictures(
    folder,
    Array.from({ length: pictures }, (_unused, n) => pictureName(n)),
  );
  await writeRecords(path, records, text, ARRAY);
  return { source: "mathv360k", path, images: folder, megabytes: statSync(path).size / 1e6 };
}

/** A JSON array of solutions in Mulberry's sections. */
export async function writeMulberry(folder: string, records: number): Promise<Collection> {
  const pictures = Math.max(1, Math.floor(records / 4));
  const path = join(folder, "mulberry_sft.json");
  const text = (i: number): string => {
    const random = createRandom(`mulberry/${i}`);
    const steps = [1, 2, 3].map((n) => `### Step ${n}:\n${sentence(random, 30)}.`).join("\n\n");
    return JSON.stringify({
      images: pictureName(i % pictures),
      messages: [
        {
          role: "user",
          content: `<image>\nQuestion: How much of ${i} is ${sentence(random, 10)}?`,
        },
        {
          role: "assistant",
          content: `### Image Description:\n${sentence(random, 60)}\n\n### Rationales:\n${sentence(random, 30)}\n\n### Let's think step by step.\n${steps}\n\n### The final answer is: ${i % 100}`,
        },
      ],
    });
  };
  await drawPictures(
    folder,
    Array.from({ length: pictures }, (_unused, n) => pictureName(n)),
  );
  await writeRecords(path, records, text, ARRAY);
  return { source: "mulberry", path, images: folder, megabytes: statSync(path).size / 1e6 };
}

/** JSON Lines of long solutions in LLaVA-CoT's tags, each about a picture of its own. */
export async function writeLlavaCot(folder: string, records: number): Promise<Collection> {
  const path = join(folder, "train.jsonl");
  const text = (i: number): string => {
    const random = createRandom(`llava/${i}`);
    const solution =
      `<SUMMARY> ${sentence(random, 40)} </SUMMARY>\n\n<CAPTION> ${sentence(random, 90)} </CAPTION>\n\n` +
      `<REASONING> ${sentence(random, 60)}\n${sentence(random, 60)} </REASONING>\n\n<CONCLUSION> ${i % 100} </CONCLUSION>`;
    return JSON.stringify({
      ...{ id: `r${i}`, image: pictureName(i) },
      conversations: [
        { from: "human", value: `How much of ${i} is ${sentence(random, 10)}?` },
        { from: "gpt", value: solution },
      ],
    });
  };
  await drawPictures(
    folder,
    Array.from({ length: records }, (_unused, n) => pictureName(n)),
  );
  await writeRecords(path, records, text, LINES);
  return { source: "llava-cot", path, images: folder, megabytes: statSync(path).size / 1e6 };
}

/** What a benchmark's file looks like, with every `every`-th picture of a collection. */
export async function writeBenchmark(folder: string, items: number): Promise<string> {
  const path = join(folder, "benchmark.json");
  const text = (i: number): string =>
    JSON.stringify({
      ...{ id: i, image: pictureName(i * 7), answer: "1" },
      question: `How many ${i}?`,
    });
  await writeRecords(path, items, text, ARRAY);
  return path;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { folder: { type: "string" }, scale: { type: "string", default: "1" } },
  });
  const folder = values.folder ?? mkdtempSync(join(tmpdir(), "srpo-memory-"));
  const scale = Number(values.scale);
  mkdirSync(folder, { recursive: true });
  const collections = [
    await writeMathV360k(folder, 360_000 * scale),
    await writeMulberry(folder, 260_000 * scale),
    await writeLlavaCot(folder, 100_000 * scale),
  ];
  const benchmark = await writeBenchmark(folder, 1000);
  const ways: Record<string, string[]> = {
    "10,000 of them, in proportion": ["--limit", String(10_000 * scale)],
    "10,000 of them, evenly, none of a benchmark": [
      "--limit",
      String(10_000 * scale),
      "--balance",
      "even",
      "--benchmark",
      benchmark,
    ],
    all: [],
  };
  for (const { source, path, images, megabytes } of collections) {
    for (const [way, args] of Object.entries(ways)) {
      const what = ["data", "read", "--source", source, "--path", path, "--images", images];
      const reading = await peakOf([...what, ...args], folder);
      console.log(
        JSON.stringify({
          source,
          file: Math.round(megabytes),
          way,
          rows: reading.rows,
          peak: Math.round(reading.megabytes),
          seconds: Math.round(reading.seconds),
        }),
      );
    }
  }
}

if (require.main === module) void main();
