/** A notebook's first output: preset, engine, hardware, seed, and how long its stages take here. */
import { loadSpec, type Spec } from "../config";
import { describeEngine, ready } from "../engine/backend";
import { probeSeconds } from "../engine/speed";
import { display } from "./display";
import { labInfo } from "./info";

/** A stage that a notebook is going to run. */
export interface PlannedStage {
  name: string;
  /** What kind of stage, by which its time follows the settings. */
  stage: keyof typeof WORK;
  /** How long it takes with the preset `small` on the machine that {@link REFERENCE_SECONDS} was measured on. */
  seconds: number;
}

/** How much each kind of stage has to do, in a unit of its own. */
const WORK = {
  construct: ({ problems }: Spec) => problems.sft,
  sft: ({ construction, sft }: Spec) => construction.target * sft.epochs,
  grpo: ({ grpo }: Spec) => grpo.steps * grpo.prompts * grpo.group,
  evaluate: ({ problems, evaluation }: Spec) => problems.test * (1 + evaluation.samples),
} as const;

/**
 * What {@link probeSeconds} gives on the machine of the committed outputs while it does nothing else: two cores of an AMD
 * EPYC, native engine. The seconds in the notebooks are those that their saved runs took on it. A busy machine is said to
 * be slower, as it is.
 */
const REFERENCE_SECONDS = 0.0041;

/**
 * Starts the engine and says what the notebook runs on and how long its stages take: the times given, for the settings of
 * `spec` and by how fast this machine turns out to be. They are the embedded policy's; of another one nothing is said.
 */
export async function showLab(spec: Spec, planned: readonly PlannedStage[] = []): Promise<void> {
  await ready();
  const stages = process.env.SRPO_BASE ? [] : planned;
  const slower = stages.length === 0 ? 1 : (await probeSeconds()) / REFERENCE_SECONDS;
  await display(
    labInfo({
      preset: spec.preset,
      seed: spec.seed,
      engine: describeEngine(),
      stages: stages.map(({ name, ...stage }) => ({
        name,
        seconds: slower * plannedSeconds(spec, stage),
      })),
    }),
  );
}

/** A stage's time with these settings on the machine of reference. */
export function plannedSeconds(
  spec: Spec,
  { stage, seconds }: Pick<PlannedStage, "stage" | "seconds">,
): number {
  const work = WORK[stage];
  return (seconds * work(spec)) / work(loadSpec({}, "small"));
}
