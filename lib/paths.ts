/** Where things are in a checkout. Runs and caches stay inside it unless the environment says otherwise. */
import { readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";

/** The checkout's root: this file is compiled to `dist/lib`. */
export const projectRoot = resolve(__dirname, "../..");

/** The embedded base policy, in Hugging Face layout; `SRPO_BASE` names another checkpoint folder to start from. */
export const basePolicyFolder = resolve(
  projectRoot,
  process.env.SRPO_BASE || "datasets/base-policy",
);

/** All runs; `SRPO_RUNS` moves them. */
export function runsFolder(): string {
  return resolve(projectRoot, process.env.SRPO_RUNS ?? "runs");
}

/** Drawn pictures, which can be drawn again at any time. */
export const pictureCache = resolve(projectRoot, ".cache/pictures");

/** Pictures that came inside benchmark files. */
export const benchmarkPictures = resolve(projectRoot, ".cache/benchmark-pictures");

/** Files fetched from the hub. */
export const hubCache = resolve(projectRoot, ".cache/hub");

/** A path as an output shows it: from the working folder, so that a saved notebook does not tell where its clone was. */
export function shownPath(path: string): string {
  return relative(process.cwd(), path);
}

/** The version of the lab, as `package.json` says. */
export function labVersion(): string {
  const text = readFileSync(join(projectRoot, "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
