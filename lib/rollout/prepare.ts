/** Problems as the policy sees them: prompt tokens and picture features, computed once and kept. */
import { createHash } from "node:crypto";
import { yieldToEvents } from "../engine/interrupt";
import type { PolicyBundle } from "../policy/bundle";
import type { PreparedPrompt } from "../policy/generate";
import { encodePrompt } from "../policy/tokenizer";
import { imageFeatures, mergedTokens, type Grid } from "../policy/vision";
import { buildMessages, type ChatMessage, type PromptStyle } from "../reflection/prompts";
import type { Problem } from "../types";

/**
 * Turns problems into prompts. The vision tower is frozen after pretraining, so a picture's features are computed once
 * and serve every stage, epoch and prompt style.
 */
export interface PromptCache {
  /** @param messages what is asked in the style's place */
  prepare(
    problems: readonly Problem[],
    style: PromptStyle,
    messages?: (problem: Problem) => ChatMessage[],
  ): Promise<PreparedPrompt[]>;
}

/** What reads a problem, without the weights. */
export type PromptReader = Pick<PolicyBundle, "tokenizer" | "processor" | "config">;

interface Features {
  values: Float32Array;
  grids: Grid[];
}

/** Features of all caches in this process, by vision weights and picture; the oldest leave first. */
const known = new Map<string, Features>();
let knownNumbers = 0;
/** 64 million numbers, 256 MB. */
const MOST_NUMBERS = 64e6;
/** Problems whose pictures go through the tower at once. */
const TOWER_BATCH = 16;

/** What turns pictures into the decoder's tokens. */
export interface Tower {
  /** Equal keys mean equal features: the weights, and what computes them. */
  key: string;
  /** @param patches `[patches · width]` @returns `[merged tokens · D]` */
  encode(patches: Float32Array, grids: readonly Grid[]): Float32Array | Promise<Float32Array>;
}

/** @param bundle its vision tower must not change while the cache is in use */
export function createPromptCache(bundle: PolicyBundle): PromptCache {
  return cachePrompts(bundle, {
    key: visionKey(bundle),
    encode: (patches, grids) => imageFeatures(bundle, patches, grids),
  });
}

/** As {@link createPromptCache}, for a tower that runs elsewhere than on tfjs. */
export function cachePrompts(reader: PromptReader, tower: Tower): PromptCache {
  const { tokenizer, config } = reader;
  const keyOf = (problem: Problem): string => `${tower.key}\n${problem.images.join("\n")}`;
  return {
    prepare: async (problems, style, messages = (problem) => buildMessages(problem, style)) => {
      // Held here as well: what the cache drops meanwhile is still needed below.
      const found = new Map<string, Features>();
      const unseen = new Map<string, Problem>();
      for (const problem of problems) {
        const key = keyOf(problem);
        const features = known.get(key);
        if (features === undefined) unseen.set(key, problem);
        else found.set(key, features);
      }
      const entries = [...unseen];
      for (let at = 0; at < entries.length; at += TOWER_BATCH) {
        const part = entries.slice(at, at + TOWER_BATCH);
        const features = await look(
          reader,
          tower,
          part.map(([, problem]) => problem),
        );
        part.forEach(([key], i) => {
          found.set(key, features[i]);
          remember(key, features[i]);
        });
        await yieldToEvents();
      }
      return problems.map((problem) => {
        const key = keyOf(problem);
        const { values, grids } = found.get(key) as Features;
        const ids = encodePrompt(tokenizer, messages(problem), grids, {
          imageTokenId: config.imageTokenId,
          mergeSize: config.vision.mergeSize,
        });
        return { ids, grids, features: values };
      });
    },
  };
}

/** Reads the problems' pictures and sends them through the tower together. */
async function look(
  { processor, config }: PromptReader,
  tower: Tower,
  problems: readonly Problem[],
): Promise<Features[]> {
  const pictures = await Promise.all(
    problems.map(({ images }) => Promise.all(images.map((path) => processor.processImage(path)))),
  );
  const all = pictures.flat();
  const patches = new Float32Array(all.reduce((sum, picture) => sum + picture.patches.length, 0));
  let at = 0;
  for (const picture of all) {
    patches.set(picture.patches, at);
    at += picture.patches.length;
  }
  const features = await tower.encode(
    patches,
    all.map(({ grid }) => grid),
  );
  let start = 0;
  return pictures.map((own) => {
    const grids = own.map(({ grid }) => grid);
    const tokens = grids.reduce((n, grid) => n + mergedTokens(grid, config.vision.mergeSize), 0);
    const end = start + tokens * config.decoder.hiddenSize;
    const values = features.slice(start, end);
    start = end;
    return { values, grids };
  });
}

function remember(key: string, features: Features): void {
  known.set(key, features);
  knownNumbers += features.values.length;
  for (const [oldest, { values }] of known) {
    if (knownNumbers <= MOST_NUMBERS) break;
    known.delete(oldest);
    knownNumbers -= values.length;
  }
}

/** Names a vision tower by its weights. */
function visionKey({ weights }: PolicyBundle): string {
  const sha = createHash("sha256");
  for (const name of weights.names.filter((own) => own.startsWith("visual."))) {
    const { buffer, byteOffset, byteLength } = weights.get(name).dataSync<"float32">();
    sha.update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return sha.digest("hex").slice(0, 16);
}
