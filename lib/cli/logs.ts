/** `srpo logs`: what a job on a Ray cluster printed, and what it or a saved log says of the steps, as a run directory. */
import { once } from "node:events";
import { interruptible } from "../engine/interrupt";
import { stageViews, watch } from "../lab/watch";
import { readManifest } from "../scale/exports/export";
import { exportTarget } from "../scale/exports/index";
import { followJob, readLog, type RemoteRunOptions } from "../scale/logs/remote-run";
import { isOver, type JobStatus } from "../scale/ray/client";
import { say, Unsuccessful, UsageError, writeRow } from "./io";
import { openRay, rayCommand, type RayCommandOptions } from "./ray";

interface Options extends RayCommandOptions {
  follow?: true;
  metricsOf?: string;
  file?: string;
}

export const command = rayCommand("logs")
  .description("Prints what a job has printed, or keeps what it says of its steps as a run.")
  .argument("[id]", "as srpo submit or srpo jobs said")
  .option("--follow", "go on until the job is over; status 1 where it failed")
  .option(
    "--metrics-of <export>",
    "the export that the job trains on: its steps become a run directory (srpo runs), in place of its text",
  )
  .option("--file <log>", "in place of a job, a log or metrics file that its trainer wrote")
  .addHelpText(
    "after",
    `
Examples:
  npx srpo logs raysubmit_abc --follow
  npx srpo logs raysubmit_abc --follow --metrics-of exports/verl
  npx srpo logs --file output/metrics.jsonl --metrics-of exports/verl`,
  )
  .action(async (id: string | undefined, { metricsOf, file, ...options }: Options) => {
    if ((id === undefined) === (file === undefined)) {
      throw new UsageError("give a job's id, or --file");
    }
    if (file !== undefined) {
      if (metricsOf === undefined) throw new UsageError("--file wants --metrics-of");
      await writeRow(await readLog(file, remoteOptions(metricsOf)));
    } else if (id !== undefined) {
      await (metricsOf === undefined ? print(id, options) : keep(id, metricsOf, options));
    }
  });

async function print(id: string, options: Options): Promise<void> {
  const client = openRay(options);
  if (!options.follow) {
    process.stdout.write(await client.logs(id));
    return;
  }
  await interruptible(async (signal) => {
    for await (const text of client.follow(id, { signal })) {
      if (!process.stdout.write(text)) await once(process.stdout, "drain");
    }
  });
  const job = await client.job(id);
  say(`${job.status}${job.message ? `: ${job.message}` : ""}`);
  checkOutcome(job.status);
}

/** Reads the steps into a run directory, with a line of progress on stderr. */
async function keep(id: string, folder: string, options: Options): Promise<void> {
  const client = openRay(options);
  const run = await interruptible((signal) =>
    followJob(client, id, { ...remoteOptions(folder), signal, follow: options.follow === true }),
  );
  await writeRow(run);
  checkOutcome(run.status);
}

function remoteOptions(folder: string): RemoteRunOptions {
  const { trains, title } = exportTarget(readManifest(folder).target);
  return { folder, watch: watch(title, trains === "rl" ? stageViews.grpo : stageViews.sft) };
}

/** @throws Unsuccessful where the job is over and did not succeed */
function checkOutcome(status: JobStatus): void {
  if (isOver({ status }) && status !== "SUCCEEDED") {
    throw new Unsuccessful(`The job ${status.toLowerCase()}.`);
  }
}
