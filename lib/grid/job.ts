/** One job of the experiment in this process: its stages, each kept in a run directory that other jobs share. */
import { createRuleTeacher } from "../reflection/teacher";
import type { Spec } from "../config";
import { constructData, type ConstructionResult } from "../stages/construct";
import type { PolicyRef, StageResult } from "../stages/context";
import { evaluate } from "../stages/evaluate";
import { finetune } from "../stages/finetune";
import type { Pipeline } from "../stages/pipeline";
import { loadProblems } from "../stages/problems";
import { reinforce } from "../stages/reinforce";
import type { Job } from "./plan";

/** The run directories of a job's stages, and how long each was worked on, by whichever job did it. */
export type JobRuns = Partial<Record<StageRole, { folder: string; seconds: number }>>;
export type StageRole = "construct" | "sft" | "grpo" | "test" | "ood";

/** Runs what is not on disk yet. @throws Interrupted when stopped; the same call goes on from there */
export async function runJob(
  job: Job,
  { base, watch }: Pick<Pipeline, "base" | "watch">,
): Promise<JobRuns> {
  const { variant } = job;
  const { kind, share } = variant.start;
  const runs: JobRuns = {};
  const note = (role: StageRole, { run, summary }: StageResult): void => {
    runs[role] = { folder: run.folder, seconds: summary.seconds };
  };

  // ---- the SFT data, which the job of the base makes for all
  const data = await constructData(
    job.spec,
    base,
    await loadProblems(job.spec, "sft"),
    createRuleTeacher(),
    { watch: watch?.("construct", "Data construction") },
  );
  note("construct", data);
  let policy: PolicyRef = base;

  // ---- the start
  if (kind !== "base") {
    const tuned = await finetune(job.spec, base, data, kind, {
      share,
      watch: watch?.("sft", `${kind} SFT`),
    });
    note("sft", tuned);
    policy = tuned.policy;
  }

  // ---- reinforcement
  if (variant.reward !== undefined) {
    const spec = variant.holdsFirstAnswers === true ? holdFirstAnswers(job.spec, data) : job.spec;
    const trained = await reinforce(spec, {
      ...{ name: variant.title, from: policy, reward: variant.reward },
      problems: await loadProblems(spec, "rl"),
      watch: watch?.("grpo", variant.title),
    });
    note("grpo", trained);
    policy = trained.policy;
  }

  // ---- what came of it
  for (const set of ["test", "ood"] as const) {
    const problems = await loadProblems(job.spec, set);
    const title = `${variant.title} on ${set}`;
    note(
      set,
      await evaluate(job.spec, policy, problems, set, { watch: watch?.("evaluate", title) }),
    );
  }
  return runs;
}

/** The guard `sandbagging` with the accuracy that the base's attempts had: nothing of the test set decides about training. */
function holdFirstAnswers(spec: Spec, { attempts }: ConstructionResult): Spec {
  const right = attempts.filter(({ verdict }) => verdict.correct).length;
  const firstBaseline = Math.round((100 * right) / attempts.length) / 100;
  return { ...spec, reward: { ...spec.reward, firstBaseline } };
}
