// Set-up, then the five notebooks from data construction to ablations, without a browser. Run again, it resumes: every
// stage is kept in runs/. The sixth, the way to a cluster, runs when it is asked for.
//   npm start [-- --preset smoke|small] [--in-place] [--only 6]
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { jupyterEnv, needJupyter } from "./jupyter.mjs";
import { command, setup } from "./setup.mjs";
import {
  Interrupted,
  StepFailure,
  duration,
  readJson,
  readOptions,
  root,
  venvPython,
} from "./tools.mjs";

const notebooks = join(root, "notebooks");

async function start() {
  const values = readOptions("npm start [-- --preset smoke|small] [--in-place] [--only 6]", {
    preset: { type: "string", default: process.env.LAB_PRESET ?? "small" },
    "in-place": { type: "boolean", default: false },
    only: { type: "string", default: "1-5" },
  });
  const { took: phases } = await setup({ quiet: true });
  needJupyter();
  const names = (existsSync(notebooks) ? readdirSync(notebooks) : [])
    .filter((name) => name.endsWith(".ipynb") && wanted(name[0], values.only))
    .sort();
  if (names.length === 0) {
    throw new StepFailure("there are no notebooks in notebooks/", {
      fix: "git checkout notebooks",
    });
  }
  const begun = Date.now();
  console.error(`Preset ${values.preset}: ${names.length} notebooks`);
  const outputs = [];
  for (const [index, name] of names.entries()) {
    const input = join(notebooks, name);
    const started = Date.now();
    const output = values["in-place"] ? input : join(root, "runs", "notebooks", name);
    await execute({
      label: `notebook ${index + 1}/${names.length}`,
      input,
      output,
      preset: values.preset,
    });
    outputs.push(relative(root, output));
    phases.push({ phase: name, seconds: (Date.now() - started) / 1000 });
  }
  // What `npm run bench -- npm-start` reads.
  writeFileSync(
    join(root, "runs", "start.json"),
    JSON.stringify({ preset: values.preset, phases }),
  );
  console.log(`\nAll ${names.length} notebooks ran in ${duration(Date.now() - begun)}.`);
  printResults(readJson(join(root, "runs", "results.json")));
  console.log(`Read them executed:   ${outputs.join("\n                      ")}`);
  console.log("Change one, run again: npm run lab");
  return 0;
}

/** @param only a notebook's number, or the first and the last of several */
function wanted(number, only) {
  const [first, last = first] = only.split("-");
  return first <= number && number <= last;
}

/** Runs one notebook through a Jupyter client; Ctrl-C stops the stage that trains and keeps what it has. */
function execute({ label, input, output, preset }) {
  return new Promise((resolve, reject) => {
    const runner = join(root, "kernels", "run_notebook.py");
    const child = spawn(venvPython, [runner, label, input, output], {
      cwd: root,
      env: { ...jupyterEnv(), LAB_PRESET: preset },
      stdio: ["ignore", "inherit", "inherit"],
      // A group of its own: a terminal's Ctrl-C comes to us (under npm even twice), and goes on exactly once.
      detached: true,
    });
    let last = 0;
    const interrupt = () => {
      if (Date.now() - last < 500) return;
      last = Date.now();
      child.kill("SIGINT");
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, interrupt);
    child.on("error", reject);
    child.on("close", (code) => {
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.off(signal, interrupt);
      if (code === 0) return resolve();
      if (code === 130) return reject(new Interrupted());
      reject(
        new StepFailure(`${relative(root, input)} failed`, {
          fix:
            `read the cell's error above (all of it: ${relative(root, output)}), or run the cell in \`npm run lab\`; ` +
            "`npm start` then repeats no stage that is finished",
        }),
      );
    });
  });
}

/** @param {{title: string, columns: string[], rows: unknown[][]} | undefined} results runs/results.json */
function printResults(results) {
  if (results === undefined) return;
  const rows = [results.columns, ...results.rows].map((row) => row.map(String));
  const widths = results.columns.map((_, at) => Math.max(...rows.map((row) => row[at].length)));
  const [head, ...body] = rows.map((row) =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at]) : cell.padStart(widths[at])))
      .join("  "),
  );
  console.log(`\n${results.title}\n${head}\n${"─".repeat(head.length)}\n${body.join("\n")}\n`);
}

await command(start);
