/**
 * A measurement in a process of its own: nothing is warm from another one, the number of threads is its own, and so is the
 * peak of its memory.
 */
import { ready } from "../engine/backend";
import { runForJson } from "./child";
import { decodeSeconds } from "./decode";
import { measureBatches } from "./evaluation";
import { pictureSteps, syntheticSteps } from "./grpo";
import { onnxDecode } from "./onnx";
import { sftSteps } from "./sft";
import { measureTower } from "./tower";
import { measureUpdate } from "./update";

/** What can be measured apart: each takes plain data and gives plain data. */
const measurements = {
  syntheticSteps,
  pictureSteps,
  decodeSeconds,
  measureBatches,
  measureUpdate,
  sftSteps,
  measureTower,
  onnxDecode,
};

type Measurements = typeof measurements;
export type MeasurementName = keyof Measurements;

export interface Apart<T> {
  result: T;
  /** The largest resident memory of the process. */
  peak_mb: number;
  /** The same before the work, the engine being ready. */
  before_mb: number;
}

/** Measures in a new process. @param threads of the engine; as it chooses unless told */
export async function apart<N extends MeasurementName>(
  name: N,
  work: Parameters<Measurements[N]>[0],
  threads?: number,
): Promise<Apart<Awaited<ReturnType<Measurements[N]>>>> {
  const env = threads === undefined ? {} : { SRPO_THREADS: String(threads) };
  const told = await runForJson(
    "bench",
    process.execPath,
    [__filename, name, JSON.stringify(work)],
    env,
  );
  return told as Apart<Awaited<ReturnType<Measurements[N]>>>;
}

/** Linux and macOS through Node count it in kilobytes. */
function peakMegabytes(): number {
  return process.resourceUsage().maxRSS / 2 ** 10;
}

async function measureHere([name, work]: readonly string[]): Promise<void> {
  await ready();
  const before_mb = peakMegabytes();
  const measure = measurements[name as MeasurementName] as (work: unknown) => unknown;
  const result = await measure(JSON.parse(work));
  process.stdout.write(JSON.stringify({ result, peak_mb: peakMegabytes(), before_mb }) + "\n");
}

if (require.main === module) {
  measureHere(process.argv.slice(2)).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exitCode = 1;
  });
}
