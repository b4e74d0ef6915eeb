/** `srpo jobs`: the jobs of a Ray cluster. */
import { writeRow } from "./io";
import { openRay, rayCommand, type RayCommandOptions } from "./ray";

export const command = rayCommand("jobs")
  .description("Lists the jobs of a cluster, newest first, one JSON line each.")
  .addHelpText("after", "\nExample:\n  npx srpo jobs --ray http://127.0.0.1:8265")
  .action(async (options: RayCommandOptions) => {
    const jobs = await openRay(options).jobs();
    jobs.sort((a, b) => (b.start_time ?? 0) - (a.start_time ?? 0));
    for (const { submission_id: id, status, entrypoint, start_time, end_time, metadata } of jobs) {
      await writeRow({ id, status, entrypoint, start_time, end_time, metadata });
    }
  });
