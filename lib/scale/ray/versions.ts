/** Versions of the Python packages on a cluster, asked by a job that prints them. */
import { fault } from "../../engine/errors";
import { isOver, type RayClient } from "./client";

const PROGRAM = `
import json, sys
from importlib.metadata import distributions
print("SRPO" + json.dumps({d.metadata["Name"].lower(): d.version for d in distributions() if d.metadata["Name"]} | {"python": sys.version.split()[0]}))
`;

/** The command that prints versions, for a Python that is not on a cluster. */
export const versionsCommand = ["-c", PROGRAM] as const;

/** Takes the versions out of what {@link versionsCommand} printed. @throws LabError when there are none */
export function readVersions(printed: string): Readonly<Record<string, string>> {
  const line = printed.split("\n").find((text) => text.startsWith("SRPO"));
  if (line === undefined)
    throw fault("readVersions", "no versions were printed", { got: printed.slice(-200) });
  return JSON.parse(line.slice(4));
}

/** @throws LabError when the job fails */
export async function clusterVersions(
  client: RayClient,
): Promise<Readonly<Record<string, string>>> {
  const id = await client.submit({
    entrypoint: `python3 -c '${PROGRAM}'`,
    metadata: { purpose: "srpo preflight" },
  });
  let printed = "";
  for await (const text of client.follow(id, { everyMs: 500 })) printed += text;
  const job = await client.job(id);
  if (!isOver(job) || job.status !== "SUCCEEDED") {
    throw fault("clusterVersions", `the job that asks for versions ${job.status.toLowerCase()}`, {
      got: job.message ?? printed.slice(-200),
    });
  }
  return readVersions(printed);
}
