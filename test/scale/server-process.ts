/** `srpo serve-reward` in a process of its own, and requests to it, for measurements and soaks. */
import { spawn, type ChildProcess } from "node:child_process";
import { Agent, request } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { packGold } from "../../lib/scale/gold-label";
import type { SampleRow } from "./rows";

const CLI = join(__dirname, "../../lib/cli.js");

export const PROMPT =
  "<|im_start|>user\n<|image_pad|>What is it?<|im_end|>\n<|im_start|>assistant\n";

export interface Served {
  port: number;
  child: ChildProcess;
  /** Ends the process, the polite way. @returns its exit status */
  stop(): Promise<number | null>;
}

/** @param prefix a command that runs the command, such as `["taskset", "-c", "0"]` */
export async function serve(
  token: string,
  { prefix = [], args = [] }: { prefix?: readonly string[]; args?: readonly string[] } = {},
): Promise<Served> {
  const words = [...prefix, process.execPath, CLI, "serve-reward", "--port", "0", ...args];
  const child = spawn(words[0], words.slice(1), {
    env: { ...process.env, SRPO_REWARD_TOKEN: token },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const line = await Promise.race([
    new Promise<string>((resolve) => child.stdout.once("data", (text) => resolve(String(text)))),
    ended.then((status) => Promise.reject(new Error(`the server ended with ${status}`))),
  ]);
  const { url } = JSON.parse(line) as { url: string };
  return {
    port: Number(new URL(url).port),
    child,
    stop: () => {
      child.kill("SIGTERM");
      return ended;
    },
  };
}

/** The body of OpenRLHF's request for one response. */
export function openRlhfBody({ response, gold }: SampleRow): string {
  return JSON.stringify({
    query: [`${PROMPT}${response}<|im_end|>`],
    prompts: [PROMPT],
    labels: [packGold(gold)],
  });
}

export interface Reply {
  status: number;
  body: string;
}

/** One POST on a kept connection. */
export function postJson(
  { port, token, path, agent }: { port: number; token: string; path: string; agent: Agent },
  body: string,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const headers = {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      authorization: `Bearer ${token}`,
    };
    const sent = request(
      { host: "127.0.0.1", port, path, method: "POST", agent, headers },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
        });
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

/** A port that nobody has just now. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
