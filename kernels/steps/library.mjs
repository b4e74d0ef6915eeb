// The library built by tsc, and the Jupyter kernel that serves it to notebooks.
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join, relative } from "node:path";
import {
  StepFailure,
  Without,
  filesUnder,
  hash,
  hashFiles,
  lastLines,
  root,
  run,
  stampFits,
  venv,
  venvPython,
  writeStamp,
  writeWhole,
} from "../tools.mjs";

const FOLDERS = ["lib", "datasets", "kernels", "test"];
const dist = join(root, "dist");
const cli = join(dist, "lib", "cli.js");
const buildStampFile = join(dist, "srpo-lab.json");

const sources = () =>
  FOLDERS.flatMap((folder) => filesUnder(join(root, folder), (file) => file.endsWith(".ts")));

const buildStamp = () => ({
  sources: hashFiles([...sources(), join(root, "tsconfig.json"), join(root, "package-lock.json")]),
});

/** The compiled file of a source. */
const output = (source) => join(dist, relative(root, source).replace(/\.ts$/, ".js"));

export const library = {
  name: "library",
  title: "library in dist",
  missing() {
    const whole = sources().every(
      (source) => source.endsWith(".d.ts") || existsSync(output(source)),
    );
    return whole && stampFits(buildStampFile, buildStamp()) ? undefined : "tsc (seconds)";
  },
  async make() {
    const stamp = buildStamp();
    const files = sources();
    rmSync(buildStampFile, { force: true });
    dropOrphans(files);
    // Something compiled was deleted by hand: tsc's incremental record would believe that it is still there.
    if (!files.every((file) => existsSync(output(file)))) {
      rmSync(join(dist, ".tsbuildinfo"), { force: true });
    }
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const { code, output: said } = await run(process.execPath, [tsc, "-p", root]);
    if (code !== 0) {
      throw new StepFailure("tsc found errors", {
        output: said.split("\n").slice(0, 20).join("\n").trim(),
        fix: "correct the lines above",
      });
    }
    // tsc writes plain files; `npx srpo` wants a program.
    if (existsSync(cli)) chmodSync(cli, 0o755);
    writeStamp(buildStampFile, stamp);
    return `${files.length} files`;
  },
};

/** Removes what was compiled from sources that are gone: mocha would run their tests. */
function dropOrphans(files) {
  const current = new Set(files.map(output));
  for (const folder of FOLDERS) {
    for (const file of filesUnder(join(dist, folder), (name) => name.endsWith(".js"))) {
      if (current.has(file)) continue;
      for (const end of [".js", ".js.map", ".d.ts"]) {
        rmSync(file.replace(/\.js$/, end), { force: true });
      }
    }
  }
}

const template = join(root, "kernels", "tslab");
const logos = ["logo-svg.svg", "logo-64x64.png"];

/** The kernelspec: the template with this Node and this clone filled in. */
export function kernelspec(text, { node = process.execPath, clone = root } = {}) {
  const spec = JSON.parse(text);
  const fill = (argument) => argument.replace("{node}", node).replace("{clone}", clone);
  return JSON.stringify({ ...spec, argv: spec.argv.map(fill) }, null, 2) + "\n";
}

export const kernel = {
  name: "kernel",
  title: "Jupyter kernel tslab",
  missing() {
    const same = (file, wanted) => existsSync(file) && hash(readFileSync(file)) === hash(wanted);
    const spec = kernelspec(readFileSync(join(template, "kernel.json"), "utf8"));
    const folder = specFolder();
    const current =
      same(join(folder, "kernel.json"), spec) &&
      logos.every((logo) => same(join(folder, logo), readFileSync(join(template, logo))));
    return current ? undefined : "install the kernelspec";
  },
  make() {
    if (!existsSync(venvPython)) throw new Without("there is no .venv");
    const folder = specFolder();
    mkdirSync(folder, { recursive: true });
    for (const logo of logos) copyFileSync(join(template, logo), join(folder, basename(logo)));
    const spec = kernelspec(readFileSync(join(template, "kernel.json"), "utf8"));
    writeWhole(join(folder, "kernel.json"), spec);
  },
};

const specFolder = () => join(venv, "share", "jupyter", "kernels", "tslab");
