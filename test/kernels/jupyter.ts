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

/**
 * A notebook of code cells under one heading.
 * @param outputs of the cells, where they are saved
 */
export function notebookOf(sources: readonly string[], outputs: readonly object[][] = []): string {
  const cells = sources.map((source, at) => ({
    cell_type: "code",
    id: `cell-${at}`,
    source,
    metadata: {},
    outputs: outputs[at] ?? [],
    execution_count: outputs[at] === undefined ? null : at + 1,
  }));
  const heading = { cell_type: "markdown", id: "head", source: "# First light", metadata: {} };
  return JSON.stringify({
    cells: [heading, ...cells],
    metadata: { kernelspec: { name: "tslab", display_name: "TypeScript", language: "typescript" } },
    nbformat: 4,
    nbformat_minor: 5,
  });
}

/** An error as Jupyter's clients get it. */
export interface CellError {
  ename: string;
  evalue: string;
  traceback: string[];
}

/** How a cell ended and what it showed. */
export interface Answer {
  status: string;
  stdout: string;
  stderr: string;
  error: CellError | null;
  /** The MIME bundle of its last value. */
  result: Record<string, unknown> | null;
  /** `display_data`, `update_display_data` and `clear_output` in order. */
  displays: { type: string; data?: Record<string, unknown>; wait?: boolean }[];
  seconds: number;
  /** From the interrupt to the reply. */
  seconds_to_stop: number | null;
}

/** The text of a traceback without colours. */
export function plain(error: CellError | null): string {
  return (error?.traceback ?? []).join("\n").replace(/\u001b\[\d+m/g, "");
}

/** A running kernel. */
export interface Session {
  pid: number;
  /**
   * Runs a cell to its end; `interruptAfter` sends Interrupt so many seconds after its first output, `by` a signal unless
   * told; `answers` are what a person types.
   */
  run(
    code: string,
    options?: { interruptAfter?: number; by?: "signal" | "message"; answers?: string[] },
  ): Promise<Answer>;
  /** Sends cells without waiting between them; the status of each. */
  queue(codes: string[]): Promise<string[]>;
  /** The same with a request after the cells; which replies came, in order. */
  queueAnd(codes: string[], request: string): Promise<{ replies: string[] }>;
  /** Sends any other request and returns its reply. */
  request(
    type: string,
    content: object,
    channel?: "shell" | "control",
  ): Promise<{ type: string; content: Record<string, unknown> }>;
  /**
   * Sends a page's message, with binary buffers, and waits for so many messages on channels from the kernel. Of each it is told
   * whether it answers this message.
   */
  comm(
    type: string,
    content: object,
    wanted: number,
    buffers?: readonly (readonly number[])[],
  ): Promise<
    { type: string; content: Record<string, unknown>; buffers: number[][]; answers: boolean }[]
  >;
  /** Runs a cell and sends a page's message so many seconds after its first output. */
  runAndSay(code: string, after: number, type: string, content: object): Promise<Answer>;
  /** Shuts the kernel down. */
  close(): Promise<void>;
  /** Kills the client, as a crashed Jupyter server would be, without a word to the kernel. */
  kill(): void;
}

/** Starts the kernel `tslab` from a folder below the root, as JupyterLab does. */
export async function openSession(env: NodeJS.ProcessEnv = {}): Promise<Session> {
  const client = spawn(python, [join(root, "test", "kernels", "client.py")], {
    cwd: join(root, "test"),
    env: { ...jupyterEnv(), ...env },
  });
  const lines = answersOf(client);
  const { pid } = (await lines.next()) as { pid: number };
  const order = (order: object): Promise<unknown> => {
    client.stdin.write(JSON.stringify(order) + "\n");
    return lines.next();
  };
  return {
    pid,
    async run(code, { interruptAfter, ...options } = {}) {
      return (await order({ code, interrupt_after: interruptAfter ?? null, ...options })) as Answer;
    },
    queue: async (codes) => ((await order({ queue: codes })) as { statuses: string[] }).statuses,
    queueAnd: async (codes, request) =>
      (await order({ queue: codes, and: request })) as { replies: string[] },
    request: async (type, content, channel = "shell") =>
      (await order({ request: type, content, channel })) as Awaited<ReturnType<Session["request"]>>,
    comm: async (type, content, wanted, buffers = []) =>
      (await order({ comm: type, content, wanted, buffers })) as Awaited<
        ReturnType<Session["comm"]>
      >,
    runAndSay: async (code, after, type, content) =>
      (await order({ code, interrupt_after: after, by: type, content })) as Answer,
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
