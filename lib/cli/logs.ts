/** `srpo logs`: what a job on a Ray cluster printed. */
import { once } from "node:events";
import { interruptible } from "../engine/interrupt";
import { isOver } from "../scale/ray/client";
import { say, Unsuccessful } from "./io";
import { openRay, rayCommand, type RayCommandOptions } from "./ray";

export const command = rayCommand("logs")
  .description("Prints what a job has printed.")
  .argument("<id>", "as srpo submit or srpo jobs said")
  .option("--follow", "go on until the job is over; status 1 where it failed")
  .addHelpText("after", "\nExample:\n  npx srpo logs raysubmit_abc --follow")
  .action(async (id: string, options: RayCommandOptions & { follow?: true }) => {
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
    if (isOver(job) && job.status !== "SUCCEEDED")
      throw new Unsuccessful(`The job ${job.status.toLowerCase()}.`);
  });
