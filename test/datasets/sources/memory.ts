/**
 * What reading the collections takes at their real size: a JSON array like MathV360K's (360,000 records, 175 MB, 40,000 pictures), one
 * like Mulberry's (260,000 solutions), and JSON Lines like LLaVA-CoT's (100,000 solutions), of which every record, text and picture
 * is made up.
 *
 *     node dist/test/datasets/sources/memory.js [--folder DIR] [--scale 1]
 *
 * writes them (3 GB), reads each with `srpo data read` in several ways, then takes 100,000 attempts through `select`, `reflect` (by the
 * rules) and `export`, and 20,000 through `judge` and `reflect` with a model behind a server of its own. It prints a row for each: the
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
  writeFileSync,
} from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { mapBounded } from "../../../lib/engine/lists";
import { createRandom, type Random } from "../../../lib/engine/random";
import {
  openChatServer,
  replyBody,
  sendJson,
  textIn,
  type Asked,
} from "../../rollout/openai/server";

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

/** Words at random; drawing each sentence's anew would take longer than reading it. */
const POOL = ((random: Random) => Array.from({ length: 20_000 }, () => random.pick(WORDS)))(
  createRandom("words"),
);

const sentence = (random: Random, words: number): string => {
  const start = random.int(0, POOL.length - words);
  return POOL.slice(start, start + words).join(" ");
};

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
  /** The pictures' root. */
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

/** JSON Lines of long solutions in LLaVA-CoT's tags. @param words of each section */
export async function writeLlavaCot(
  folder: string,
  records: number,
  { words = 60, pictures = records }: { words?: number; pictures?: number } = {},
): Promise<Collection> {
  const path = join(folder, "train.jsonl");
  const text = (i: number): string => {
    const random = createRandom(`llava/${i}`);
    const section = (name: string): string => `<${name}> ${sentence(random, words)} </${name}>`;
    const solution = [
      ...["SUMMARY", "CAPTION", "REASONING"].map(section),
      `<CONCLUSION> ${i % 100} </CONCLUSION>`,
    ];
    return JSON.stringify({
      ...{ id: `r${i}`, image: pictureName(i % pictures) },
      conversations: [
        { from: "human", value: `How much of ${i} is ${sentence(random, 10)}?` },
        { from: "gpt", value: solution.join("\n\n") },
      ],
    });
  };
  await drawPictures(
    folder,
    Array.from({ length: pictures }, (_unused, n) => pictureName(n)),
  );
  await writeRecords(path, records, text, LINES);
  return { source: "llava-cot", path, images: folder, megabytes: statSync(path).size / 1e6 };
}

/** A benchmark's file with every seventh of the first pictures. */
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

/** Judged attempts at long problems, every third of them right. @param words of each solution */
export async function writeAttempts(
  folder: string,
  count: number,
  { words = 300 }: { words?: number } = {},
): Promise<string> {
  const path = join(folder, `attempts-${count}.jsonl`);
  await drawPictures(folder, [pictureName(0)]);
  const text = (i: number): string => {
    const random = createRandom(`attempt/${i}`);
    const correct = i % 3 === 0;
    const answer = String(correct ? i % 100 : (i % 100) + 1);
    const verdict = { extraction: answer, prediction: answer, correct, rule: "number" };
    const solution = `<think>${sentence(random, words)}</think><answer>${answer}</answer>`;
    return JSON.stringify({
      problem: {
        ...{ id: `p${i}`, question: `How much of ${i} is ${sentence(random, 10)}?` },
        ...{
          images: [join(folder, pictureName(0))],
          answer: String(i % 100),
          answerType: "number",
        },
        ...{ family: SUBSETS[i % 8], level: 1, subject: "geometry", source: "mulberry" },
        ...{ reading: sentence(random, 60), steps: [`${i}+${i + 1}=${2 * i + 1}`] },
      },
      policy: "p",
      attempts: [{ text: solution, truncated: false, verdict }],
      passRate: Number(correct),
    });
  };
  await writeRecords(path, count, text, LINES);
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
  const tell = (what: Record<string, unknown>, { rows, megabytes, seconds }: Reading): void => {
    const took = { peak: Math.round(megabytes), seconds: Math.round(seconds) };
    console.log(JSON.stringify({ ...what, rows, ...took }));
  };
  for (const { source, path, images, megabytes } of collections) {
    for (const [way, args] of Object.entries(ways)) {
      const read = ["data", "read", "--source", source, "--path", path, "--images", images];
      const file = Math.round(megabytes);
      tell({ source, file, way }, await peakOf([...read, ...args], folder));
    }
  }
  const attempts = await writeAttempts(folder, 100_000 * scale);
  for (const [name, part] of Object.entries(partsOn(attempts, folder))) {
    tell(
      { part: name, file: Math.round(statSync(attempts).size / 1e6) },
      await peakOf(part, folder),
    );
  }
  const shown = await writeAttempts(folder, 20_000 * scale);
  const server = await openChatServer((asked, response) =>
    sendJson(response, 200, replyBody(gradeOrTeach(asked))),
  );
  try {
    for (const [name, part] of Object.entries(servedPartsOn(shown, folder, server.baseUrl))) {
      const file = Math.round(statSync(shown).size / 1e6);
      tell({ part: `${name}, served`, file }, await peakOf(part, folder));
    }
  } finally {
    server.close();
  }
}

/** The parts of `srpo data` that need no server, on a file of attempts. */
export function partsOn(attempts: string, folder: string): Record<string, string[]> {
  const samples = join(folder, "samples.jsonl");
  return {
    select: ["data", "select", "--in", attempts, "--out", join(folder, "selected.jsonl")],
    reflect: ["data", "reflect", "--in", attempts, "--out", samples],
    export: ["data", "export", "--in", samples, "--out", join(folder, "dataset")],
  };
}

/** The parts of `srpo data` that ask a model, each with a cache of its own that is empty at first. */
export function servedPartsOn(
  attempts: string,
  folder: string,
  baseUrl: string,
): Record<string, string[]> {
  const cache = (name: string): string => mkdtempSync(join(folder, `replies-${name}-`));
  const asking = ["--model", "m", "--base-url", baseUrl, "--cache"];
  const judged = join(folder, "judged.jsonl");
  const taught = join(folder, "taught.jsonl");
  return {
    judge: ["data", "judge", "--in", attempts, "--out", judged, ...asking, cache("judge")],
    reflect: ["data", "reflect", "--in", attempts, "--out", taught, ...asking, cache("reflect")],
  };
}

/** Grades, or teaches in words of the attempt that is shown, so that the filters take nearly every lesson. */
export function gradeOrTeach({ body }: Asked): string {
  const shown = textIn(body);
  const part = (title: string): string =>
    new RegExp(`${title}:\\n([^\\n]*)`).exec(shown)?.[1] ?? "";
  if (shown.includes("Grade the reasoning")) {
    return JSON.stringify({ comment: "It can be followed.", score: 4 });
  }
  const said = part("First solution, reasoning").split(" ");
  const quote = said.slice(0, 12).join(" ");
  const second = { think: `${quote}, once more`, answer: part("Gold answer[^:]*") };
  return JSON.stringify(
    shown.includes("The first solution is wrong")
      ? { quote, flaw: "A slip.", reflection: `I overlooked a step after ${quote}.`, ...second }
      : { reflection: `All of it rests on ${quote}.`, ...second },
  );
}

if (require.main === module) void main();
