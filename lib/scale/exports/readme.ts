/** The README of an export: what to do, in which order, and what the target does otherwise. */
import type { ExportManifest } from "./export";
import type { ExportPlan, ExportTarget } from "./target";

export function exportReadme(
  target: ExportTarget,
  manifest: ExportManifest,
  plan: ExportPlan,
): string {
  const { rows, version, differences, spec } = manifest;
  const { cluster } = spec;
  const gpus = `${cluster.nodes * cluster.gpusPerNode} GPUs on ${cluster.nodes} node${cluster.nodes > 1 ? "s" : ""}`;
  const title =
    target.trains === "sft" ? "Stage I, reflection SFT" : "Stage II, GRPO with reflection rewards";
  const sizes =
    target.trains === "sft"
      ? `${rows.train} samples`
      : `${rows.train} problems to train on, ${rows.test} to test on`;
  const reward =
    target.trains === "sft"
      ? []
      : [
          "1. Serve the reward, on a machine that all nodes reach. `reward.json` says what is paid; the tokenizer must be the trained policy's, because the length reward counts its tokens.",
          "",
          "   ```",
          `   npx srpo serve-reward --config reward.json --tokenizer FOLDER_OF_${cluster.model.split("/").at(-1)?.replace(/\W/g, "_")} --host ADDRESS`,
          "   ```",
          "",
          `2. In the environment of every node (before \`ray start\`, where Ray is used) set \`SRPO_REWARD_URL\` (unset: ${plan.rewardUrl}) and \`SRPO_REWARD_TOKEN\`. TLS is for a proxy in front of the server.`,
        ];
  const step = reward.length === 0 ? "1" : "3";
  return [
    `# ${title}: ${cluster.model} with ${target.title}`,
    "",
    `Preset \`${spec.preset}\`, ${sizes}, for ${target.program} ${version} and ${gpus}. Made by \`srpo export ${target.name}\`; \`export.json\` holds the whole spec.`,
    "",
    ...reward,
    ...(reward.length === 0 ? [] : [""]),
    `${step}. \`./launch.sh\`. What is appended goes to the program, e.g. another output folder. The folder must be at the same address on all nodes.`,
    "",
    "`npx srpo preflight FOLDER` looks for what would waste the GPUs' time first.",
    "",
    ...(target.trains === "rl" && target.name !== "openrlhf"
      ? [
          "`srpo_reward.py` only forwards to the server. Where the server gives no reward it raises, and training stops.",
          "Responses come without their special tokens, so that nobody can say whether the token limit cut one off: what is complete all the same is paid as complete.",
          "",
        ]
      : []),
    `## What ${target.title} does otherwise than the lab`,
    "",
    ...differences.map((line) => `- ${line}`),
    "- Precision and numerics are the program's: bf16, its own kernels and its own sampling.",
    "",
  ].join("\n");
}
