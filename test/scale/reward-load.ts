/**
 * How many rewards a second one core serves over loopback, one a request as OpenRLHF sends them, beside a Python server with
 * math-verify on the same rows. Prints a table.
 *
 *     taskset -c 1 node dist/test/scale/reward-load.js [--seconds 10] [--connections 64] [--core 0] [--python]
 *
 * The servers are pinned to `--core`; pin this process to another one. `--python` makes its environment in
 * `.cache/math-verify` on first use.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { Agent } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { projectRoot } from "../../lib/paths";
import { sampleRows } from "./rows";
import { freePort, openRlhfBody, postJson, serve } from "./server-process";

const TOKEN = "load";
const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    connections: { type: "string", default: "64" },
    core: { type: "string", default: "0" },
    python: { type: "boolean", default: false },
  },
});
const rows = sampleRows(1000);
const bodies = rows.map(openRlhfBody);
const pin = ["taskset", "-c", values.core];

interface Result {
  perSecond: number;
  p50: number;
  p99: number;
  max: number;
  failed: number;
  /** Rewards for a second of the server's own time, which does not depend on what else the machine does. */
  perCpuSecond: number;
  /** Whether the final answer was right, row by row; `undefined` where no answer came. */
  correct: (boolean | undefined)[];
}

/** Keeps `connections` requests under way for some seconds, after a second to warm up. */
async function load(port: number, pid: number): Promise<Result> {
  const agent = new Agent({ keepAlive: true, maxSockets: Number(values.connections) });
  const correct = new Array<boolean | undefined>(rows.length).fill(undefined);
  const latencies: number[] = [];
  let failed = 0;
  let next = 0;
  const start = performance.now() + 1000;
  const end = start + Number(values.seconds) * 1000;
  const cpuBefore = cpuSeconds(pid);
  const client = async (): Promise<void> => {
    while (performance.now() < end) {
      const at = next++ % rows.length;
      const began = performance.now();
      try {
        const reply = await postJson(
          { port, token: TOKEN, path: "/get_reward", agent },
          bodies[at],
        );
        if (reply.status === 200) correct[at] = JSON.parse(reply.body).scores[0] === 1;
        else failed++;
      } catch {
        failed++;
      }
      if (began >= start) latencies.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: Number(values.connections) }, client));
  agent.destroy();
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor((latencies.length - 1) * share)];
  const perSecond = latencies.length / Number(values.seconds);
  const perCpuSecond = (next - failed) / (cpuSeconds(pid) - cpuBefore);
  return { perSecond, p50: at(0.5), p99: at(0.99), max: at(1), failed, perCpuSecond, correct };
}

/** User and system time of a process. */
function cpuSeconds(pid: number): number {
  // The name, in brackets, may hold spaces; 100 ticks are a second on Linux.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function ours(): Promise<Result> {
  const server = await serve(TOKEN, { prefix: pin });
  try {
    return await load(server.port, server.child.pid as number);
  } finally {
    await server.stop();
  }
}

async function python(): Promise<Result> {
  const folder = join(projectRoot, ".cache/math-verify");
  const interpreter = join(folder, "bin/python");
  if (!existsSync(join(folder, "ready"))) {
    const packages = ["math-verify==0.9.0", "fastapi", "uvicorn[standard]"];
    for (const [command, ...args] of [
      ["python3", "-m", "venv", folder],
      [interpreter, "-m", "pip", "install", "-q", ...packages],
      ["touch", join(folder, "ready")],
    ]) {
      if (spawnSync(command, args, { stdio: "inherit" }).status !== 0) {
        throw new Error(`${command} failed`);
      }
    }
  }
  const port = await freePort();
  const script = join(projectRoot, "test/scale/math_verify_server.py");
  const child = spawn(pin[0], [...pin.slice(1), interpreter, script, String(port)], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  try {
    const agent = new Agent();
    for (let tries = 0; ; tries++) {
      const up = await postJson({ port, token: TOKEN, path: "/get_reward", agent }, bodies[0]).then(
        () => true,
        () => false,
      );
      if (up) break;
      if (tries > 300) throw new Error("the Python server does not answer");
      await sleep(200);
    }
    return await load(port, child.pid as number);
  } finally {
    child.kill();
  }
}

function line(name: string, { perSecond, p50, p99, max, failed, perCpuSecond }: Result): string {
  const ms = (value: number): string => value.toFixed(1);
  return `| ${name} | ${perSecond.toFixed(0)} | ${ms(p50)} | ${ms(p99)} | ${ms(max)} | ${failed} | ${perCpuSecond.toFixed(0)} |`;
}

async function main(): Promise<void> {
  const results: [string, Result][] = [["srpo serve-reward", await ours()]];
  if (values.python) results.push(["FastAPI, math-verify 0.9.0", await python()]);
  console.log(`${rows.length} rows, one a request, ${values.connections} connections, one core`);
  console.log("| server | rewards/s | p50 ms | p99 ms | max ms | failed | rewards/CPU second |");
  console.log("| --- | --- | --- | --- | --- | --- | --- |");
  for (const [name, result] of results) console.log(line(name, result));
  if (results.length === 2) {
    const [a, b] = results.map(([, { correct }]) => correct);
    const both = a.map((_value, i) => i).filter((i) => a[i] !== undefined && b[i] !== undefined);
    const same = both.filter((i) => a[i] === b[i]).length;
    console.log(`final answers judged alike: ${same} of ${both.length}`);
  }
}

void main();
