/** The published graders' labelled pairs, where the project's shared folder lies beside the checkout. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

const SCORING = path.resolve(__dirname, "../../../../../shared/scoring");

/** The records of a file, or the test is skipped with a word. */
export function scoringRecords<T>(test: Mocha.Context, name: string): T {
  const file = path.join(SCORING, `${name}.json`);
  if (!existsSync(file)) {
    console.log(`      skipped: no ../shared/scoring/${name}.json beside the checkout`);
    test.skip();
  }
  return JSON.parse(readFileSync(file, "utf8")) as T;
}

/** Prints how many of the cases agree and which do not; gives the share. */
export function agreement<T>(
  name: string,
  cases: readonly T[],
  agrees: (row: T) => boolean,
  show: (row: T) => string,
): number {
  const rest = cases.filter((row) => !agrees(row));
  console.log(`      ${name}: ${cases.length - rest.length} of ${cases.length} agree`);
  for (const row of rest) console.log(`        differs: ${show(row).slice(0, 160)}`);
  return 1 - rest.length / cases.length;
}
