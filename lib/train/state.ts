/** What a training checkpoint holds beside the policy: the optimiser's moments. Both trainers save and restore by it. */
import { join } from "node:path";
import { fault } from "../engine/errors";
import { readSafetensors, writeSafetensors } from "../engine/safetensors";
import type { PolicyBundle } from "../policy/bundle";
import { eachStoredWeight, savePolicy } from "../policy/checkpoint";
import { loadAdapterTensors } from "../policy/peft";
import type { AdamW } from "./optimizer";

/** Parameters that are trained after pretraining: the adapters where there are any, else all but the vision tower's. */
export function trainedNames({ weights }: PolicyBundle): readonly string[] {
  return weights.adapters?.names ?? weights.names.filter((name) => !name.startsWith("visual."));
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

/** Replaces the bundle's weights, or its adapters, by those of the checkpoint in `folder`. */
export function assignWeights({ weights, config }: PolicyBundle, folder: string): void {
  if (weights.adapters === undefined) return eachStoredWeight(folder, config, weights.replace);
  for (const [name, tensor] of Object.entries(loadAdapterTensors(folder))) {
    weights.replace(name, tensor);
  }
}
