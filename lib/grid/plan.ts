/** Which jobs an experiment consists of, what determines each, and which must wait for which. */
import { canonicalJson, contentHash } from "../engine/files";
import { loadSpec, type PresetName, type Spec, type SpecChanges } from "../config";
import { fault } from "../engine/errors";
import { variantByName, variants, type Variant } from "./variants";

/** One variant with one seed: its stages and its evaluations. */
export interface Job {
  /** `srpo/2`. */
  id: string;
  variant: Variant;
  seed: number;
  spec: Spec;
  /** Of everything that determines the job; a result is that of this job where it has the same. */
  hash: string;
  /** Ids of jobs whose stages it uses: while they run it would do their work a second time. */
  needs: string[];
}

/** What an experiment is asked to be; plain, so that its jobs can read it from a file. */
export interface GridRequest {
  preset: PresetName;
  /** To the preset, before a variant's own. */
  changes: SpecChanges;
  seeds: readonly number[];
  /** Names of variants; those that they start from are added. All by default. */
  variants?: readonly string[];
}

/**
 * The jobs in the order in which they are to be begun: variant by variant, all seeds of one before the next.
 * @param base names the policy that all start from
 * @throws LabError for a variant that there is not, or a spec that cannot be
 */
export function planJobs({ preset, changes, seeds, variants: wanted }: GridRequest, base: string) {
  if (seeds.length === 0 || seeds.some((seed) => !Number.isSafeInteger(seed) || seed < 0)) {
    throw fault("planJobs", "these are no seeds", {
      got: seeds,
      expected: "whole numbers from 0, at least one",
    });
  }
  const chosen = wanted === undefined ? variants : withStarts(wanted.map(variantByName));
  return chosen.flatMap((variant) =>
    seeds.map((seed): Job => {
      const spec = loadSpec(combine(changes, { ...variant.changes, seed }), preset);
      return {
        id: jobId(variant.name, seed),
        ...{ variant, seed, spec },
        hash: contentHash(canonicalJson({ spec, base, ...determining(variant) }), 10),
        needs: startsOf(variant).map(({ name }) => jobId(name, seed)),
      };
    }),
  );
}

/** What is called otherwise is not another job. */
function determining({ start, reward, holdsFirstAnswers }: Variant): Record<string, unknown> {
  return { start, reward, holdsFirstAnswers };
}

export const jobId = (variant: string, seed: number): string => `${variant}/${seed}`;

/** The variants with those that their stages are shared with, in the table's order. */
function withStarts(chosen: readonly Variant[]): Variant[] {
  const all = new Set(chosen.flatMap((variant) => [variant, ...startsOf(variant)]));
  return variants.filter((variant) => all.has(variant));
}

/** The base, whose job makes the SFT data, and the variant that is the same start without reinforcement. */
function startsOf(variant: Variant): Variant[] {
  const { kind, share } = variant.start;
  return variants.filter(
    ({ start, reward, name }) =>
      reward === undefined &&
      name !== variant.name &&
      (start.kind === "base" || (start.kind === kind && start.share === share)),
  );
}

/** Both changes, key by key within each group of settings; `after` wins. */
export function combine(before: SpecChanges, after: SpecChanges): SpecChanges {
  const all: Record<string, unknown> = { ...before };
  for (const [key, value] of Object.entries(after)) {
    const old = all[key];
    const groups = [old, value].every((one) => one !== null && typeof one === "object");
    all[key] = groups ? { ...(old as object), ...(value as object) } : value;
  }
  return all as SpecChanges;
}

/** The jobs that can be begun: not done, not under way, not given up, and nothing missing that they use. */
export function readyJobs(
  jobs: readonly Job[],
  { done, running, failed }: Record<"done" | "running" | "failed", ReadonlySet<string>>,
): Job[] {
  const known = new Set(jobs.map(({ id }) => id));
  return jobs.filter(
    ({ id, needs }) =>
      !done.has(id) &&
      !running.has(id) &&
      !failed.has(id) &&
      needs.every((need) => done.has(need) || !known.has(need)),
  );
}

/** How long a job takes by what others took: another seed's time, else a job's with or without reinforcement; `null` if none did. */
export function expectedSeconds(
  { variant }: Job,
  taken: readonly { variant: string; seconds: number }[],
): number | null {
  const mean = (values: readonly number[]): number | null =>
    values.length === 0 ? null : values.reduce((a, b) => a + b, 0) / values.length;
  const reinforced = (name: string): boolean => variantByName(name).reward !== undefined;
  const like = taken.filter((row) => reinforced(row.variant) === reinforced(variant.name));
  return (
    mean(taken.filter((row) => row.variant === variant.name).map(({ seconds }) => seconds)) ??
    mean(like.map(({ seconds }) => seconds))
  );
}

/**
 * Seconds until everything is done, `parallel` jobs at a time; `null` while there is nothing to judge by.
 * @param running seconds since each job under way began
 */
export function secondsLeft(
  jobs: readonly Job[],
  {
    taken,
    running,
    parallel,
  }: {
    taken: readonly { variant: string; seconds: number }[];
    running: ReadonlyMap<string, number>;
    parallel: number;
  },
): number | null {
  const each = jobs.map((job) => {
    const expected = expectedSeconds(job, taken);
    return expected === null ? null : Math.max(0, expected - (running.get(job.id) ?? 0));
  });
  if (each.some((seconds) => seconds === null)) return null;
  const known = each as number[];
  return Math.max(0, ...known, known.reduce((a, b) => a + b, 0) / parallel);
}
