/** A notebook's first output: preset, engine, hardware, seed, and how long its stages take here. */
import { describeEngine, ready } from "../engine/backend";
import type { Spec } from "../config";
import { display } from "./display";
import { labInfo } from "./info";

/**
 * Starts the engine and says what the notebook runs on.
 * @param stages how long each stage takes on two cores, in seconds
 */
export async function showLab(
  { preset, seed }: Spec,
  stages: readonly { name: string; seconds: number }[] = [],
): Promise<void> {
  await ready();
  await display(labInfo({ preset, seed, engine: describeEngine(), stages }));
}
