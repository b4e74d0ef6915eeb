/**
 * From an image file to the vision tower's input, as Hugging Face's Qwen2VLImageProcessor does it: orient, convert to
 * RGB on white, resize to whole merge blocks within a pixel budget, normalise, cut into patches.
 *
 * What comes out is what `transformers` computes, to float32 rounding, for grey, palette, RGB and RGBA pictures of
 * 8 bits. Two kinds differ on purpose: 16-bit ones are scaled to 8 bits (Pillow clips them to white) and CMYK goes
 * through a colour profile (Pillow takes the inks for pure ones).
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { fault } from "../engine/errors";
import { type Filter, type Picture, resample } from "./resample";
import type { Grid } from "./vision";

/** The fields of `preprocessor_config.json` that decide the result, under its own names made camel case. */
export interface ImageProcessorConfig {
  patchSize: number;
  temporalPatchSize: number;
  /** Patches a side of the block that the merger turns into one token. */
  mergeSize: number;
  minPixels: number;
  maxPixels: number;
  doResize: boolean;
  filter: Filter;
  /** 1 where the file says not to rescale. */
  rescaleFactor: number;
  /** Per channel; 0 and 1 where the file says not to normalise. */
  imageMean: number[];
  imageStd: number[];
}

/** One image, ready for the vision tower. */
export interface ProcessedImage {
  /**
   * `[gridT * gridH * gridW, 3 * temporalPatchSize * patchSize * patchSize]`, the patches of a merge block side by
   * side, block by block; within a patch channel, time, row, column.
   */
  patches: Float32Array;
  grid: Grid;
}

export interface ImageProcessor {
  config: ImageProcessorConfig;
  /** @throws LabError naming the file when it is missing, corrupt, enormous or too narrow */
  processImage(source: string | Uint8Array): Promise<ProcessedImage>;
}

/** More is refused before it is decoded: a few kilobytes of PNG can hold gigabytes of pixels. */
export const MAX_IMAGE_PIXELS = 100_000_000;
/** As in `transformers`. */
const MAX_ASPECT_RATIO = 200;
/** Pillow's numbers for its filters, which the config file speaks in. */
const FILTERS: Readonly<Record<number, Filter>> = { 1: "lanczos", 2: "bilinear", 3: "bicubic" };

/**
 * Reads `preprocessor_config.json` of a checkpoint folder.
 * @throws LabError when it is missing, not JSON, or holds a value that cannot be
 */
export function loadImageProcessor(dir: string): ImageProcessor {
  const path = join(dir, "preprocessor_config.json");
  if (!existsSync(path)) {
    throw fault("loadImageProcessor", `no file at ${path}`, {
      try: "copy preprocessor_config.json from the model's page into the checkpoint folder",
    });
  }
  let raw: Record<string, unknown>;
  try {
    raw = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw fault("loadImageProcessor", `${path} is not JSON (${(error as Error).message})`, {
      try: "copy or download the file again",
    });
  }
  return createImageProcessor(readConfig(raw, path));
}

/** An image processor for a given config. */
export function createImageProcessor(config: ImageProcessorConfig): ImageProcessor {
  const levels = levelTables(config);
  return {
    config,
    processImage: async (source) => {
      const name = typeof source === "string" ? source : "image buffer";
      let picture = await decode(source, name);
      const target = resizedSize(picture, config, name);
      if (target.width !== picture.width || target.height !== picture.height) {
        picture = resample(picture, target, config.filter);
      }
      return {
        patches: cutPatches(picture, config, levels),
        grid: [1, picture.height / config.patchSize, picture.width / config.patchSize],
      };
    },
  };
}

/**
 * The size to which a picture is resized: both sides multiples of `factor`, the area within `[minPixels, maxPixels]`,
 * the aspect ratio nearly kept (`smart_resize` of Qwen2-VL).
 * @param name of the picture, for the error
 * @throws LabError when one side is more than 200 times the other
 */
