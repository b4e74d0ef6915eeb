/**
 * `npm run bench`: measures part by part and keeps everything in one folder: `bench.json` with every number and where and how
 * it was measured, a picture of each part, and `README.md` with the tables. A part that is measured again replaces its own
 * numbers only.
 */
import { existsSync, readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { describeEngine, ready, renderEngine } from "../engine/backend";
import { writeFileAtomic } from "../engine/files";
import { renderPng } from "../lab/figure";
import { hardware } from "../lab/info";
import { renderSvg } from "../lab/svg-chart";
import { labVersion } from "../paths";
import { benchParts } from "./parts";
import type { BenchPart, PartResult } from "./parts/part";
import { renderReport } from "./report";

/** One part as it was measured. */
export interface MeasuredPart extends PartResult {
  title: string;
  about: string;
  /** What measures it again. */
  command: string;
  /** When it began, ISO 8601, and how long it took. */
  at: string;
  seconds: number;
  hardware: string;
  engine: string;
  threads: number;
  /** Programs that wanted a core just before, on average over a minute: about 0 on a quiet machine. */
  load: number;
  lab: string;
}

/** By name of the part. */
export type BenchResults = Record<string, MeasuredPart>;

/**
 * Measures the named parts into `folder`.
 * @param names all but those that are measured by name only where it is empty @param threads of the engine
 */
export async function runBench({
  names,
  folder,
  threads,
  onProgress,
}: {
  names: readonly string[];
  folder: string;
  threads?: number;
  onProgress: (text: string) => void;
}): Promise<BenchResults> {
  if (threads !== undefined) process.env.SRPO_THREADS = String(threads);
  await ready();
  const file = join(folder, "bench.json");
  let results = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as BenchResults) : {};
  const wanted = benchParts.filter((part) =>
    names.length === 0 ? part.onlyByName !== true : names.includes(part.name),
  );
  for (const part of wanted) {
    const measured = await measurePart(part, threads, onProgress);
    results = inOrder({ ...results, [part.name]: measured });
    // After every part, so that one that fails later loses nothing.
    writeFileAtomic(file, JSON.stringify(results, undefined, 1) + "\n");
    await drawPart(folder, part.name, measured);
    writeFileAtomic(join(folder, "README.md"), renderReport(results));
  }
  return results;
}

async function measurePart(
  part: BenchPart,
  threads: number | undefined,
  onProgress: (text: string) => void,
): Promise<MeasuredPart> {
  const [load] = loadavg();
  const begun = new Date();
  const result = await part.measure({
    threads,
    onProgress: (text) => onProgress(`${part.name}: ${text}`),
  });
  const engine = describeEngine();
  const option = threads === undefined ? "" : ` --threads ${threads}`;
  return {
    ...{ title: part.title, about: part.about },
    command: `npm run bench -- ${part.name}${option}`,
    at: begun.toISOString(),
    seconds: (Date.now() - begun.getTime()) / 1000,
    hardware: hardware(),
    engine: renderEngine(engine),
    ...{ threads: engine.threads, load, lab: labVersion() },
    ...result,
  };
}

/** Every part's figures are the panels of one picture. */
async function drawPart(folder: string, name: string, { figures }: PartResult): Promise<void> {
  if (figures.length === 0) return;
  writeFileAtomic(join(folder, `${name}.svg`), renderSvg(figures));
  writeFileAtomic(join(folder, `${name}.png`), await renderPng(figures));
}

function inOrder(results: BenchResults): BenchResults {
  const names = benchParts.map(({ name }) => name).filter((name) => name in results);
  return Object.fromEntries(names.map((name) => [name, results[name]]));
}
