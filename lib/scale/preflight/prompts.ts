/** How long the exported prompts are for the policy's own tokenizer and image processor, and what becomes of those too long. */
import { join } from "node:path";
import { existsSync, readFileSync } from "node:fs";
import { measureImage, loadImageProcessor } from "../../policy/image-processor";
import { encodePrompt, type Message, type Tokenizer } from "../../policy/tokenizer";
import { mergedTokens } from "../../policy/vision";
import { LabError } from "../../engine/errors";
import { questionText } from "../../reflection/prompts";
import type { ExportedProblem, ExportManifest } from "../exports/export";
import type { Finding } from "./finding";

/** One prompt, measured. */
export interface PromptLength {
  problem: string;
  tokens: number;
  imageTokens: number;
}

/** Targets that resize by the limits of the export; the others by those of the checkpoint. */
const SETS_PIXELS = new Set(["verl", "easyr1"]);

/** What the target does with a prompt that is too long. */
const TOO_LONG: Readonly<Record<string, { word: string; status: Finding["status"] }>> = {
  verl: { word: "left out", status: "warning" },
  easyr1: { word: "left out", status: "warning" },
  openrlhf: { word: "stop the run", status: "fail" },
  trl: { word: "stop the run", status: "fail" },
  llamafactory: { word: "cut", status: "fail" },
};

const IMAGE_TOKEN = "<|image_pad|>";

/**
 * Measures all rows.
 * @param folder of the checkpoint: tokenizer and preprocessor files
 */
export async function checkPrompts(
  rows: readonly ExportedProblem[],
  manifest: ExportManifest,
  { folder, tokenizer }: { folder: string; tokenizer: Tokenizer },
): Promise<Finding[]> {
  const { spec, target } = manifest;
  const { cluster } = spec;
  const processor = loadImageProcessor(folder).config;
  const sft = target === "llamafactory";
  const limits = sft
    ? { minPixels: processor.minPixels, maxPixels: cluster.sftMaxPixels }
    : { minPixels: cluster.minPixels, maxPixels: cluster.maxPixels };
  const config = sft || SETS_PIXELS.has(target) ? { ...processor, ...limits } : processor;
  const imageTokenId = tokenizer.idOf(IMAGE_TOKEN);
  const lengths: PromptLength[] = [];
  const broken: string[] = [];
  for (const row of rows) {
    const { problem } = row;
    try {
      const grids = await Promise.all(problem.images.map((path) => measureImage(path, config)));
      const ids = encodePrompt(tokenizer, messagesOf(row), grids, {
        imageTokenId,
        mergeSize: config.mergeSize,
        addGenerationPrompt: !sft,
      });
      const imageTokens = grids.reduce(
        (sum, grid) => sum + mergedTokens(grid, config.mergeSize),
        0,
      );
      lengths.push({ problem: problem.id, tokens: ids.length, imageTokens });
    } catch (error) {
      if (!(error instanceof LabError)) throw error;
      broken.push(`${problem.id}: ${error.message}`);
    }
  }
  return [
    lengthFinding(lengths, sft ? cluster.sftMaxTokens : cluster.maxPromptTokens, manifest),
    broken.length === 0
      ? {
          name: "pictures",
          status: "ok",
          detail: `${sum(rows.map((r) => r.problem.images.length))} measured`,
        }
      : {
          name: "pictures",
          status: "fail",
          detail: `${broken.length} rows cannot be made prompts of, e.g. ${broken[0]}`,
          fix: "srpo data read, which drops pictures that do not decode",
        },
    pixelFinding(target, processor, limits),
  ];
}

function messagesOf({ problem, system, reply }: ExportedProblem): Message[] {
  const pictures = problem.images.map(() => ({ type: "image" as const }));
  return [
    { role: "system", content: system },
    { role: "user", content: [...pictures, { type: "text", text: questionText(problem) }] },
    ...(reply === undefined ? [] : [{ role: "assistant" as const, content: reply }]),
  ];
}

const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);

