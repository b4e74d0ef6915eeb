/** `srpo stop`: ends a job on a Ray cluster. */
import { Unsuccessful, writeRow } from "./io";
import { openRay, rayCommand, type RayCommandOptions } from "./ray";

export const command = rayCommand("stop")
  .description("Stops a job.")
  .argument("<id>", "as srpo submit or srpo jobs said")
  .addHelpText("after", "\nExample:\n  npx srpo stop raysubmit_abc")
  .action(async (id: string, options: RayCommandOptions) => {
    const stopped = await openRay(options).stop(id);
    await writeRow({ id, stopped });
    if (!stopped) throw new Unsuccessful("There was nothing to stop: the job is over.");
  });