export function smartResize(
  size: { width: number; height: number },
  options: { factor: number; minPixels: number; maxPixels: number },
  name = "the picture",
): { width: number; height: number } {
  const { width, height } = size;
  const { factor, minPixels, maxPixels } = options;
  const ratio = Math.max(width, height) / Math.min(width, height);
  if (ratio > MAX_ASPECT_RATIO) {
    throw fault("processImage", `${name} is too narrow`, {
      got: `${width}x${height}`,
      expected: `an aspect ratio of at most ${MAX_ASPECT_RATIO}`,
      try: "crop or pad it",
    });
  }
  const scaled = (round: (x: number) => number, scale: number) => ({
    width: round((width * scale) / factor) * factor,
    height: round((height * scale) / factor) * factor,
  });
  const nearest = scaled(roundHalfEven, 1);
  if (nearest.width * nearest.height > maxPixels) {
    const beta = Math.sqrt((height * width) / maxPixels);
    return {
      width: Math.max(factor, Math.floor(width / beta / factor) * factor),
      height: Math.max(factor, Math.floor(height / beta / factor) * factor),
    };
  }
  if (nearest.width * nearest.height < minPixels) {
    return scaled(Math.ceil, Math.sqrt(minPixels / (height * width)));
  }
  return nearest;
}

/**
 * The grid that {@link ImageProcessor.processImage} would make of a picture, from the file's header alone.
 * @throws LabError naming the file when it is missing, has no header of a picture, is enormous or too narrow
 */
export async function measureImage(path: string, config: ImageProcessorConfig): Promise<Grid> {
  let size: { width: number; height: number };
  try {
    const { width, height, autoOrient } = await sharp(path).metadata();
    size = autoOrient ?? { width, height };
  } catch (error) {
    throw fault("measureImage", `${path} cannot be read (${(error as Error).message})`);
  }
  if (size.width * size.height > MAX_IMAGE_PIXELS) {
    throw fault("measureImage", `${path} is too large`, { got: `${size.width}x${size.height}` });
  }
  const { width, height } = resizedSize(size, config, path);
  return [1, height / config.patchSize, width / config.patchSize];
}

async function decode(source: string | Uint8Array, name: string): Promise<Picture> {
  if (typeof source === "string" && !existsSync(source)) {
    throw fault("processImage", `no file at ${source}`, {
      expected: "a PNG, JPEG, WebP, GIF or TIFF image",
      try: "check the path; relative paths start at the working directory",
    });
  }
  try {
    // Like Pillow: orient by EXIF, leave colour profiles alone.
    const options = {
      ignoreIcc: true,
      failOn: "error",
      limitInputPixels: MAX_IMAGE_PIXELS,
    } as const;
    const image = sharp(source, options).autoOrient().toColourspace("srgb").raw();
    const { data, info } = await image.toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    return { width, height, rgb: channels === 3 ? data : onWhite(data, channels) };
  } catch (error) {
    const reason = (error as Error).message.trim().replace(/\s*\n\s*/g, "; ");
    if (/pixel limit/i.test(reason)) {
      throw fault("processImage", `${name} is too large`, {
        expected: `at most ${MAX_IMAGE_PIXELS / 1e6} megapixels`,
        try: "scale it down first",
      });
    }
    throw fault("processImage", `${name} cannot be decoded (${reason})`, {
      expected: "a whole PNG, JPEG, WebP, GIF or TIFF image",
      try: "open it in a viewer; copy or download it again if it is broken",
    });
  }
}

/** Grey, grey with alpha, or RGB with alpha to RGB; transparency shows white, as in `transformers` 5. */
function onWhite(data: Uint8Array, channels: number): Uint8Array {
  const colours = channels < 3 ? 1 : 3;
  const rgb = new Uint8Array((data.length / channels) * 3);
  for (let from = 0, to = 0; from < data.length; from += channels) {
    const alpha = channels > colours ? data[from + colours] : 255;
    for (let c = 0; c < 3; c++) {
      const value = data[from + (colours === 1 ? 0 : c)];
      rgb[to++] = Math.round((value * alpha + 255 * (255 - alpha)) / 255);
    }
  }
  return rgb;
}

function resizedSize(
  { width, height }: Pick<Picture, "width" | "height">,
  config: ImageProcessorConfig,
  name: string,
): { width: number; height: number } {
  const factor = config.patchSize * config.mergeSize;
  if (config.doResize) return smartResize({ width, height }, { ...config, factor }, name);
  if (width % factor || height % factor) {
    throw fault("processImage", `${name} does not fit the patches and do_resize is off`, {
      got: `${width}x${height}`,
      expected: `multiples of ${factor}`,
      try: "set do_resize in preprocessor_config.json",
    });
  }
  return { width, height };
}

