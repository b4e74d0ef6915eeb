/** How many of the lab's own pictures a core draws, reads, and finds drawn already. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateItems, materialize } from "../../datasets/visual-math/problems";
import { basePolicyFolder } from "../paths";
import { loadImageProcessor } from "../policy/image-processor";

/** Pictures a second of processor time, so that neither idle cores nor other programs count. */
export interface PictureSpeed {
  pictures: number;
  /** Drawn, compressed and written to disk. */
  rendered_per_s: number;
  /** Read from disk and made into the vision tower's patches. */
  decoded_per_s: number;
  /** Asked for again, when they are on disk. */
  cached_per_s: number;
}

/** @param pictures how many to draw, into a temporary folder */
export async function measureDrawing({ pictures }: { pictures: number }): Promise<PictureSpeed> {
  const items = generateItems({ count: pictures, seed: "perf", split: "rl", allowRepeats: true });
  const processor = loadImageProcessor(basePolicyFolder);
  const folder = mkdtempSync(join(tmpdir(), "srpo-perf-"));
  const rate = async (work: () => Promise<unknown>): Promise<number> => {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    return (pictures * 1e6) / (user + system);
  };
  try {
    // Fonts are read and code is compiled once a process, not once a picture.
    await materialize(items.slice(0, 64), join(folder, "warm-up"));
    const draw = () => materialize(items, join(folder, "pictures"));
    const rendered_per_s = await rate(draw);
    const problems = await draw();
    const decoded_per_s = await rate(() =>
      Promise.all(problems.map(({ images: [path] }) => processor.processImage(path))),
    );
    return { pictures, rendered_per_s, decoded_per_s, cached_per_s: await rate(draw) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
