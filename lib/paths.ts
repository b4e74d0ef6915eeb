/** Where things are in a checkout. Runs and caches stay inside it unless the environment says otherwise. */
import { resolve } from "node:path";

/** The checkout's root: this file is compiled to `dist/lib`. */
export const projectRoot = resolve(__dirname, "../..");

/** The embedded base policy, in Hugging Face layout. */
export const basePolicyFolder = resolve(projectRoot, "datasets/base-policy");

/** All runs; `SRPO_RUNS` moves them. */
export function runsFolder(): string {
  return resolve(projectRoot, process.env.SRPO_RUNS ?? "runs");
}

/** Drawn pictures, which can be drawn again at any time. */
export const pictureCache = resolve(projectRoot, ".cache/pictures");
