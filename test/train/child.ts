/** Trainings in processes of their own (see `training.ts`), on one thread, and what they leave. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { readJsonl } from "../../lib/engine/files";

const TRAINING = join(__dirname, "training.js");

export interface Ended {
  status: number | null;
  signal: NodeJS.Signals | null;
  stderr: string;
  /** The run's. */
  folder: string;
}

/** Trains below `root`, which holds no other run. */
export function trainInChild(
  kind: string,
  policy: string,
  root: string,
  how: readonly string[] = [],
): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [TRAINING, kind, policy, root, ...how], {
    env: { ...process.env, SRPO_THREADS: "1" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status, signal) => {
      const [name = ""] = existsSync(root) ? readdirSync(root) : [];
      resolve({ status, signal, stderr, folder: join(root, name) });
    });
  });
  return { child, ended };
}

type Row = { step: number } & Record<string, unknown>;

/** A run's rows without what a clock wrote. */
export function rowsOf(run: string, name: string): Row[] {
  return readJsonl<Row>(join(run, name)).map((row) => {
    const timeless = Object.entries(row).filter(([key]) => !/elapsed|_time$/.test(key));
    return Object.fromEntries(timeless) as Row;
  });
}
