/** What the kernel tests share: this clone's Jupyter, and a conversation with a kernel through its own client. */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

export const root = join(__dirname, "../../..");
export const python = join(root, ".venv", "bin", "python");

/** Skips a suite, saying why, where set-up had to go without Python. */
export function needJupyter(context: Mocha.Context): void {
  if (existsSync(python)) return;
  console.log("      skipped: there is no .venv, so there is no Jupyter to talk to the kernel");
  context.skip();
}

/** The environment in which Jupyter finds this clone's kernel. */
export function jupyterEnv(): NodeJS.ProcessEnv {
  // A plain script, which runs before TypeScript is built and so cannot be TypeScript.
  const script = require(join(root, "kernels", "jupyter.mjs")) as {
    jupyterEnv(env?: NodeJS.ProcessEnv): NodeJS.ProcessEnv;
  };
  return script.jupyterEnv();
}

/** How a cell ended and what it printed. */
export interface Answer {
  status: string;
  stdout: string;
  stderr: string;
  seconds: number;
}

/** A running kernel. */
export interface Session {
  pid: number;
  /** Runs a cell to its end; `interruptAfter` sends Interrupt so many seconds after its first output. */
  run(code: string, options?: { interruptAfter?: number }): Promise<Answer>;
  /** Shuts the kernel down. */
  close(): Promise<void>;
  /** Kills the client, as a crashed Jupyter server would be, without a word to the kernel. */
  kill(): void;
}

/** Starts the kernel `tslab` from a folder below the root, as JupyterLab does. */
export async function openSession(): Promise<Session> {
  const client = spawn(python, [join(root, "test", "kernels", "client.py")], {
    cwd: join(root, "test"),
    env: jupyterEnv(),
  });
  const lines = answersOf(client);
  const { pid } = (await lines.next()) as { pid: number };
  return {
    pid,
    async run(code, { interruptAfter } = {}) {
      client.stdin.write(JSON.stringify({ code, interrupt_after: interruptAfter ?? null }) + "\n");
      return (await lines.next()) as Answer;
    },
    async close() {
      client.stdin.end();
      await new Promise((resolve) => client.once("close", resolve));
    },
    kill() {
      client.kill("SIGKILL");
    },
  };
}

function answersOf(client: ChildProcessWithoutNullStreams): { next(): Promise<unknown> } {
  let complaint = "";
  client.stderr.on("data", (chunk) => (complaint += String(chunk)));
  const lines = createInterface({ input: client.stdout })[Symbol.asyncIterator]();
  return {
    async next() {
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`the Jupyter client ended: ${complaint.slice(-2000)}`);
      return JSON.parse(value) as unknown;
    },
  };
}
