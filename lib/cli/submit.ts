/** `srpo submit`: an export as a job on a Ray cluster. */
import { readManifest } from "../scale/exports/export";
import { say, UsageError, writeRow } from "./io";
import { openRay, rayCommand, type RayCommandOptions } from "./ray";

interface Options extends RayCommandOptions {
  env: string[];
  entrypoint: string;
  id?: string;
}

export const command = rayCommand("submit")
  .description("Uploads an export to a Ray cluster and starts it there.")
  .argument("<export>", "a folder that srpo export wrote")
  .option(
    "--env <names...>",
    "environment variables to take along; whoever sees the dashboard can read them",
    [],
  )
  .option("--entrypoint <command>", "what runs in the folder", "bash launch.sh")
  .option("--id <name>", "of the job (default: Ray's choice)")
  .addHelpText(
    "after",
    "\nExample:\n  npx srpo submit exports/verl --ray http://127.0.0.1:8265 --env SRPO_REWARD_URL SRPO_REWARD_TOKEN",
  )
  .action(async (folder: string, options: Options) => {
    const { target, spec, reward } = readManifest(folder);
    const client = openRay(options);
    const id = await client.submit({
      entrypoint: options.entrypoint,
      folder,
      environment: Object.fromEntries(options.env.map((name) => [name, variable(name)])),
      metadata: { target, preset: spec.preset, reward },
      submissionId: options.id,
    });
    say(`Submitted. npx srpo logs ${id} --follow, npx srpo stop ${id}`);
    await writeRow({ id, ray: client.address, target });
  });

function variable(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new UsageError(`--env ${name}: it is not set here`);
  return value;
}
