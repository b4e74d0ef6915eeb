// JupyterLab on the notebooks.
//   npm run lab [-- --port N] [--preset smoke|small] [--notebooks FOLDER]
// The preset holds in every notebook; without it their `loadSpec()` takes LAB_PRESET, else `small`.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { jupyterEnv, needJupyter } from "./jupyter.mjs";
import { command, setup } from "./setup.mjs";
import { StepFailure, lastLines, readOptions, root, venvPython } from "./tools.mjs";

const HOST = "127.0.0.1";
const FIRST_PORT = 8888;

/** Whether nobody listens on the port. */
function isFree(port) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, HOST, () => probe.close(() => resolve(true)));
  });
}

/** The port asked for, or the first free one from 8888. @throws StepFailure */
async function choosePort(asked) {
  if (asked !== undefined) {
    const port = Number(asked);
    if (!Number.isInteger(port) || port < 1 || port > 65535) {
      throw new StepFailure(`--port ${asked} is not a port`, { fix: "give a number up to 65535" });
    }
    if (await isFree(port)) return port;
    throw new StepFailure(`port ${port} on ${HOST} is in use`, {
      fix: "end the program that uses it, give another --port, or leave --port out",
    });
  }
  for (let port = FIRST_PORT; port < FIRST_PORT + 100; port++) {
    if (await isFree(port)) return port;
    console.error(`  port ${port} is in use, trying ${port + 1}`);
  }
  throw new StepFailure(`no free port from ${FIRST_PORT} to ${FIRST_PORT + 99}`, {
    fix: "give one with --port",
  });
}

async function lab() {
  const values = readOptions(
    "npm run lab [-- --port N] [--preset smoke|small] [--notebooks FOLDER]",
    {
      port: { type: "string" },
      preset: { type: "string", default: process.env.LAB_PRESET },
      notebooks: { type: "string", default: join(root, "notebooks") },
    },
  );
  await setup({ quiet: true });
  needJupyter();
  const port = await choosePort(values.port);
  const token = randomBytes(24).toString("hex");
  const args = ["-m", "jupyterlab", "--no-browser", `--ServerApp.ip=${HOST}`];
  args.push(`--ServerApp.port=${port}`, "--ServerApp.port_retries=0");
  args.push(`--ServerApp.root_dir=${resolve(values.notebooks)}`);
  if (process.getuid?.() === 0) args.push("--allow-root");
  const server = spawn(venvPython, args, {
    cwd: root,
    // The token goes by the environment: arguments are visible to everybody on the machine.
    env: {
      ...jupyterEnv(),
      JUPYTER_TOKEN: token,
      ...(values.preset === undefined ? {} : { LAB_PRESET: values.preset }),
    },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own: Ctrl-C reaches us alone, and the server its question "Shut down? y/n" never asks.
    detached: true,
  });
  // Its log holds the token, so it is kept in memory and shown only where the server fails.
  let log = "";
  const keep = (chunk) => (log = (log + chunk).slice(-20_000));
  server.stdout.on("data", keep);
  server.stderr.on("data", keep);
  const ended = new Promise((resolve) => server.on("close", (code) => resolve(code ?? 1)));

  let stopping = false;
  const stop = () => {
    if (!stopping) console.error("\nStopping JupyterLab and its kernels …");
    stopping = true;
    server.kill("SIGTERM");
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stop);

  if (await answers(port, token, ended)) {
    console.log(`JupyterLab: http://${HOST}:${port}/lab?token=${token}`);
    console.error("Open the address in a browser. Ctrl-C here stops it.");
  }
  const code = await ended;
  if (stopping) return 0;
  throw new StepFailure(`JupyterLab ended by itself (status ${code})`, {
    output: lastLines(log.replaceAll(token, "…")),
    fix: "read its last lines above",
  });
}

/** Waits until the server answers; false when it ended before. */
async function answers(port, token, ended) {
  let gone = false;
  void ended.then(() => (gone = true));
  while (!gone) {
    try {
      const reply = await fetch(`http://${HOST}:${port}/api/status`, {
        headers: { Authorization: `token ${token}` },
      });
      if (reply.ok) return true;
    } catch {
      // Not up yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return false;
}

await command(lab);
