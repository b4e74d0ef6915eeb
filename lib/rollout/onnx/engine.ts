/** Rollouts from a policy in this process, on ONNX Runtime. */
import { fault } from "../../engine/errors";
import type { PolicyBundle } from "../../policy/bundle";
import type { Policy } from "../../policy/policy";
import type { RolloutEngine } from "../engine";
import { createPromptCache, type PromptCache } from "../prepare";
import { sampleProblems } from "../sampled";
import { takeTurns } from "../turns";
import { generateOnnx } from "./generate";
import { buildModel } from "./model";
import { openSession, type ModelSession } from "./session";

export interface OnnxEngineOptions {
  name?: string;
  /** Threads one operation may use; all cores by default. */
  threads?: number;
  prompts?: PromptCache;
}

/**
 * The decoder runs in ONNX Runtime; pictures go through the tower on tfjs, once each. The runtime holds a copy of the
 * weights, made at the first rollout and made anew by a rollout that finds them changed. Rollouts take turns, and each
 * uses the weights it found when its turn came.
 *
 * @param bundle stays the caller's: closing the engine leaves its weights alone, and an update between two rollouts shows
 * at once
 */
export function createOnnxEngine(
  bundle: PolicyBundle,
  { name = "onnx", threads, prompts = createPromptCache(bundle) }: OnnxEngineOptions = {},
): RolloutEngine {
  let copy: { session: ModelSession; of: readonly object[] } | undefined;
  let closed = false;
  const inTurn = takeTurns();

  const release = async (): Promise<void> => {
    const { session } = copy ?? {};
    copy = undefined;
    await session?.release();
  };
  const current = async (): Promise<ModelSession> => {
    const of = contents(bundle);
    if (copy !== undefined && copy.of.every((data, i) => data === of[i])) return copy.session;
    await release();
    const session = await openSession(buildModel(bundle), { threads });
    copy = { session, of };
    return session;
  };

  return {
    name,
    rollout: (problems, request) =>
      inTurn(async () => {
        if (closed) {
          throw fault("onnx.rollout", "the engine is closed", { try: "createOnnxEngine again" });
        }
        const session = await current();
        return sampleProblems(problems, request, {
          prompts,
          tokenizer: bundle.tokenizer,
          sample: (prepared, options) => generateOnnx(session, bundle.config, prepared, options),
        });
      }),
    close: () => {
      closed = true;
      return inTurn(release);
    },
  };
}

/** What the decoder's parameters hold, by identity: tfjs never writes into a tensor, an update brings new data. */
function contents({ weights }: Policy): readonly object[] {
  return weights.names
    .filter((name) => !name.startsWith("visual."))
    .map((name) => weights.get(name).dataId);
}
