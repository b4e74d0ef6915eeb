/** How a training stops that must not go on: what it broke on is written down, and the error says where. */
import { LabError } from "../engine/errors";
import { shownPath } from "../paths";
import type { RewardFailure } from "./custom-reward";
import type { Run } from "./run";

/**
 * A loss or a gradient is no number, or explodes. No checkpoint is written: an earlier optimiser step of the same batch may
 * have been taken already, and the last checkpoint is from before it.
 * @param rows the batch
 */
export function stopForUpdate(
  run: Run,
  step: number,
  rows: readonly unknown[],
  error: Error,
): LabError {
  const where = shownPath(run.failure(step, rows));
  return new LabError(
    `${error.message} Step ${step} is not done; its batch of ${rows.length} is in ${where}. Earlier checkpoints are as ` +
      `they were.`,
    { cause: error },
  );
}

/** A reward of the user's own failed; nothing of the step was used yet. */
export function stopForReward(run: Run, step: number, error: RewardFailure): LabError {
  const { problem, completion, reward } = error.sample;
  const { text, truncated } = completion;
  const path = run.failure(step, [{ step, problem, text, truncated, reward }]);
  return new LabError(`${error.message} The sample is in ${shownPath(path)}.`, { cause: error });
}
