/**
 * Multimodal rotary positions (M-RoPE, arXiv 2409.12191, section 2.1): every token has a temporal, a height and a width
 * position. Text advances all three together; a picture's tokens keep one time and spread over height and width.
 */
import type { DecoderConfig, PolicyConfig } from "./config";
import type { Grid } from "./vision";

/** Positions of one row: `[tokens · 3]` as (time, height, width), and where text that follows goes on. */
export interface RowPositions {
  positions: Int32Array;
  next: number;
}

/**
 * Positions of a prompt whose image placeholders are already expanded to one token a merged patch.
 * @param grids the grids of the row's pictures, in order
 */
export function promptPositions(
  ids: ArrayLike<number>,
  grids: readonly Grid[],
  config: Pick<PolicyConfig, "imageTokenId" | "vision">,
): RowPositions {
  const { mergeSize } = config.vision;
  const positions = new Int32Array(ids.length * 3);
  let next = 0;
  let picture = 0;
  for (let i = 0; i < ids.length;) {
    if (ids[i] !== config.imageTokenId) {
      positions.fill(next++, 3 * i, 3 * i + 3);
      i++;
      continue;
    }
    const [t, h, w] = grids[picture++];
    const [rows, columns] = [h / mergeSize, w / mergeSize];
    for (let frame = 0; frame < t; frame++) {
      for (let r = 0; r < rows; r++) {
        for (let c = 0; c < columns; c++, i++) {
          positions[3 * i] = next + frame;
          positions[3 * i + 1] = next + r;
          positions[3 * i + 2] = next + c;
        }
      }
    }
    next += Math.max(t, rows, columns);
  }
  return { positions, next };
}

/**
 * Cosine and sine tables for rows of positions. Frequencies are shared out between time, height and width by
 * `mropeSection`, in that order, and both halves of a head use the same ones.
 * @param positions `[N · 3]` @returns two arrays `[N · headDim]`
 */
export function rotaryTables(
  positions: ArrayLike<number>,
  { headDim, ropeTheta, mropeSection }: DecoderConfig,
): { cos: Float32Array; sin: Float32Array } {
  const half = headDim / 2;
  const axis = mropeSection.flatMap((count, which) => new Array<number>(count).fill(which));
  const frequency = axis.map((_which, j) => ropeTheta ** (-j / half));
  const n = positions.length / 3;
  const cos = new Float32Array(n * headDim);
  const sin = new Float32Array(n * headDim);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < half; j++) {
      const angle = positions[3 * i + axis[j]] * frequency[j];
      const at = i * headDim + j;
      cos[at] = cos[at + half] = Math.cos(angle);
      sin[at] = sin[at + half] = Math.sin(angle);
    }
  }
  return { cos, sin };
}
