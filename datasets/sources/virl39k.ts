/** ViRL39K (VL-Rethinker): verifiable problems of many collections, with the pass rates of two trained models. */
import { picturesOf, requiredText, textOf } from "./fields";
import { readParquet } from "./parquet";
import type { Row, Source } from "./source";
import { questionAndAnswer } from "./text";

export const virl39k: Source = {
  name: "virl39k",
  title: "ViRL39K",
  licence: "MIT",
  path: "39Krelease.parquet",
  rows: readParquet,
  draftOf: (row) => {
    return {
      id: textOf(row, "qid"),
      images: picturesOf(row),
      ...questionAndAnswer({
        ask: requiredText(row, "question"),
        answer: requiredText(row, "answer"),
      }),
      family: textOf(row, "source") ?? "unnamed",
      subject: (textOf(row, "category") ?? "general").toLowerCase(),
      level: levelOf(row),
    };
  },
};

/** 1 for what the untrained 7B always solves to 5 for what it never does; 1 too where it was not asked (rate -1). */
function levelOf(row: Row): number {
  const rate = Number(textOf(row, "PassRate_7BBase") ?? -1);
  return rate >= 0 && rate <= 1 ? 1 + Math.round(4 * (1 - rate)) : 1;
}
