/** Python environments that only some machines have; `make_environments.sh` makes them. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { projectRoot } from "../../lib/paths";

/** A program of an environment, e.g. `python`; `undefined` where the environment is not there. */
export function environmentProgram(name: "export" | "ray", program: string): string | undefined {
  const folder = resolve(projectRoot, process.env.SRPO_ENVS ?? ".cache/envs");
  const path = join(folder, name, "bin", program);
  return existsSync(path) ? path : undefined;
}
