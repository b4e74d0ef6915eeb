/**
 * The lab beside TRL, on the same machine, the same work and the same number of threads. Both run in processes of their own,
 * in turn, so that whatever else the machine does meets both.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fault } from "../engine/errors";
import { basePolicyFolder, projectRoot } from "../paths";
import { buildMessages } from "../reflection/prompts";
import { runForJson } from "./child";
import { pictureProblems, type GrpoSpeed, type StepWork } from "./grpo";
import { median } from "./spread";

/** What TRL is measured with; torch is whatever PyPI's newest release of it wants. */
export const PEER_PACKAGES = ["trl==1.16.0", "transformers==5.23.0", "datasets", "accelerate"];
const PICTURE_PACKAGES = ["torchvision", "pillow"];

export type PeerWork = "text" | "pictures";

/** One work on one number of threads: medians over the rounds. */
export interface PeerComparison {
  work: PeerWork;
  threads: number;
  lab_s_per_step: number;
  trl_s_per_step: number;
  /** TRL's time over the lab's, of medians, and of each round. */
  ratio: number;
  ratios: number[];
  lab_tokens_per_step: number;
  trl_tokens_per_step: number;
  versions: Record<string, string>;
}

type PeerSpeed = Pick<GrpoSpeed, "s_per_step" | "tokens_per_step"> & {
  versions: Record<string, string>;
};

/** 128 rollouts of 96 tokens after prompts of 32; and the lab's own problems, in groups of 8. */
const WORKS: Readonly<Record<PeerWork, StepWork>> = {
  text: { prompts: 16, group: 8, newTokens: 96, steps: 6 },
  pictures: { prompts: 16, group: 8, newTokens: 144, steps: 6 },
};

/**
 * Measures every work on every number of threads.
 * @param onProgress hears what is being measured
 * @throws LabError when TRL cannot be had, or either side fails
 */
export async function comparePeers({
  works,
  threads,
  rounds,
  onProgress,
}: {
  works: readonly PeerWork[];
  threads: readonly number[];
  rounds: number;
  onProgress: (text: string) => void;
}): Promise<PeerComparison[]> {
  const python = peerPython(onProgress);
  const folder = mkdtempSync(join(tmpdir(), "srpo-peers-"));
  const results: PeerComparison[] = [];
  try {
    for (const work of works) {
      const file = work === "pictures" ? await writePictureWork(folder) : undefined;
      for (const count of threads) {
        const pairs: { lab: GrpoSpeed; trl: PeerSpeed }[] = [];
        for (let round = 0; round < rounds; round++) {
          onProgress(`${work}, ${count} thread(s), round ${round + 1} of ${rounds}`);
          const lab = (await runForJson(
            "comparePeers",
            process.execPath,
            labArguments(work, count),
          )) as GrpoSpeed;
          const trl = (await runForJson("comparePeers", python, trlArguments(work, count, file), {
            OMP_NUM_THREADS: String(count),
          })) as PeerSpeed;
          pairs.push({ lab, trl });
        }
        results.push(summary(work, count, pairs));
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return results;
}

function summary(
  work: PeerWork,
  threads: number,
  pairs: readonly { lab: GrpoSpeed; trl: PeerSpeed }[],
): PeerComparison {
  const of = (pick: (pair: (typeof pairs)[number]) => number): number => median(pairs.map(pick));
  const lab = of((pair) => pair.lab.s_per_step);
  const trl = of((pair) => pair.trl.s_per_step);
  return {
    work,
    threads,
    lab_s_per_step: lab,
    trl_s_per_step: trl,
    ratio: trl / lab,
    ratios: pairs.map((pair) => pair.trl.s_per_step / pair.lab.s_per_step),
    lab_tokens_per_step: of((pair) => pair.lab.tokens_per_step),
    trl_tokens_per_step: of((pair) => pair.trl.tokens_per_step),
    versions: pairs[0].trl.versions,
  };
}

function flags({ prompts, group, newTokens, steps }: StepWork): string[] {
  const values = { prompts, group, "new-tokens": newTokens, steps };
  return Object.entries(values).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

function labArguments(work: PeerWork, threads: number): string[] {
  const pictures = work === "pictures" ? ["--pictures"] : [];
  const cli = join(projectRoot, "dist/lib/cli.js");
  return [cli, "perf", "grpo", ...flags(WORKS[work]), "--threads", String(threads), ...pictures];
}

function trlArguments(work: PeerWork, threads: number, file: string | undefined): string[] {
  const step = WORKS[work];
  // Its two steps of warming up are among its steps.
  const own = flags({ ...step, steps: step.steps + 2 });
  const script = join(projectRoot, "lib/perf/peers/trl_grpo.py");
  const given = file === undefined ? [] : ["--work", file];
  return [script, ...own, "--threads", String(threads), ...given];
}

/** The lab's problems as TRL's script reads them. */
async function writePictureWork(folder: string): Promise<string> {
  const problems = await pictureProblems(WORKS.pictures);
  const file = join(folder, "work.json");
  const rows = problems.map((problem) => ({
    messages: buildMessages(problem, "direct"),
    images: problem.images.map((image) => resolve(image)),
  }));
  writeFileSync(file, JSON.stringify({ checkpoint: basePolicyFolder, problems: rows }));
  return file;
}

/** A Python with TRL: the one that `SRPO_TRL_PYTHON` names, or an environment of its own, made once in `.cache`. */
function peerPython(onProgress: (text: string) => void): string {
  const { SRPO_TRL_PYTHON: named } = process.env;
  if (named !== undefined && named !== "") return named;
  const folder = join(projectRoot, ".cache/peers/trl");
  const python = join(folder, "bin/python");
  const found = spawnSync(python, ["-c", "import trl, torchvision"], { stdio: "ignore" });
  if (existsSync(python) && found.status === 0) return python;
  onProgress("installing TRL and torch into .cache/peers/trl (gigabytes, some minutes)");
  mkdirSync(folder, { recursive: true });
  for (const [command, ...args] of [
    [join(projectRoot, ".venv/bin/python"), "-m", "venv", folder],
    [python, "-m", "pip", "install", "--quiet", ...PEER_PACKAGES, ...PICTURE_PACKAGES],
  ]) {
    const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
    if (status === 0) continue;
    throw fault("comparePeers", "TRL cannot be installed", {
      got: (stderr ?? "").split("\n").slice(-4).join(" ").trim(),
      try: "npm run setup first; or SRPO_TRL_PYTHON, a Python that has trl, torch and torchvision",
    });
  }
  return python;
}
