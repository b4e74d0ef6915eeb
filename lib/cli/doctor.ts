/** `srpo doctor`: what the lab found on this machine and chose, and what to do about what is missing. */
import { Command } from "commander";
import { diagnose, isHealthy, renderDoctor } from "../engine/doctor";
import { projectRoot } from "../paths";
import { say, Unsuccessful, writeRow } from "./io";

export const command = new Command("doctor")
  .description("Explains engine, device and versions; fails when something needed is missing.")
  .addHelpText("after", "\nExample:\n  npx srpo doctor")
  .action(async () => {
    const checks = await diagnose({ root: projectRoot });
    say(renderDoctor(checks));
    // Somebody at a terminal has just read it all.
    if (process.stdout.isTTY !== true) for (const check of checks) await writeRow(check);
    if (!isHealthy(checks)) throw new Unsuccessful("Something that the lab needs is missing.");
  });