function lengthFinding(
  lengths: readonly PromptLength[],
  limit: number,
  { target, rows, spec }: ExportManifest,
): Finding {
  const sorted = [...lengths].sort((a, b) => a.tokens - b.tokens);
  const tokens = sorted.map((row) => row.tokens);
  const at = (share: number): number => tokens[Math.round((tokens.length - 1) * share)] ?? 0;
  const images = sum(lengths.map(({ imageTokens }) => imageTokens)) / Math.max(1, lengths.length);
  const over = sorted.filter((row) => row.tokens > limit);
  const { word, status } = TOO_LONG[target];
  const numbers = {
    ...{ rows: lengths.length, median: at(0.5), p95: at(0.95), max: at(1), limit },
    ...{ image_tokens_mean: images, over: over.length },
  };
  const detail =
    `${target === "llamafactory" ? "examples" : "prompts"} of ${at(0.5)} tokens (median), 95 % within ${at(0.95)}, longest ${at(1)}; ` +
    `${images.toFixed(0)} for pictures on average; ${over.length} of ${lengths.length} over ${limit}` +
    (over.length === 0
      ? ""
      : ` are ${word}: ${over
          .slice(-3)
          .map((row) => row.problem)
          .join(", ")}`);
  const kept = rows.train - over.length;
  const tooFew = target !== "llamafactory" && kept < spec.grpo.prompts;
  return {
    ...{ name: "lengths", detail, numbers },
    status: over.length === 0 ? "ok" : tooFew ? "fail" : status,
    fix: "a larger cluster.maxPromptTokens (sftMaxTokens), smaller cluster.maxPixels (sftMaxPixels), or leave the rows out",
  };
}

function pixelFinding(
  target: string,
  processor: { minPixels: number; maxPixels: number },
  limits: { minPixels: number; maxPixels: number },
): Finding {
  const name = "pixel limits";
  const same = processor.minPixels === limits.minPixels && processor.maxPixels === limits.maxPixels;
  if (same || target === "llamafactory" || SETS_PIXELS.has(target)) {
    return { name, status: "ok", detail: `${limits.minPixels} to ${limits.maxPixels} pixels` };
  }
  return {
    name,
    status: "warning",
    detail: `the checkpoint has ${processor.minPixels} to ${processor.maxPixels} pixels, the spec ${limits.minPixels} to ${limits.maxPixels}; ${target} takes the checkpoint's`,
    fix: "write the spec's limits into the checkpoint's preprocessor_config.json",
  };
}

/** Chat template, generation prompt, and the tokens that end a response. */
export function checkTemplate(
  [row]: readonly ExportedProblem[],
  { folder, tokenizer }: { folder: string; tokenizer: Tokenizer },
): Finding[] {
  const name = "template";
  const fail = (detail: string, fix: string): Finding => ({ name, status: "fail", detail, fix });
  const prompt = tokenizer.applyChatTemplate(messagesOf({ ...row, reply: undefined }), {
    addGenerationPrompt: true,
  });
  const without = tokenizer.applyChatTemplate(messagesOf({ ...row, reply: undefined }));
  const opening = prompt.slice(without.length);
  const end = tokenizer.tokenOf(tokenizer.endId) ?? "";
  const closed = tokenizer.applyChatTemplate([
    ...messagesOf({ ...row, reply: undefined }),
    { role: "assistant", content: "x" },
  ]);
  const findings: Finding[] = [];
  if (!prompt.startsWith(without) || opening.trim() === "") {
    findings.push(
      fail("the chat template adds no generation prompt", "the instruction-tuned model's template"),
    );
  } else if (/<think>|<answer>/.test(opening)) {
    findings.push(
      fail(
        `the generation prompt ends with ${JSON.stringify(opening.slice(-20))}: the reward would miss the first tag`,
        "a template that does not begin the reply",
      ),
    );
  } else if (prompt.split(row.system).length !== 2) {
    findings.push(fail("the system prompt does not come through once", "another chat template"));
  } else if (!closed.trimEnd().endsWith(end)) {
    findings.push(
      fail(
        `a closed turn does not end with the end token ${end}`,
        "eos_token in tokenizer_config.json",
      ),
    );
  } else {
    findings.push({
      name,
      status: "ok",
      detail: `replies begin after ${JSON.stringify(opening)} and end with ${end}`,
    });
  }
  return [...findings, endFinding(folder, tokenizer)];
}

function endFinding(folder: string, { endId, padId, tokenOf }: Tokenizer): Finding {
  const name = "end of turn";
  const path = join(folder, "generation_config.json");
  const given = existsSync(path)
    ? (JSON.parse(readFileSync(path, "utf8")) as { eos_token_id?: number | number[] }).eos_token_id
    : undefined;
  const ends = given === undefined ? [] : [given].flat();
  const detail = `${tokenOf(endId)} (${endId}) ends a turn, ${tokenOf(padId)} (${padId}) fills`;
  if (ends.length > 0 && !ends.includes(endId)) {
    return {
      ...{
        name,
        status: "fail",
        detail: `${detail}; generation_config.json ends at ${ends.join(", ")}`,
      },
      fix: `eos_token_id of generation_config.json must hold ${endId}, or no response ends before the token limit`,
    };
  }
  return padId === endId
    ? {
        name,
        status: "warning",
        detail,
        fix: "where padding is masked by its id, the end of a turn is never learned",
      }
    : { name, status: "ok", detail };
}
