/** Saved responses of any system: whose problem each row answers, and what it says. */
import type { Benchmark, BenchRecord } from "./benchmark";
import { firstText, identity } from "./fields";
import { readRecords } from "./load";

/** What a row says: the whole text, or an answer that somebody has taken out of it already. */
export type SavedResponse = { response: string | null } | { extraction: string };

/**
 * The responses of a file by problem, several of one problem in the file's order.
 * @param file JSON, JSON Lines, TSV or parquet: rows with the benchmark's identifier and `response` (VLMEvalKit calls it `prediction`)
 * or `extraction`
 * @throws LabError naming the file, or what a row lacks
 */
export async function readResponses(
  benchmark: Benchmark,
  file: string,
): Promise<Map<string, SavedResponse[]>> {
  const responses = new Map<string, SavedResponse[]>();
  for await (const row of readRecords(file)) {
    const id = idOf(benchmark, row);
    responses.set(id, [...(responses.get(id) ?? []), responseOf(benchmark, row)]);
  }
  return responses;
}

/** As the problem's own, where the row has all of its fields; else what the row calls its identifier. */
function idOf(benchmark: Benchmark, row: BenchRecord): string {
  try {
    return benchmark.problem(row, []).id;
  } catch {
    return identity(row, [...benchmark.idFields, "id", "pid", "index"]);
  }
}

function responseOf(benchmark: Benchmark, row: BenchRecord): SavedResponse {
  const response = firstText(row, ["response", "prediction"]);
  if (response !== null) return { response };
  const extraction = firstText(row, ["extraction", benchmark.extractionField]);
  return extraction === null ? { response: null } : { extraction };
}
