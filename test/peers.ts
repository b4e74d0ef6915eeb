/** Other people's packages that are too large for every machine: a test that needs one runs where its environment is. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../lib/paths";

/**
 * The Python of a peer's environment, below `.cache/peers` or the folder that SRPO_TEST_PEERS names; skips the suite or test, and
 * says how the environment is made, where there is none.
 * @param script makes it: `python3 <script> setup .cache/peers/<name>`
 */
export function needPeer(context: Mocha.Context, name: string, script: string): string {
  const folder = process.env.SRPO_TEST_PEERS ?? join(projectRoot, ".cache/peers");
  const python = join(folder, name, "bin/python");
  if (existsSync(python)) return python;
  console.log(`      skipped: no ${name} here; python3 ${script} setup .cache/peers/${name}`);
  return context.skip();
}
