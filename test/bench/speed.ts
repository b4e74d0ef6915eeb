/**
 * How many verdicts a second the rule scorers give on one core, and what hostile texts cost: `node dist/test/bench/speed.js`.
 * Rows are the recorded ones beside the checkout (../shared/scoring); nothing is asserted, a machine has its own speed.
 */
import { existsSync } from "node:fs";
import path from "node:path";
import type { BenchRecord } from "../../lib/bench/benchmark";
import { benchmarkByName, benchmarks } from "../../lib/bench/benchmarks";
import { scoreRecord } from "../../lib/bench/score";
import { hostileTexts } from "./hostile";
import { readJson, readJsonl, samples, scoring } from "./records";

/** Seconds a file's rows are scored again and again, after one pass that warms the compiler up. */
const SECONDS = 2;

function recordedRows(): [name: string, label: string, rows: BenchRecord[]][] {
  const lines = (file: string): BenchRecord[] => readJsonl<BenchRecord>(path.join(scoring, file));
  const items = readJson<Record<string, BenchRecord>>(
    path.join(samples, "mathvista/testmini.json"),
  );
  const olympiad = readJson<{ cases: Record<string, unknown>[] }>(
    path.join(scoring, "olympiadbench_scoring_examples.json"),
  ).cases.map(({ gold, pred, precision }) => ({
    final_answer: [gold],
    error: precision,
    response: pred,
  }));
  const responses = lines("mathvista_response_extraction.jsonl").map(({ pid, response }) => ({
    ...items[String(pid)],
    response,
  }));
  return [
    ["mathvista", "normalisation and verdict", lines("mathvista_official_scoring.jsonl")],
    ["mathvista", "extraction by rules and verdict", responses],
    ["mathvision", "verdict", lines("mathvision_official_scoring.jsonl")],
    [
      "mathvision",
      "extraction and verdict",
      lines("mathvision_response_extraction.jsonl").map((row) => ({
        ...row,
        model_answer: undefined,
      })),
    ],
    [
      "mmmu-pro",
      "parse and verdict",
      lines("mmmu_pro_official_parse.jsonl").map((row) => ({ ...row, pred: undefined })),
    ],
    ["olympiadbench", "judge", olympiad],
  ];
}

function main(): void {
  if (!existsSync(scoring)) {
    console.log("no recorded rows beside the checkout (../shared/scoring)");
  } else {
    for (const [name, label, rows] of recordedRows()) {
      const benchmark = benchmarkByName(name);
      const pass = (): void => rows.forEach((row) => void scoreRecord(benchmark, row));
      pass();
      const start = process.hrtime.bigint();
      let count = 0;
      let seconds = 0;
      while (seconds < SECONDS) {
        pass();
        count += rows.length;
        seconds = Number(process.hrtime.bigint() - start) / 1e9;
      }
      const speed = Math.round(count / seconds).toLocaleString("en");
      console.log(
        `${name.padEnd(14)} ${label.padEnd(32)} ${rows.length} rows  ${speed} verdicts/s`,
      );
    }
  }
  let slowest = { seconds: 0, what: "" };
  for (const benchmark of benchmarks) {
    for (const rules of ["official", "vlmevalkit", "lmms-eval"] as const) {
      for (const { record, response } of hostileTexts()) {
        const start = process.hrtime.bigint();
        scoreRecord(benchmark, { ...record, response }, { rules });
        const seconds = Number(process.hrtime.bigint() - start) / 1e9;
        if (seconds > slowest.seconds) {
          slowest = { seconds, what: `${benchmark.name}, ${rules}, ${response.slice(0, 20)}…` };
        }
      }
    }
  }
  console.log(`slowest hostile text: ${slowest.seconds.toFixed(3)} s (${slowest.what})`);
}

main();
