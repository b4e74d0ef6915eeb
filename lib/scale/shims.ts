/** The Python that a trainer calls for a reward: the client of the reward server and the target's own signature, in one file. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../paths";

export type ShimTarget = "verl" | "easyr1" | "trl";

/** The name under which every export holds its shim. */
export const SHIM_FILE = "srpo_reward.py";

/**
 * @param options.reward identity of the reward that the server must serve
 * @param options.url where the server is unless the environment says otherwise
 */
export function pythonShim(
  target: ShimTarget,
  { reward, url }: { reward: string; url?: string },
): string {
  const read = (name: string): string =>
    readFileSync(join(projectRoot, "lib/scale/shims", `${name}.py`), "utf8");
  const client = read("client").replace("REWARD = None", `REWARD = ${JSON.stringify(reward)}`);
  return (
    (url === undefined ? client : client.replace(/^URL = .*$/m, `URL = ${JSON.stringify(url)}`)) +
    read(target)
  );
}
