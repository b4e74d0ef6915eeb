/** What the commands for a Ray cluster share. */
import { Command } from "commander";
import { createRayClient, type RayClient } from "../scale/ray/client";

export interface RayCommandOptions {
  ray?: string;
}

export function rayCommand(name: string): Command {
  return new Command(name).option(
    "--ray <url>",
    "the cluster's dashboard (default: RAY_ADDRESS, else http://127.0.0.1:8265); its token is in RAY_AUTH_TOKEN",
  );
}

export const openRay = ({ ray }: RayCommandOptions): RayClient => createRayClient({ address: ray });
