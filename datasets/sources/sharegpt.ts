/**
 * Any sharegpt-style file: `conversations` with from/value or `messages` with role/content, MM-Eureka's `message` too. The answer
 * is a field of the record, or what the reply says clearly.
 */
import { fault } from "../../lib/engine/errors";
import { firstExchange, picturesOf, textOf } from "./fields";
import { readJsonRecords } from "./json-records";
import { readSections } from "./llava-cot";
import type { Source } from "./source";
import { subsetOf } from "./subsets";
import { questionAndAnswer } from "./text";

/** A reply without any mark is its own answer up to this length. */
const SHORT = 120;

export const sharegpt: Source = {
  name: "sharegpt",
  title: "sharegpt conversations",
  licence: "as of the user's file",
  path: "a JSON or JSONL file with conversations, messages or message",
  rows: readJsonRecords,
  draftOf: (row) => {
    const { ask, reply } = firstExchange(row);
    const answer = textOf(row, "answer") ?? (reply === undefined ? null : answerIn(reply));
    if (answer === null) {
      throw fault("draftOf", "the reply states no answer", { got: reply?.slice(-80) });
    }
    const images = picturesOf(row);
    return {
      id: textOf(row, "id"),
      images,
      ...questionAndAnswer({ ask: ask, answer: answer }),
      ...subsetOf(images[0]),
      level: 1,
    };
  },
};

/** The answer that a reply states: in `<answer>`, in a CONCLUSION, in `\boxed{}`, after "the answer is", or by being short. */
function answerIn(reply: string): string | null {
  const tagged = [...reply.matchAll(/<answer>([\s\S]*?)<\/answer>/gi)].at(-1)?.[1];
  const stated = tagged ?? readSections(reply).CONCLUSION;
  if (stated !== undefined) return stated;
  if (reply.includes("\\boxed{")) return reply;
  const sentence = [...reply.matchAll(/\banswer(?:\s+is\s*:?|:)\s*([^\n]+)/gi)].at(-1)?.[1];
  return sentence ?? (reply.trim().length <= SHORT ? reply : null);
}
