/** Programs whose last line of output is JSON. */
import { spawn } from "node:child_process";
import { fault } from "../engine/errors";

/**
 * Runs a program to its end.
 * @param where who asks, for the error
 * @throws LabError with the last lines of its standard error when it fails or says nothing
 */
export function runForJson(
  where: string,
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<unknown> {
  return new Promise((done, failed) => {
    const child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk) => (out += chunk));
    child.stderr.on("data", (chunk) => (err = (err + chunk).slice(-4000)));
    child.on("error", failed);
    child.on("close", (status) => {
      const last = out.trim().split("\n").at(-1) ?? "";
      if (status === 0 && last.startsWith("{")) return done(JSON.parse(last));
      failed(
        fault(where, `${[command, ...args].join(" ")} failed`, {
          got: err.trim().split("\n").slice(-3).join(" "),
        }),
      );
    });
  });
}
