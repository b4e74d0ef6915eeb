/** `srpo preflight`: an export and its checkpoint looked over before GPUs are paid for. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { Command } from "commander";
import { readManifest } from "../scale/exports/export";
import { renderFindings } from "../scale/preflight/finding";
import { preflight, type PreflightOptions } from "../scale/preflight/preflight";
import { createRayClient } from "../scale/ray/client";
import { clusterVersions, readVersions, versionsCommand } from "../scale/ray/versions";
import { say, Unsuccessful, UsageError, writeRow } from "./io";

interface Options {
  checkpoint?: string;
  rewardUrl?: string;
  ray?: string;
  python?: string;
}

export const command = new Command("preflight")
  .description(
    "Looks an export over: token counts, rows too long, divisibility, memory and hours, template, reward, versions.",
  )
  .argument("<export>", "a folder that srpo export wrote")
  .option(
    "--checkpoint <dir>",
    "tokenizer, preprocessor_config.json and config.json of the policy (default: the spec's cluster.model, where that is a folder)",
  )
  .option("--reward-url <url>", "ask this reward server, with the token in SRPO_REWARD_TOKEN")
  .option("--ray <url>", "ask this cluster for its versions, with the token in RAY_AUTH_TOKEN")
  .option("--python <file>", "ask this Python for its versions")
  .addHelpText(
    "after",
    `
One JSON line a finding {name, status, detail, numbers?, fix?}; status is ok, warning, fail or skipped. Exit status 1 where
something failed.

Example:
  npx srpo preflight exports/verl --checkpoint Qwen2.5-VL-7B-Instruct --reward-url http://127.0.0.1:8977`,
  )
  .action(async (folder: string, { checkpoint, rewardUrl, ray, python }: Options) => {
    const { model } = readManifest(folder).spec.cluster;
    const dir = checkpoint ?? (existsSync(model) ? model : undefined);
    if (dir === undefined)
      throw new UsageError(`--checkpoint is wanted: ${model} is no folder here`);
    const findings = await preflight({
      folder,
      checkpoint: dir,
      rewardUrl,
      versions: asker(ray, python),
    });
    for (const finding of findings) await writeRow(finding);
    say(renderFindings(findings));
    const failed = findings.filter(({ status }) => status === "fail").length;
    if (failed > 0) throw new Unsuccessful(`${failed} of ${findings.length} checks failed.`);
  });

function asker(ray?: string, python?: string): PreflightOptions["versions"] {
  if (ray !== undefined) return () => clusterVersions(createRayClient({ address: ray }));
  if (python === undefined) return undefined;
  return async () => readVersions((await promisify(execFile)(python, [...versionsCommand])).stdout);
}
