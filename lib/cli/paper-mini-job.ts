/** `srpo paper-mini job`: one variant with one seed, in the process that `run` starts for it. */
import { Command } from "commander";
import { lockJob, readGrid, readJob, writeJob } from "../grid/folder";
import { runJob } from "../grid/job";
import { planJobs } from "../grid/plan";
import { stopWithParent } from "../grid/schedule";
import { basePolicy } from "../stages/context";
import { UsageError, writeRow } from "./io";
import { wholeNumber } from "./numbers";
import { watchStage } from "./stage";

export const jobCommand = new Command("job")
  .description("Does one variant with one seed of the experiment in a folder.")
  .argument("<folder>")
  .argument("<variant>")
  .argument("<seed>", "", wholeNumber(0))
  .action(async (folder: string, variant: string, seed: number) => {
    stopWithParent();
    const grid = readGrid(folder);
    const base = basePolicy(grid.base.folder);
    const request = { ...grid, variants: [variant], seeds: [seed] };
    const job = planJobs(request, base.hash).find((one) => one.variant.name === variant);
    if (job === undefined) throw new UsageError(`there is no variant ${variant}`);
    const unlock = await lockJob(folder, job);
    try {
      if (readJob(folder, job) !== undefined) return;
      const began = Date.now();
      const runs = await runJob(job, { base, watch: watchStage });
      const seconds = (Date.now() - began) / 1000;
      const finished = new Date().toISOString();
      writeJob(folder, job, { variant, seed, hash: job.hash, runs, seconds, finished });
      await writeRow({ job: job.id, seconds, runs });
    } finally {
      unlock();
    }
  });
