/** `srpo serve-reward`: the reward over HTTP, for trainers on a cluster. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command, Option } from "commander";
import { interruptible } from "../engine/interrupt";
import { basePolicyFolder, projectRoot, shownPath } from "../paths";
import { loadTokenizer } from "../policy/tokenizer";
import { rewardConfig, rewardPresets } from "../reflection/reward-config";
import type { RewardConfig, RewardPreset } from "../reflection/reward-config";
import { rewardIdentity, startRewardServer } from "../scale/reward-server/server";
import { rewardToken, TOKEN_VARIABLE } from "../scale/reward-server/token";
import { say, UsageError, writeRow } from "./io";
import { wholeNumber } from "./numbers";
import { guardedConfig } from "./reward";

interface Options {
  preset: RewardPreset;
  guard?: string[];
  config?: string;
  tokenizer: string;
  host: string;
  port: number;
  token: boolean;
  tokenFile: string;
  maxBody: number;
  maxPending: number;
}

/** By then V8 has compiled what scores: the rewards of the first step come as fast as those of the hundredth. */
const WARM_UP_MS = 2000;

export const command = new Command("serve-reward")
  .description(
    "Serves the reward over HTTP: OpenRLHF's remote reward, and the lab's own contract for the exported shims.",
  )
  .addOption(
    new Option("--preset <name>", "what is paid")
      .choices(Object.keys(rewardPresets))
      .default("paper"),
  )
  .option("--guard <names...>", "what is not paid, as in srpo reward")
  .option("--config <file>", "an export's reward.json, in place of --preset and --guard")
  .option(
    "--tokenizer <dir>",
    "the trained policy's tokenizer: f_len counts its tokens",
    basePolicyFolder,
  )
  .option("--host <address>", "where to listen", "127.0.0.1")
  .option("--port <n>", "0 takes a free one", wholeNumber(0), 8977)
  .option(
    "--token-file <file>",
    "holds the token; made where there is none",
    join(projectRoot, ".cache/reward-token"),
  )
  .option(
    "--no-token",
    "let everybody on this machine ask; refused on other addresses than loopback",
  )
  .option("--max-body <MB>", "largest request", wholeNumber(1), 32)
  .option(
    "--max-pending <rows>",
    "rows that may wait; more is refused with 503",
    wholeNumber(1),
    16_384,
  )
  .addHelpText(
    "after",
    `
POST /get_reward is OpenRLHF's contract, POST /score the lab's; GET /health and /metrics say how it is. The token is that of
${TOKEN_VARIABLE} where it is set. Clients show it as a bearer, or as the password of http://srpo:TOKEN@host:port/get_reward.
Ctrl-C or SIGTERM answers what has been asked and ends.

Example:
  npx srpo serve-reward --config exports/verl/reward.json --tokenizer Qwen2.5-VL-7B-Instruct`,
  )
  .action(async (options: Options) => {
    const config = configOf(options);
    const { token, from } = options.token
      ? rewardToken(options.tokenFile)
      : { token: null, from: "" };
    const server = await startRewardServer({
      config,
      tokenizer: loadTokenizer(options.tokenizer),
      ...{ host: options.host, port: options.port, token },
      ...{ maxBodyBytes: options.maxBody * 1e6, maxPendingRows: options.maxPending },
      warmUpMs: WARM_UP_MS,
    });
    const guard = token === null ? "nobody is asked for a token" : `token in ${shownToken(from)}`;
    say(`Reward ${rewardIdentity(config)} at ${server.url}; ${guard}.`);
    await writeRow({ url: server.url, reward: rewardIdentity(config) });
    await untilStopped();
    say("Answering what has been asked, then ending.");
    await server.close();
  });

function configOf({ preset, guard = [], config }: Options): RewardConfig {
  if (config === undefined) return guardedConfig(preset, guard);
  if (guard.length > 0) throw new UsageError("--guard belongs to --preset; the file has its own");
  let file: { preset: RewardPreset; config: Partial<RewardConfig> };
  try {
    file = JSON.parse(readFileSync(config, "utf8"));
  } catch (error) {
    throw new UsageError(`--config ${config} cannot be read (${(error as Error).message})`);
  }
  return rewardConfig(file.preset, file.config);
}

const shownToken = (from: string): string => (from === TOKEN_VARIABLE ? from : shownPath(from));

/** Resolves at the first SIGINT or SIGTERM. */
function untilStopped(): Promise<void> {
  return interruptible(
    (signal) =>
      new Promise((resolve) => {
        signal.addEventListener("abort", () => resolve());
        process.once("SIGTERM", () => resolve());
      }),
  );
}
