/** What would waste the GPUs' time, looked at before they are paid for: of an export and the checkpoint that it trains. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LabError } from "../../engine/errors";
import { loadTokenizer } from "../../policy/tokenizer";
import { rewardConfig } from "../../reflection/reward-config";
import {
  readExport,
  readManifest,
  type ExportedProblem,
  type ExportManifest,
} from "../exports/export";
import { exportTarget } from "../exports/index";
import { rewardIdentity } from "../reward-server/server";
import { checkResources } from "./estimate";
import type { Finding } from "./finding";
import { checkPrompts, checkTemplate } from "./prompts";
import { checkReward } from "./reward-check";

export interface PreflightOptions {
  /** The export. */
  folder: string;
  /** Folder with the checkpoint's tokenizer, preprocessor_config.json and config.json; its weights are not needed. */
  checkpoint: string;
  rewardUrl?: string;
  /** Versions of Python packages where the training will run. */
  versions?: () => Promise<Readonly<Record<string, string>>>;
}

/** @throws LabError when the folder is no export or the checkpoint's tokenizer cannot be read */
export async function preflight(options: PreflightOptions): Promise<Finding[]> {
  const { folder, checkpoint, rewardUrl } = options;
  const manifest = readManifest(folder);
  const tokenizer = loadTokenizer(checkpoint);
  const pictures = mkdtempSync(join(tmpdir(), "srpo-preflight-"));
  try {
    const read = await readRows(folder, pictures);
    if ("finding" in read) return [read.finding];
    const { rows } = read;
    const sft = exportTarget(manifest.target).trains === "sft";
    const findings: Finding[] = [
      { name: "rows", status: "ok", detail: `${rows.length} read back, each as it was exported` },
      ...(await checkPrompts(rows, manifest, { folder: checkpoint, tokenizer })),
      ...checkTemplate(rows, { folder: checkpoint, tokenizer }),
      ...checkResources(manifest, checkpoint),
      ...(sft
        ? []
        : await rewardFindings(folder, rows, manifest, tokenizer.countTokens, rewardUrl)),
      await checkVersions(manifest, options.versions),
    ];
    // What is in order needs no mending.
    return findings.map(({ fix, ...finding }) =>
      finding.status === "ok" || fix === undefined ? finding : { ...finding, fix },
    );
  } finally {
    rmSync(pictures, { recursive: true, force: true });
  }
}

async function readRows(
  folder: string,
  pictures: string,
): Promise<{ rows: ExportedProblem[] } | { finding: Finding }> {
  const rows: ExportedProblem[] = [];
  try {
    for await (const row of readExport(folder, "train", { pictures })) rows.push(row);
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    const fix = "export the data again";
    return { finding: { name: "rows", status: "fail", detail: error.message, fix } };
  }
  if (rows.length > 0) return { rows };
  return {
    finding: { name: "rows", status: "fail", detail: "there are none", fix: "export again" },
  };
}

async function rewardFindings(
  folder: string,
  rows: readonly ExportedProblem[],
  { reward }: ExportManifest,
  countTokens: (text: string) => number,
  url?: string,
): Promise<Finding[]> {
  const { preset, config: changes } = JSON.parse(readFileSync(join(folder, "reward.json"), "utf8"));
  const config = rewardConfig(preset, changes);
  const identity = rewardIdentity(config);
  const name = "reward";
  const finding: Finding =
    identity === reward
      ? { name, status: "ok", detail: `${preset}, ${identity}` }
      : {
          ...{
            name,
            status: "fail",
            detail: `reward.json is ${identity}, the export was made for ${reward}`,
          },
          fix: "export again with the reward that you want",
        };
  return [finding, ...(await checkReward(rows, { config, identity, countTokens, url }))];
}

async function checkVersions(
  { target, program, version }: ExportManifest,
  ask: PreflightOptions["versions"],
): Promise<Finding> {
  const name = "versions";
  if (ask === undefined) {
    return {
      name,
      status: "skipped",
      detail: `${program} ${version} is wanted`,
      fix: "--ray URL, or --python FILE",
    };
  }
  let found: string | undefined;
  try {
    found = (await ask())[program];
  } catch (error) {
    return {
      name,
      status: "fail",
      detail: `cannot be asked (${(error as Error).message})`,
      fix: "the address and the token",
    };
  }
  const fix = `pip install ${program}==${version} there`;
  if (found === undefined)
    return { name, status: "fail", detail: `${program} is not installed there`, fix };
  const { alsoReads, version: written } = exportTarget(target);
  if (found === written || alsoReads.test(found))
    return { name, status: "ok", detail: `${program} ${found}` };
  return {
    name,
    status: "fail",
    detail: `${program} ${found} is there, the export is for ${version}`,
    fix,
  };
}
