/** Pictures through the vision tower's model in ONNX Runtime. */
import type { VisionConfig } from "../../policy/config";
import { inverse, layoutVision, padSegments, visionRotary, type Grid } from "../../policy/vision";
import { floats, integers, type Feeds, type ModelSession } from "./session";

/**
 * Merged tokens of pictures, `[tokens · outputSize]`, as `imageFeatures` computes them on tfjs.
 * @param session of a model of `buildVisionModel`'s @param patches `[patches · width]`
 */
export async function encodePictures(
  session: ModelSession,
  config: VisionConfig,
  patches: Float32Array,
  grids: readonly Grid[],
): Promise<Float32Array> {
  if (grids.length === 0) return new Float32Array(0);
  const layout = layoutVision(grids, config);
  const headDim = config.hiddenSize / config.heads;
  const { cos, sin } = visionRotary(layout.positions, headDim);
  const merged = layout.windowOrder.length;
  const { features } = await session.run({
    patches: floats(patches, layout.patches, patches.length / layout.patches),
    order: integers(layout.windowOrder, merged),
    restore: integers(inverse(layout.windowOrder), merged),
    cos: floats(cos, layout.patches, headDim),
    sin: floats(sin, layout.patches, headDim),
    ...segmentFeeds("windows", layout.windowLengths),
    ...segmentFeeds("pictures", layout.pictureLengths),
  });
  return features.data;
}

function segmentFeeds(name: string, lengths: readonly number[]): Feeds {
  const { segments, longest, source, mask, places } = padSegments(lengths);
  return {
    [`${name}.rows`]: integers(source, source.length),
    [`${name}.mask`]: floats(mask, segments, 1, 1, longest),
    [`${name}.places`]: integers(places, places.length),
  };
}