/** Per channel, the normalised float32 of every 8-bit level: `(level - mean / rescale) / (std / rescale)`. */
function levelTables({ rescaleFactor, imageMean, imageStd }: ImageProcessorConfig): Float32Array[] {
  const scale = Math.fround(1 / rescaleFactor);
  return imageMean.map((mean, channel) => {
    // The order of float32 operations is that of the fused rescale and normalise in `transformers`.
    const shift = Math.fround(Math.fround(mean) * scale);
    const spread = Math.fround(Math.fround(imageStd[channel]) * scale);
    return Float32Array.from({ length: 256 }, (_, level) => Math.fround(level - shift) / spread);
  });
}

function cutPatches(
  { rgb, width, height }: Picture,
  { patchSize, temporalPatchSize, mergeSize }: ImageProcessorConfig,
  levels: readonly Float32Array[],
): Float32Array {
  const plane = patchSize * patchSize;
  const block = patchSize * mergeSize;
  const patches = new Float32Array(width * height * 3 * temporalPatchSize);
  let to = 0;
  const cutPatch = (top: number, left: number) => {
    for (let channel = 0; channel < 3; channel++) {
      const table = levels[channel];
      const start = to;
      for (let y = top; y < top + patchSize; y++) {
        let from = (y * width + left) * 3 + channel;
        for (let x = 0; x < patchSize; x++, from += 3) patches[to++] = table[rgb[from]];
      }
      // A still picture stands for every frame of its temporal patch.
      for (let frame = 1; frame < temporalPatchSize; frame++, to += plane) {
        patches.copyWithin(to, start, start + plane);
      }
    }
  };
  for (let blockTop = 0; blockTop < height; blockTop += block) {
    for (let blockLeft = 0; blockLeft < width; blockLeft += block) {
      for (let inBlock = 0; inBlock < mergeSize * mergeSize; inBlock++) {
        const row = Math.floor(inBlock / mergeSize);
        const column = inBlock % mergeSize;
        cutPatch(blockTop + row * patchSize, blockLeft + column * patchSize);
      }
    }
  }
  return patches;
}

function readConfig(raw: Record<string, unknown>, path: string): ImageProcessorConfig {
  const number = (key: string, value: unknown, standard: number): number => {
    if (value === undefined || value === null) return standard;
    if (typeof value === "number" && value > 0 && Number.isFinite(value)) return value;
    throw fault("loadImageProcessor", `${key} of ${path} is wrong`, {
      got: value,
      expected: "a positive number",
    });
  };
  const channels = (key: string, standard: number[]): number[] => {
    const value = raw[key] ?? standard;
    const three = typeof value === "number" ? [value, value, value] : value;
    if (Array.isArray(three) && three.length === 3 && three.every(Number.isFinite)) return three;
    throw fault("loadImageProcessor", `${key} of ${path} is wrong`, {
      got: value,
      expected: "three numbers",
    });
  };
  const size = (raw.size ?? {}) as Record<string, unknown>;
  const normalise = raw.do_normalize !== false;
  const filter = FILTERS[(raw.resample as number | undefined) ?? 3];
  if (filter === undefined) {
    throw fault("loadImageProcessor", `resample of ${path} is not supported`, {
      got: raw.resample,
      expected: "1 (Lanczos), 2 (bilinear) or 3 (bicubic)",
    });
  }
  // The standard values are the class's own in `transformers`; CLIP's mean and deviation.
  return {
    patchSize: number("patch_size", raw.patch_size, 14),
    temporalPatchSize: number("temporal_patch_size", raw.temporal_patch_size, 2),
    mergeSize: number("merge_size", raw.merge_size, 2),
    minPixels: number("min_pixels", raw.min_pixels ?? size.shortest_edge, 56 * 56),
    maxPixels: number("max_pixels", raw.max_pixels ?? size.longest_edge, 28 * 28 * 1280),
    doResize: raw.do_resize !== false,
    filter,
    rescaleFactor:
      raw.do_rescale === false ? 1 : number("rescale_factor", raw.rescale_factor, 1 / 255),
    imageMean: normalise ? channels("image_mean", [0.48145466, 0.4578275, 0.40821073]) : [0, 0, 0],
    // Without normalising, `(level - 0) / (1 / rescale)` is the rescaled level.
    imageStd: normalise ? channels("image_std", [0.26862954, 0.26130258, 0.27577711]) : [1, 1, 1],
  };
}

/** Python's `round`: a half goes to the even neighbour. */
function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}
