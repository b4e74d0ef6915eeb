/**
 * What other programs send for a reward and what they get, as plain data.
 *
 * `POST /score`, the lab's own, which the Python shims use: `{rows: [{response, label}]}`, a row being one of `srpo reward`, with
 * its gold answer as `label` or as `gold`; the reply is `{rewards: [numbers]}`, and with `explain: true` also `{rows: [whole
 * breakdowns]}`.
 *
 * `POST /get_reward`, OpenRLHF's remote reward (0.9 to 0.11): `{query, prompts, labels}`, lists of texts, where a query is prompt
 * and response decoded with their special tokens; the reply is `{rewards, scores, extra_logs}`, lists of the same length. Its
 * filter of groups looks at `scores`, which are 1 for a right final answer and 0 for a wrong one.
 */
import { fault, LabError } from "../../engine/errors";
import { isRow, textField, type Row } from "../../engine/rows";
import type { RewardBreakdown } from "../../reflection/rewards";
import { unpackGold } from "../gold-label";

/** A request as rows to score, and what to make of their rewards. */
export interface Request {
  rows: readonly Row[];
  reply(rewards: readonly RewardBreakdown[]): object;
}

/** The numbers of a reward under the names that trainers log; every response has them all, so that means are means. */
export function rewardNumbers(reward: RewardBreakdown): Record<string, number> {
  const { total, format, accuracy, efficacy, reflection_format, length, transition } = reward;
  const is = (yes: boolean): number => (yes ? 1 : 0);
  return {
    ...{ total, format, accuracy, efficacy, reflection_format, length },
    correct: is((reward.second ?? reward.first).correct),
    first_correct: is(reward.first.correct),
    ...{ rr: is(transition === "RR"), wr: is(transition === "WR") },
    ...{ rw: is(transition === "RW"), ww: is(transition === "WW") },
  };
}

/** @throws LabError naming the row and the field */
export function readScoreRequest(body: unknown): Request {
  if (!isRow(body) || !Array.isArray(body.rows)) {
    throw fault("/score", "no rows", { expected: '{"rows": [{"response": …, "label": …}]}' });
  }
  return {
    rows: body.rows.map((row, at) => atRow(at, () => labelledRow(row))),
    reply: (rewards) => ({
      rewards: rewards.map(rewardNumbers),
      ...(body.explain === true ? { rows: rewards } : {}),
    }),
  };
}

function labelledRow(row: unknown): Row {
  if (!isRow(row)) throw fault("row", "not an object", { got: row });
  return row.label === undefined ? row : { ...unpackGold(textField(row, "label")), ...row };
}

/** What OpenRLHF's contract needs of the policy's tokenizer. */
export interface SpecialTokens {
  /** The texts of all tokens that are left out of a decoded response. */
  specialTokens: readonly string[];
}

/** A reader of OpenRLHF's requests, for the policy that its tokenizer belongs to. */
export function createOpenRlhfReader(tokenizer: SpecialTokens): (body: unknown) => Request {
  const cut = createQueryCutter(tokenizer);
  return (body) => {
    const { queries, prompts, labels } = readLists(body);
    return {
      rows: queries.map((query, at) =>
        atRow(at, () => ({ ...unpackGold(labels[at]), ...cut(query, prompts[at]) })),
      ),
      reply: openRlhfReply,
    };
  };
}

/** @throws LabError when the lists differ in length or hold no texts */
function readLists(body: unknown): Record<"queries" | "prompts" | "labels", string[]> {
  if (!isRow(body)) throw fault("/get_reward", "not an object", { got: body });
  const [queries, prompts, labels] = ["query", "prompts", "labels"].map((key): string[] => {
    const list = body[key];
    if (Array.isArray(list) && list.every((item) => typeof item === "string")) return list;
    throw fault("/get_reward", `${key} is no list of texts`, { got: list });
  });
  if (queries.length === prompts.length && queries.length === labels.length) {
    return { queries, prompts, labels };
  }
  throw fault("/get_reward", "the lists differ in length", {
    got: { query: queries.length, prompts: prompts.length, labels: labels.length },
  });
}

function openRlhfReply(rewards: readonly RewardBreakdown[]): object {
  const numbers = rewards.map(rewardNumbers);
  const column = (key: string): number[] => numbers.map((row) => row[key]);
  const logged = Object.keys(numbers[0] ?? {}).filter((key) => key !== "total");
  return {
    rewards: column("total"),
    scores: column("correct"),
    extra_logs: Object.fromEntries(logged.map((key) => [key, column(key)])),
  };
}

/**
 * Takes the prompt off a query. In the query a picture's token is repeated as often as the picture has tokens, in the prompt it
 * stands once; and the query went through the tokenizer, which composes characters (NFC).
 *
 * A response that does not end with a special token was cut off by the token limit.
 * @returns a function that throws LabError when the query does not begin with its prompt
 */
function createQueryCutter({ specialTokens }: SpecialTokens) {
  const any = specialTokens
    .map((token) => token.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"))
    .sort((a, b) => b.length - a.length)
    .join("|");
  const runs = new RegExp(`(${any})\\1+`, "g");
  const all = new RegExp(any, "g");
  const end = new RegExp(`(?:${any})$`);
  const once = (text: string): string => text.replace(runs, "$1");
  return (query: string, prompt: string): { response: string; truncated: boolean } => {
    const [whole, start] = query.startsWith(prompt)
      ? [query, prompt]
      : [once(query), once(prompt.normalize("NFC"))];
    if (!whole.startsWith(start)) {
      throw fault("/get_reward", "the query does not begin with its prompt", {
        got: query.slice(0, 60),
        try: "a larger data.max_len, so that prompts are not cut, and the policy's own --tokenizer",
      });
    }
    const response = whole.slice(start.length);
    return { response: response.replace(all, ""), truncated: !end.test(response) };
  };
}

/** Names the row in what goes wrong with it. */
export function atRow<T>(at: number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    throw new LabError(`row ${at}: ${error.message}`);
  }
}
