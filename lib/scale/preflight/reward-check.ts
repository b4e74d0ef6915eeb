/** Whether the reward pays what it should on this data: first here, then by the server that the cluster will ask. */
import type { RewardConfig } from "../../reflection/reward-config";
import { scoreResponse } from "../../reflection/rewards";
import { parseResponse, renderResponse, renderSolution } from "../../reflection/template";
import { packGold } from "../gold-label";
import type { ExportedProblem } from "../exports/export";
import { rewardNumbers } from "../reward-server/contracts";
import { REWARD_HEADER } from "../reward-server/server";
import { TOKEN_VARIABLE } from "../reward-server/token";
import type { Finding } from "./finding";

/** Problems whose responses the server is asked about. */
const ASKED = 64;
const WRONG = "no such answer";

interface Probe {
  response: string;
  label: string;
  expected: Record<string, number>;
}

export interface RewardCheckOptions {
  config: RewardConfig;
  identity: string;
  countTokens: (text: string) => number;
  /** The server's address; without one it is not asked. */
  url?: string;
}

/** Every gold answer must be right when a policy gives it, and a wrong one must be worth less. */
export async function checkReward(
  rows: readonly ExportedProblem[],
  { config, identity, countTokens, url }: RewardCheckOptions,
): Promise<Finding[]> {
  const probe = ({ problem }: ExportedProblem, answer: string): Probe => {
    const solution = { think: "Some thought about it.", answer };
    const response =
      config.solutions === 1
        ? renderSolution(solution)
        : renderResponse({ first: solution, reflection: "It holds.", second: solution });
    const reward = scoreResponse({
      ...{ response: parseResponse(response), problem, config, tokenCount: countTokens },
    });
    return { response, label: packGold(problem), expected: rewardNumbers(reward) };
  };
  const unread = rows.filter((row) => probe(row, row.problem.answer).expected.correct !== 1);
  const unpaid = rows.filter(
    (row) => probe(row, row.problem.answer).expected.total <= probe(row, WRONG).expected.total,
  );
  const name = "gold answers";
  const gold: Finding =
    unread.length + unpaid.length === 0
      ? {
          name,
          status: "ok",
          detail: `${rows.length} are right when given, and pay more than a wrong one`,
        }
      : {
          ...{ name, status: unread.length > rows.length / 100 ? "fail" : "warning" },
          detail: `${unread.length} of ${rows.length} are not right even when given as they are, ${unpaid.length} pay no more than a wrong one, e.g. ${[
            ...unread,
            ...unpaid,
          ]
            .slice(0, 3)
            .map((row) => row.problem.id)
            .join(", ")}`,
          fix: "no response to these can be right: leave them out or mend the answers",
        };
  const probes = rows
    .slice(0, ASKED)
    .flatMap((row) => [probe(row, row.problem.answer), probe(row, WRONG)]);
  return [gold, await askServer(probes, identity, url)];
}

async function askServer(
  probes: readonly Probe[],
  identity: string,
  url?: string,
): Promise<Finding> {
  const name = "reward server";
  if (url === undefined) {
    return {
      name,
      status: "skipped",
      detail: "not asked",
      fix: "--reward-url, with the token in " + TOKEN_VARIABLE,
    };
  }
  const token = process.env[TOKEN_VARIABLE]?.trim();
  try {
    const reply = await fetch(`${url.replace(/\/$/, "")}/score`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        [REWARD_HEADER]: identity,
        ...(token ? { authorization: `Bearer ${token}` } : {}),
      },
      body: JSON.stringify({ rows: probes.map(({ response, label }) => ({ response, label })) }),
      redirect: "error",
      signal: AbortSignal.timeout(30_000),
    });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`status ${reply.status}: ${text.slice(0, 200)}`);
    const { rewards } = JSON.parse(text) as { rewards: Record<string, number>[] };
    const other = probes.filter(({ expected }, i) => !sameNumbers(expected, rewards[i]));
    if (other.length === 0)
      return { name, status: "ok", detail: `${probes.length} rewards as here, to the last bit` };
    return {
      ...{
        name,
        status: "fail",
        detail: `${other.length} of ${probes.length} rewards differ from those here`,
      },
      fix: "serve with the tokenizer of the checkpoint that is trained",
    };
  } catch (error) {
    const cause = (error as { cause?: Error }).cause?.message;
    const detail = `${url} gave no reward (${(error as Error).message}${cause ? `: ${cause}` : ""})`;
    return {
      name,
      status: "fail",
      detail,
      fix: "srpo serve-reward --config EXPORT/reward.json --tokenizer CHECKPOINT",
    };
  }
}

const sameNumbers = (a: Record<string, number>, b: Record<string, number> | undefined): boolean =>
  b !== undefined && Object.keys(a).every((key) => a[key] === b[key]);
