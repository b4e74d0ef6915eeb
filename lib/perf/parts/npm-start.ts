/** `npm start` on a fresh clone, phase by phase. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fault } from "../../engine/errors";
import { projectRoot } from "../../paths";
import type { BenchPart } from "./part";

/** What `npm start` leaves in `runs/start.json`. */
interface Started {
  preset: string;
  phases: { phase: string; seconds: number }[];
}

export const npmStart: BenchPart = {
  name: "npm-start",
  title: "npm start on a fresh clone, by phase",
  about:
    "The last commit cloned into a temporary folder: every step of set-up (packages come from npm's cache or the registry), then " +
    "notebooks 1 to 5 on the preset. Once.",
  onlyByName: true,
  measure: async ({ onProgress }) => {
    const folder = mkdtempSync(join(tmpdir(), "srpo-start-"));
    try {
      const cloned = spawnSync("git", ["clone", "--quiet", projectRoot, folder], {
        encoding: "utf8",
      });
      if (cloned.status !== 0) {
        throw fault("bench", "the checkout cannot be cloned", { got: cloned.stderr.trim() });
      }
      onProgress("npm start in a fresh clone");
      await npmStartIn(folder);
      const told = JSON.parse(readFileSync(join(folder, "runs/start.json"), "utf8")) as Started;
      const total = told.phases.reduce((sum, { seconds }) => sum + seconds, 0);
      const phases = [...told.phases, { phase: "all", seconds: total }];
      const drawn = told.phases.filter(({ seconds }) => seconds >= 0.1);
      return {
        rows: phases.map(({ phase, seconds }) => ({ phase, s: seconds })),
        figures: [
          {
            title: "npm start by phase",
            subtitle: `fresh clone, preset ${told.preset}, once`,
            x: { title: "phase" },
            y: { title: "seconds", min: 0 },
            bars: {
              groups: drawn.map(({ phase }) => phase.replace(/ .*|\.ipynb$/, "")),
              series: [{ name: "npm start", values: drawn.map(({ seconds }) => seconds) }],
            },
          },
        ],
        findings: [],
      };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/** Its words go to standard error, where the bench's own go. */
function npmStartIn(cwd: string): Promise<void> {
  // The clone's own runs and base policy, whatever this process was told.
  const { SRPO_RUNS: _runs, SRPO_BASE: _base, ...env } = process.env;
  return new Promise((done, failed) => {
    const child = spawn("npm", ["start"], { cwd, env, stdio: ["ignore", 2, 2] });
    child.on("error", failed);
    child.on("close", (status) =>
      status === 0
        ? done()
        : failed(fault("bench", "npm start failed", { got: `status ${status}` })),
    );
  });
}
