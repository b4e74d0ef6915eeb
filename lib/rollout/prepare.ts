/** Problems as the policy sees them: prompt tokens and picture features, computed once and kept. */
import { yieldToEvents } from "../engine/interrupt";
import type { PolicyBundle } from "../policy/bundle";
import type { PreparedPrompt } from "../policy/generate";
import { imageFeatures } from "../policy/parity";
import { encodePrompt } from "../policy/tokenizer";
import { buildMessages, type PromptStyle } from "../reflection/prompts";
import type { Problem } from "../types";

/**
 * Turns problems into prompts. The vision tower is frozen after pretraining, so a picture's features are computed once
 * and serve every stage, epoch and prompt style.
 */
export interface PromptCache {
  prepare(problems: readonly Problem[], style: PromptStyle): Promise<PreparedPrompt[]>;
}

interface Features {
  values: Float32Array;
  grids: PreparedPrompt["grids"];
}

/** @param bundle its vision tower must not change while the cache is in use */
export function createPromptCache(bundle: PolicyBundle): PromptCache {
  const { tokenizer, processor, config } = bundle;
  const features = new Map<string, Promise<Features>>();

  const look = async (problem: Problem): Promise<Features> => {
    const pictures = await Promise.all(problem.images.map((path) => processor.processImage(path)));
    const patches = new Float32Array(
      pictures.reduce((n, picture) => n + picture.patches.length, 0),
    );
    let at = 0;
    for (const picture of pictures) {
      patches.set(picture.patches, at);
      at += picture.patches.length;
    }
    const grids = pictures.map(({ grid }) => grid);
    return { values: imageFeatures(bundle, patches, grids), grids };
  };

  return {
    prepare: (problems, style) =>
      Promise.all(
        problems.map(async (problem) => {
          const key = problem.images.join("\n");
          const known = features.get(key) ?? look(problem);
          features.set(key, known);
          // A picture that cannot be read must be tried again when its file has been mended.
          known.catch(() => features.delete(key));
          const { values, grids } = await known;
          await yieldToEvents();
          const ids = encodePrompt(tokenizer, buildMessages(problem, style), grids, {
            imageTokenId: config.imageTokenId,
            mergeSize: config.vision.mergeSize,
          });
          return { ids, grids, features: values };
        }),
      ),
  };
}
