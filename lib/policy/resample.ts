/**
 * Resizing 8-bit pictures with Pillow's arithmetic, bit for bit, because that is what checkpoints were trained on.
 *
 * libvips, which sharp resizes with, samples an enlarged picture at other places than Pillow (30 levels of 255 apart on
 * smooth pictures) and shrinks by boxes first; hence this file, and sharp for decoding only.
 */

/** Interleaved RGB, 8 bits a channel. */
export interface Picture {
  width: number;
  height: number;
  /** `[height, width, 3]` */
  rgb: Uint8Array;
}

export type Filter = "bilinear" | "bicubic" | "lanczos";

/** The kernels and the distance beyond which they are zero. */
const FILTERS: Readonly<Record<Filter, { support: number; at: (x: number) => number }>> = {
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  // Keys' cubic convolution with a = -0.5.
  bicubic: {
    support: 2,
    at: (x) => {
      const d = Math.abs(x);
      if (d < 1) return (1.5 * d - 2.5) * d * d + 1;
      return d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
    },
  },
  lanczos: { support: 3, at: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Weights are integers of this many fractional bits; 8 bits of pixel and 2 of headroom make up an int32. */
const FRACTION_BITS = 22;

/**
 * Resizes with anti-aliasing: when shrinking, the kernel is as wide as the source pixels that fall on one target pixel.
 * First the columns, then the rows, rounded to 8 bits in between; a side that keeps its length is left as it is.
 */
export function resample(
  picture: Picture,
  target: { width: number; height: number },
  filter: Filter,
): Picture {
  const { width, height } = picture;
  let { rgb } = picture;
  if (target.width !== width) {
    // [height, width, 3]: one run a row, neighbours 3 bytes apart.
    const layout = { runs: height, lanes: 3 };
    rgb = resampleAxis(rgb, layout, kernels(width, target.width, filter));
  }
  if (target.height !== height) {
    // [height, width * 3]: a single run, neighbours a row apart.
    const layout = { runs: 1, lanes: target.width * 3 };
    rgb = resampleAxis(rgb, layout, kernels(height, target.height, filter));
  }
  return { ...target, rgb };
}

/** For every target position, the first source position that counts and the weights from there on. */
interface Kernels {
  from: number;
  to: number;
  firsts: Int32Array;
  weights: Int32Array[];
}

function kernels(from: number, to: number, filter: Filter): Kernels {
  const { support, at } = FILTERS[filter];
  const scale = from / to;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  const firsts = new Int32Array(to);
  const weights = Array.from({ length: to }, (_, position) => {
    const centre = (position + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const last = Math.min(from, Math.trunc(centre + reach + 0.5));
    firsts[position] = first;
    const raw = Array.from({ length: last - first }, (_, i) =>
      at((i + first - centre + 0.5) / stretch),
    );
    const total = raw.reduce((sum, weight) => sum + weight, 0);
    return Int32Array.from(raw, (weight) => {
      const scaled = (weight / total) * 2 ** FRACTION_BITS;
      return Math.trunc(scaled + (scaled < 0 ? -0.5 : 0.5));
    });
  });
  return { from, to, firsts, weights };
}

/** `[runs, from, lanes]` to `[runs, to, lanes]`. */
function resampleAxis(
  source: Uint8Array,
  { runs, lanes }: { runs: number; lanes: number },
  { from, to, firsts, weights }: Kernels,
): Uint8Array {
  const out = new Uint8ClampedArray(runs * to * lanes);
  let at = 0;
  for (let run = 0; run < runs; run++) {
    for (let position = 0; position < to; position++) {
      const taps = weights[position];
      const start = (run * from + firsts[position]) * lanes;
      for (let lane = 0; lane < lanes; lane++) {
        let sum = 1 << (FRACTION_BITS - 1);
        for (let tap = 0, i = start + lane; tap < taps.length; tap++, i += lanes) {
          sum += source[i] * taps[tap];
        }
        out[at++] = sum >> FRACTION_BITS;
      }
    }
  }
  return new Uint8Array(out.buffer);
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}
