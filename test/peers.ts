/**
 * Other people's programs that are too large for every machine: a test that needs one runs where its environment is, and says
 * how it is made where it is not. `npm test` says how many there were.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { projectRoot } from "../lib/paths";

/** What makes each environment. */
const MADE_BY = {
  export: "bash test/scale/make_environments.sh export",
  ray: "bash test/scale/make_environments.sh ray",
  verl: "bash test/scale/make_environments.sh verl",
  trl: "bash test/scale/make_environments.sh trl",
  llamafactory: "python3 test/stages/load_with_llamafactory.py setup .cache/peers/llamafactory",
  "llama-cpp": "python3 test/rollout/openai/llama_server.py setup .cache/peers/llama-cpp",
} as const;

export type PeerName = keyof typeof MADE_BY;

/** Where environments are: each folder of SRPO_TEST_PEERS, separated by colons; `.cache/peers` unless set. */
const folders = (process.env.SRPO_TEST_PEERS ?? ".cache/peers")
  .split(":")
  .map((folder) => resolve(projectRoot, folder));

/** A program of an environment; `undefined` where the environment is not there. */
export function peerProgram(name: PeerName, program = "python"): string | undefined {
  return folders
    .map((folder) => join(folder, name, "bin", program))
    .find((path) => existsSync(path));
}

/** As {@link peerProgram}; skips the suite or test, and says how the environment is made, where there is none. */
export function needPeer(context: Mocha.Context, name: PeerName, program = "python"): string {
  const path = peerProgram(name, program);
  if (path !== undefined) return path;
  console.log(`      skipped: no ${name} here; ${MADE_BY[name]}`);
  return context.skip();
}

// The reporter says in the end how many of the environments there were.
const names = Object.keys(MADE_BY) as PeerName[];
process.env.SRPO_TEST_PEERS_FOUND = JSON.stringify({
  found: names.filter((name) => peerProgram(name) !== undefined),
  missing: names.filter((name) => peerProgram(name) === undefined),
});
