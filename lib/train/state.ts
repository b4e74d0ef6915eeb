/** What a training checkpoint holds beside the policy: the optimiser's moments. Both trainers save and restore by it. */
import { join } from "node:path";
import { tf } from "../engine/backend";
import { fault } from "../engine/errors";
import { readSafetensors, writeSafetensors } from "../engine/safetensors";
import type { PolicyBundle } from "../policy/bundle";
import { loadPolicy, savePolicy } from "../policy/checkpoint";
import type { AdamW } from "./optimizer";

/** Parameters that are trained after pretraining: all but the vision tower's. */
export function decoderNames(bundle: PolicyBundle): string[] {
  return bundle.weights.names.filter((name) => !name.startsWith("visual."));
}

/** Writes weights, companions and moments into `folder`. */
export function saveTraining(bundle: PolicyBundle, optimizer: AdamW, folder: string): void {
  savePolicy(bundle, folder, bundle.folder);
  const { step, first, second } = optimizer.state();
  writeSafetensors(
    join(folder, "optimizer.safetensors"),
    { first, second },
    { step: String(step) },
  );
}

/** Puts a checkpoint's weights and moments in place of the present ones, bit for bit. */
export function restoreTraining(bundle: PolicyBundle, optimizer: AdamW, folder: string): void {
  const path = join(folder, "optimizer.safetensors");
  const { tensors, metadata } = readSafetensors(path);
  const step = Number(metadata.step);
  if (!Number.isInteger(step)) {
    throw fault("restoreTraining", `${path} does not say its step`, {
      got: metadata.step,
      try: "delete this checkpoint folder; the stage starts anew",
    });
  }
  assignWeights(bundle, folder);
  optimizer.restore({ step, first: tensors.first, second: tensors.second });
}

/** Replaces the bundle's weights by those of the checkpoint in `folder`. */
export function assignWeights(bundle: PolicyBundle, folder: string): void {
  const { weights } = loadPolicy(folder);
  for (const name of weights.names) bundle.weights.replace(name, tf.keep(weights.get(name)));
}
