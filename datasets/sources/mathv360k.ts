/** MathV360K (Math-LLaVA): short answers to questions of 24 data sets, with MathVista's hints. */
import { fault } from "../../lib/engine/errors";
import { firstExchange, picturesOf, textOf } from "./fields";
import { readJsonRecords } from "./json-records";
import type { Source } from "./source";
import { subsetOf } from "./subsets";
import { questionAndAnswer } from "./text";

export const mathv360k: Source = {
  name: "mathv360k",
  title: "MathV360K",
  licence: "none stated",
  path: "train_samples_all_tuning.json",
  rows: readJsonRecords,
  draftOf: (row) => {
    const { ask, reply } = firstExchange(row);
    if (reply === undefined) throw fault("draftOf", "the question has no reply");
    const images = picturesOf(row);
    return {
      id: textOf(row, "id"),
      images,
      ...questionAndAnswer({ ask: ask, answer: reply }),
      ...subsetOf(images[0]),
      level: 1,
    };
  },
};
