/** Problems from seeds: which set a problem belongs to, sets of problems, and their pictures on disk. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { fault } from "../../lib/engine/errors";
import { contentHash, writeFileAtomic } from "../../lib/engine/files";
import { mapBounded } from "../../lib/engine/lists";
import { createRandom } from "../../lib/engine/random";
import type { Problem } from "../../lib/types";
import { answerOf, chainSteps, columns } from "./arithmetic";
import type { Family, Scene, Style } from "./family";
import { families, familyByName } from "./index";
import { sampleStyle } from "./style";

export type SplitName = "pretrain" | "sft" | "rl" | "test";

/** Share of all contents that each set owns. */
export const SPLITS: Readonly<Record<SplitName, number>> = {
  pretrain: 0.6,
  sft: 0.1,
  rl: 0.15,
  test: 0.15,
};

/** Part of every id, so that a picture drawn by an older generator is never taken for a new one's. Raise with changes. */
const GENERATOR = 2;
/** Draws in a row without a new content after which a level of a family counts as exhausted. */
const PATIENCE = 400;

export interface VisualMathItem {
  problem: Problem;
  scene: Scene;
  style: Style;
  /** What everything about this item follows from, together with its family and level. */
  seed: string;
}

export interface GenerateOptions {
  count: number;
  seed: string | number;
  /** Names of the families to draw from; all that have levels in the set when left out. */
  families?: readonly string[];
  /** The levels to draw from; all when left out. */
  levels?: readonly number[];
  /** Lets a content appear again in another picture. Small families run out without it. */
  allowRepeats?: boolean;
  /** Hears of each level of a family that ran out of new contents; the others then fill the set. */
  onExhausted?: (family: string, level: number) => void;
}

/**
 * The set that owns a problem, by a hash of what makes it that problem and not by chance, so that no set of any seed
 * shares a problem with another set.
 * @param key the scene's content followed by its family's name
 */
export function splitOf(key: string): SplitName {
  const share = createHash("sha256").update(key).digest().readUInt32BE(0) / 2 ** 32;
  let edge = 0;
  for (const name of Object.keys(SPLITS) as SplitName[]) {
    edge += SPLITS[name];
    if (share < edge) return name;
  }
  return "test";
}

/** One problem. The same options give the same problem, the same style and the same picture everywhere. */
export function createItem({
  family,
  level,
  seed,
}: {
  family: string;
  level: number;
  seed: string | number;
}): VisualMathItem {
  const owner = familyByName(family);
  if (!owner.levels.includes(level) && !owner.heldOut.includes(level)) {
    throw fault("createItem", `family ${family} has no such level`, {
      got: level,
      expected: `one of ${[...owner.levels, ...owner.heldOut].join(", ")}`,
    });
  }
  return itemOf(owner, level, String(seed), sceneOf(owner, level, String(seed)));
}

/**
 * Problems of one set, uniform over families and then over levels. No content repeats unless `allowRepeats` is set; a
 * level that runs out of new contents is dropped (see `onExhausted`).
 * @throws LabError when nothing matches, or when all families ran out before `count`
 */
export function generateItems(options: GenerateOptions & { split: SplitName }): VisualMathItem[] {
  const { split } = options;
  return generate(
    options,
    split,
    (family) => family.levels,
    (key) => splitOf(key) === split,
  );
}

/** Out-of-distribution problems: the families and levels that none of the four sets has. */
export function generateOod(options: GenerateOptions): VisualMathItem[] {
  return generate(
    options,
    "ood",
    (family) => family.heldOut,
    () => true,
  );
}

/** The item's picture as SVG text. */
export function drawItem({ scene, style, seed }: VisualMathItem): string {
  return scene.draw(style, createRandom(`${seed}/draw`));
}

/** The item's picture as a PNG of the style's size. */
export function renderPng(item: VisualMathItem): Promise<Buffer> {
  return sharp(Buffer.from(drawItem(item)))
    .removeAlpha()
    .png()
    .toBuffer();
}

/**
 * Draws the pictures that `folder` does not hold yet, as `<folder>/<problem id>.png`.
 * @returns the problems with their pictures' paths filled in; the items stay as they are
 */
export async function materialize(
  items: readonly VisualMathItem[],
  folder: string,
  { concurrency = 4 }: { concurrency?: number } = {},
): Promise<Problem[]> {
  return mapBounded(items, concurrency, async (item) => {
    const path = join(folder, `${item.problem.id}.png`);
    if (!existsSync(path)) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileAtomic(path, await renderPng(item));
    }
    return { ...item.problem, images: [path] };
  });
}

interface Source {
  family: Family;
  levels: number[];
}

function generate(
  options: GenerateOptions,
  label: string,
  levelsOf: (family: Family) => readonly number[],
  belongs: (key: string) => boolean,
): VisualMathItem[] {
  const { count, seed, levels, allowRepeats = false, onExhausted } = options;
  const chosen = options.families?.map(familyByName) ?? families;
  const sources: Source[] = chosen
    .map((family) => ({
      family,
      levels: levelsOf(family).filter((level) => levels === undefined || levels.includes(level)),
    }))
    .filter((source) => source.levels.length > 0);
  if (sources.length === 0) {
    throw fault("generateItems", `no family has ${label} problems at these levels`, {
      got: { families: options.families, levels },
      try: "generateOod for held-out families and levels",
    });
  }
  const random = createRandom(`visual-math/${label}/${seed}`);
  const seen = new Set<string>();
  const items: VisualMathItem[] = [];
  let draws = 0;
  while (items.length < count) {
    if (sources.length === 0) {
      throw fault("generateItems", `ran out of ${label} problems after ${items.length}`, {
        expected: `${count}`,
        try: "fewer problems, more families or levels, or allowRepeats",
      });
    }
    const source = random.pick(sources);
    const level = random.pick(source.levels);
    let found = false;
    for (let attempt = 0; attempt < PATIENCE && !found; attempt++) {
      const itemSeed = `${label}/${seed}/${draws++}`;
      const scene = sceneOf(source.family, level, itemSeed);
      const key = scene.content + source.family.name;
      if (!belongs(key) || (!allowRepeats && seen.has(key))) continue;
      found = true;
      seen.add(key);
      items.push(itemOf(source.family, level, itemSeed, scene));
    }
    if (found) continue;
    onExhausted?.(source.family.name, level);
    source.levels.splice(source.levels.indexOf(level), 1);
    if (source.levels.length === 0) sources.splice(sources.indexOf(source), 1);
  }
  return items;
}

function sceneOf(family: Family, level: number, seed: string): Scene {
  return family.sample(createRandom(`${seed}/${family.name}/${level}`), level);
}

function itemOf(family: Family, level: number, seed: string, scene: Scene): VisualMathItem {
  const hash = contentHash(`${GENERATOR}/${family.name}/${level}/${seed}`);
  const problem: Problem = {
    id: `visual-math/${family.name}-${level}-${hash}`,
    question: scene.question,
    images: [],
    answer: String(answerOf(scene)),
    answerType: "number",
    family: family.name,
    level,
    subject: family.subject,
    source: "visual-math",
    reading: scene.read(scene.values),
    steps: chainSteps(scene.chain, scene.values).map(columns),
  };
  return { problem, scene, style: sampleStyle(createRandom(`${seed}/style`)), seed };
}
