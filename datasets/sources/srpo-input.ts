/** The input of the published SRPO scripts: `{query, image, answer, content?}`, made from the three collections. */
import { picturesOf, requiredText, textOf } from "./fields";
import { readJsonRecords } from "./json-records";
import { readSections, workOf } from "./llava-cot";
import { readMulberry } from "./mulberry";
import type { Source } from "./source";
import { subsetOf } from "./subsets";
import { questionAndAnswer } from "./text";

export const srpoInput: Source = {
  name: "srpo-input",
  title: "SRPO input records",
  licence: "as of the collection that they come from",
  path: "a JSONL file of {query, image, answer, content?}",
  rows: readJsonRecords,
  draftOf: (row) => {
    const images = picturesOf(row);
    return {
      id: textOf(row, "id"),
      images,
      ...questionAndAnswer({
        ask: requiredText(row, "query"),
        answer: requiredText(row, "answer"),
      }),
      ...subsetOf(images[0]),
      level: 1,
      ...workIn(textOf(row, "content") ?? ""),
    };
  },
};

/** The worked solution that came along, in LLaVA-CoT's or in Mulberry's sections. */
function workIn(content: string): { reading?: string; steps?: string[] } {
  const work = workOf(readSections(content));
  if (work.reading !== undefined || work.steps !== undefined) return work;
  const { reading, steps = [] } = readMulberry(content) ?? {};
  return {
    ...(reading === undefined ? {} : { reading }),
    ...(steps.length === 0 ? {} : { steps }),
  };
}
