/** Official records beside the checkout, where there are any. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

const root = path.resolve(__dirname, "../../..");
export const scoring = path.resolve(root, "../shared/scoring");
export const samples = path.resolve(root, "../shared/samples");

/** A fixture of this repository. */
export function fixture<T>(name: string): T {
  return JSON.parse(readFileSync(path.join(root, "test/fixtures/bench", name), "utf8")) as T;
}

/** Skips a test with a clear word where the records are absent. */
export function needRecords(context: Mocha.Context, ...files: string[]): void {
  if (files.every((file) => existsSync(file))) return;
  console.log("      skipped: no official records beside the checkout (../shared)");
  context.skip();
}

export function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(file, "utf8")) as T;
}

export function readJsonl<T>(file: string): T[] {
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as T);
}
