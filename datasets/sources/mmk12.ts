/** MMK12 (MM-Eureka): school problems, pictures inside the parquet file; the choices of its test set stand in the question. */
import { picturesOf, requiredText, textOf } from "./fields";
import { readParquet } from "./parquet";
import type { Source } from "./source";
import { questionAndAnswer } from "./text";

export const mmk12: Source = {
  name: "mmk12",
  title: "MMK12",
  licence: "Apache-2.0",
  path: "a parquet file of FanqingM/MMK12",
  rows: readParquet,
  draftOf: (row) => {
    const subject = (textOf(row, "subject") ?? "math").toLowerCase();
    return {
      id: textOf(row, "id"),
      images: picturesOf(row),
      ...questionAndAnswer({
        ask: requiredText(row, "question"),
        answer: requiredText(row, "answer"),
      }),
      family: "MMK12",
      subject,
      level: 1,
    };
  },
};
