/**
 * Divisibility, memory and hours. Hours are the paper's own wall times (arXiv 2506.01713, table 9) in proportion; memory is
 * counted for the weights and their optimiser, beside what peers state. Estimates, and said to be.
 */
import type { Spec } from "../../config";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readPolicyConfig, type PolicyConfig } from "../../policy/config";
import { parameterCount } from "../../policy/memory";
import type { ExportManifest } from "../exports/export";
import type { Finding } from "./finding";

/** The paper's runs: 37,390 problems, 500 steps of 128 prompts of 8 completions, and 10,000 samples for one epoch. */
const PAPER = [
  { parameters: 8.3e9, gpus: 8, rlHours: 31.2, sftHours: 3.5 },
  { parameters: 33.5e9, gpus: 32, rlHours: 45.1, sftHours: 4.7 },
] as const;
/** Below it nothing can be said in proportion to them. */
const SMALLEST = 1e9;
const PAPER_ROLLOUTS = 500 * 128 * 8;
const PAPER_SAMPLES = 10_000;
/** bf16 weights and gradients, float32 master weights and two moments. */
const BYTES_A_PARAMETER = 2 + 2 + 4 + 4 + 4;

/** Hours of a run, in proportion to rollouts (or samples), parameters and GPUs, from the nearer of the paper's two runs. */
export function estimateHours(
  spec: Spec,
  { parameters, samples }: { parameters: number; samples?: number },
): number {
  const distance = ({ parameters: own }: { parameters: number }): number =>
    Math.abs(Math.log(own / parameters));
  const [paper] = [...PAPER].sort((a, b) => distance(a) - distance(b));
  const gpus = spec.cluster.nodes * spec.cluster.gpusPerNode;
  const scale = (parameters / paper.parameters) * (paper.gpus / gpus);
  if (samples !== undefined) {
    return paper.sftHours * scale * ((samples * spec.sft.epochs) / PAPER_SAMPLES);
  }
  const { steps, prompts, group } = spec.grpo;
  return paper.rlHours * scale * ((steps * prompts * group) / PAPER_ROLLOUTS);
}

/** Findings that need no data, only the spec and, where it is there, the checkpoint's `config.json`. */
export function checkResources({ spec, target, rows }: ExportManifest, folder: string): Finding[] {
  const config = existsSync(join(folder, "config.json")) ? readPolicyConfig(folder) : undefined;
  const sft = target === "llamafactory";
  const findings = [
    checkDivisibility(spec, sft, config),
    ...(sft ? [] : [checkData(spec, rows.train)]),
  ];
  if (config === undefined) {
    const detail = `no config.json in ${folder}: parameters are not known`;
    return [
      ...findings,
      {
        name: "estimates",
        status: "skipped",
        detail,
        fix: "copy the checkpoint's config.json there",
      },
    ];
  }
  const parameters = parameterCount(config);
  if (parameters < SMALLEST) {
    const detail = `${(parameters / 1e6).toFixed(1)} million parameters: the paper ran nothing so small`;
    return [...findings, { name: "estimates", status: "skipped", detail }];
  }
  const gpus = spec.cluster.nodes * spec.cluster.gpusPerNode;
  const hours = estimateHours(spec, sft ? { parameters, samples: rows.train } : { parameters });
  const state = (parameters * BYTES_A_PARAMETER) / gpus / 1e9;
  const billions = (parameters / 1e9).toFixed(2);
  return [
    ...findings,
    {
      name: "hours",
      status: "ok",
      detail: `about ${hours < 10 ? hours.toPrecision(2) : hours.toFixed(0)} h on ${gpus} H100, estimated from the paper's table 9 (31.2 h for 7B on 8, 45.1 h for 32B on 32) in proportion to rollouts, parameters and GPUs`,
      numbers: { hours, gpu_hours: hours * gpus },
    },
    {
      name: "memory",
      status: state > 70 ? "fail" : state > 40 ? "warning" : "ok",
      detail: `${billions} billion parameters: ${state.toFixed(1)} GB a GPU for weights, gradients and Adam (16 bytes a parameter over ${gpus} GPUs), before activations${sft ? "" : ` and the inference engine's ${(spec.cluster.engineMemory * 100).toFixed(0)} %`}; estimated. EasyR1 states 8 × 40 GB for 7B and 16 × 80 GB for 32B`,
      numbers: { parameters, state_gb: state },
      fix: "more GPUs, or offloading, which the exported launch scripts turn on",
    },
  ];
}

function checkDivisibility(spec: Spec, sft: boolean, config: PolicyConfig | undefined): Finding {
  const { grpo, cluster } = spec;
  const gpus = cluster.nodes * cluster.gpusPerNode;
  const rollouts = grpo.prompts * grpo.group;
  const faults: string[] = [];
  const divides = (whole: number, parts: number, what: string): void => {
    if (whole % parts !== 0) faults.push(`${what}: ${whole} by ${parts}`);
  };
  if (sft) {
    divides(spec.sft.batch, gpus * spec.sft.microBatch, "an SFT batch by GPUs and micro-batch");
  } else {
    divides(rollouts, gpus, "the rollouts of a step by GPUs");
    divides(rollouts, grpo.miniBatches, "the rollouts of a step by optimiser steps");
    divides(rollouts / grpo.miniBatches, gpus, "an optimiser step's rollouts by GPUs");
    divides(gpus, cluster.tensorParallel, "GPUs by tensorParallel");
    if (config !== undefined) {
      divides(config.decoder.heads, cluster.tensorParallel, "attention heads by tensorParallel");
    }
  }
  const name = "divisibility";
  return faults.length === 0
    ? {
        name,
        status: "ok",
        detail: sft
          ? `${spec.sft.batch} examples on ${gpus} GPUs`
          : `${rollouts} rollouts in ${grpo.miniBatches} optimiser steps on ${gpus} GPUs`,
      }
    : {
        name,
        status: "fail",
        detail: `does not divide: ${faults.join("; ")}`,
        fix: "change grpo.prompts, grpo.group, grpo.miniBatches or the GPUs",
      };
}

function checkData({ grpo }: Spec, rows: number): Finding {
  const passes = (grpo.steps * grpo.prompts) / Math.max(1, rows);
  const name = "data";
  const detail = `${rows} problems, ${grpo.steps} steps of ${grpo.prompts}: ${passes.toFixed(1)} passes`;
  if (rows < grpo.prompts) {
    return {
      name,
      status: "fail",
      detail: `${detail}; not enough for one step`,
      fix: "more problems, or fewer grpo.prompts",
    };
  }
  return passes > 10
    ? {
        name,
        status: "warning",
        detail,
        fix: "more problems, or fewer grpo.steps: each is seen often",
      }
    : { name, status: "ok", detail };
}
