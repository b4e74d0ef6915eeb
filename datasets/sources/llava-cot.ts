/** LLaVA-CoT-100k: questions of ten data sets with solutions in four tagged sections, written by GPT-4o. */
import { fault } from "../../lib/engine/errors";
import { firstExchange, picturesOf, textOf } from "./fields";
import { readJsonRecords } from "./json-records";
import type { Source } from "./source";
import { subsetOf } from "./subsets";
import { questionAndAnswer } from "./text";

export const llavaCot: Source = {
  name: "llava-cot",
  title: "LLaVA-CoT-100k",
  licence: "Apache-2.0",
  path: "train.jsonl",
  rows: readJsonRecords,
  draftOf: (row) => {
    const { ask, reply = "" } = firstExchange(row);
    const images = picturesOf(row);
    const sections = readSections(reply);
    if (sections.CONCLUSION === undefined) {
      throw fault("draftOf", "the reply has no CONCLUSION", { got: reply.slice(-80) });
    }
    return {
      id: textOf(row, "id"),
      images,
      ...questionAndAnswer({ ask: ask, answer: sections.CONCLUSION }),
      ...subsetOf(images[0]),
      level: 1,
      ...workOf(sections),
    };
  },
};

type Section = "SUMMARY" | "CAPTION" | "REASONING" | "CONCLUSION";

/** The four sections, as far as they are there; a section whose closing tag is missing ends where the next one starts. */
export function readSections(text: string): Partial<Record<Section, string>> {
  const found: Partial<Record<Section, string>> = {};
  const pattern =
    /<(SUMMARY|CAPTION|REASONING|CONCLUSION)>([\s\S]*?)(?=<\/?(?:SUMMARY|CAPTION|REASONING|CONCLUSION)>|$)/gi;
  for (const [, name, inner] of text.matchAll(pattern)) {
    const body = inner.trim();
    if (body !== "") found[name.toUpperCase() as Section] ??= body;
  }
  return found;
}

/** The caption is what has to be read off the picture; the plan (SUMMARY) and the reasoning's paragraphs are the steps. */
export function workOf({ SUMMARY, CAPTION, REASONING }: ReturnType<typeof readSections>): {
  reading?: string;
  steps?: string[];
} {
  const reasoning = REASONING?.split(/\n+/).map((line) => line.trim()) ?? [];
  const steps = [SUMMARY ?? "", ...reasoning].filter((step) => step !== "");
  return {
    ...(CAPTION === undefined ? {} : { reading: CAPTION }),
    ...(steps.length === 0 ? {} : { steps }),
  };
}
