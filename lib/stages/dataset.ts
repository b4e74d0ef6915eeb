/** Reflection samples as a folder that others train from: LLaMA-Factory's sharegpt with its pictures, the samples, a data card. */
import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { sources } from "../../datasets/sources/index";
import { contentHash, jsonlRows, writeFileAtomic, writeJsonl } from "../engine/files";
import { mapRows } from "../engine/lists";
import {
  cardNumbers,
  cardText,
  type CardNumbers,
  type CardOptions,
} from "../reflection/dataset-card";
import type { PromptStyle } from "../reflection/prompts";
import { toPlainCot, toSharegpt } from "../reflection/records";
import type { ReflectionSample } from "../types";

export interface DatasetOptions extends Partial<Omit<CardOptions, "sources">> {
  /** Gone through once; they may come from a file of any length. */
  samples: Iterable<ReflectionSample>;
  /** Replaces what the folder holds of an earlier export. */
  folder: string;
  /** How the trained model will be asked: `paper` for large models, `reflect` for the embedded policy. */
  style?: "paper" | "reflect";
}

/** The single-solution prompt that belongs to each two-solution prompt, for the control. */
const SINGLE: Readonly<Record<"paper" | "reflect", PromptStyle>> = {
  paper: "paper-direct",
  reflect: "direct",
};

/**
 * Writes `reflection.jsonl`, `plain-cot.jsonl` (the control), `dataset_info.json`, `images/`, `samples.jsonl`, `card.json` and the
 * card as `README.md`. Picture paths inside are relative to the folder, which can be moved as a whole.
 * @returns the numbers of the card
 * @throws LabError naming the file when the disk is full or the folder cannot be written
 */
export function exportDataset({
  samples,
  folder,
  style = "paper",
  title = "Reflection samples",
  dropped,
  rejected,
}: DatasetOptions): CardNumbers {
  const file = (name: string): string => join(folder, name);
  writeJsonl(file("samples.jsonl"), placeImages(samples, folder));
  const own = jsonlRows<ReflectionSample>(file("samples.jsonl"));
  writeJsonl(
    file("reflection.jsonl"),
    mapRows(own, (sample) => toSharegpt(sample, { style })),
  );
  writeJsonl(
    file("plain-cot.jsonl"),
    mapRows(own, (sample) => toPlainCot(sample, { style: SINGLE[style] })),
  );
  const info = {
    srpo_reflection: datasetInfo("reflection.jsonl"),
    srpo_plain_cot: datasetInfo("plain-cot.jsonl"),
  };
  writeFileAtomic(file("dataset_info.json"), JSON.stringify(info, null, 2) + "\n");
  const numbers = cardNumbers(own);
  const card = { ...numbers, dropped, rejected };
  writeFileAtomic(file("card.json"), JSON.stringify(card, null, 2) + "\n");
  const stated = { title, sources: statedSources(numbers), dropped, rejected };
  writeFileAtomic(file("README.md"), cardText(numbers, stated));
  return numbers;
}

/** How LLaMA-Factory finds its way in a file. */
function datasetInfo(name: string): Record<string, unknown> {
  return {
    file_name: name,
    formatting: "sharegpt",
    columns: { messages: "messages", images: "images" },
    tags: {
      ...{ role_tag: "role", content_tag: "content" },
      ...{ user_tag: "user", assistant_tag: "assistant", system_tag: "system" },
    },
  };
}

/** The samples with their pictures copied below the folder, each picture once, named by its content. */
function* placeImages(
  samples: Iterable<ReflectionSample>,
  folder: string,
): Generator<ReflectionSample> {
  const placed = new Map<string, string>();
  mkdirSync(join(folder, "images"), { recursive: true });
  const place = (path: string): string => {
    const known = placed.get(path);
    if (known !== undefined) return known;
    const name = `images/${contentHash(readFileSync(path), 24)}${extname(path).toLowerCase()}`;
    if (!existsSync(join(folder, name))) copyFileSync(path, join(folder, name));
    placed.set(path, name);
    return name;
  };
  for (const sample of samples) {
    yield {
      ...sample,
      problem: { ...sample.problem, images: sample.problem.images.map(place) },
    };
  }
}

function statedSources({ sources: counts }: CardNumbers): CardOptions["sources"] {
  return Object.fromEntries(
    Object.keys(counts).map((name) => {
      const source = sources.find((candidate) => candidate.name === name);
      const drawn = { title: "visual-math, drawn by SRPO Lab", licence: "MIT" };
      const unknown = { title: name, licence: "not stated" };
      return [name, source ?? (name === "visual-math" ? drawn : unknown)];
    }),
  );
}
