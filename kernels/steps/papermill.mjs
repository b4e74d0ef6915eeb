// papermill's `-p`: how it writes parameters in TypeScript, announced to it as packages announce theirs.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Without, root, venv, venvPython, writeWhole } from "../tools.mjs";

const NAME = "srpo_lab_papermill";
const FOLDER = `${NAME}-1.0.dist-info`;

/** What the environment has to hold, by path below its site-packages. */
function files() {
  const module = readFileSync(join(root, "kernels", "papermill", `${NAME}.py`), "utf8");
  const names = [`${NAME}.py`, ...["METADATA", "entry_points.txt", "RECORD"].map(inFolder)];
  return {
    [names[0]]: module,
    [names[1]]: "Metadata-Version: 2.1\nName: srpo-lab-papermill\nVersion: 1.0\n",
    [names[2]]: `[papermill.engine]\nsrpo-lab = ${NAME}:Engine\n`,
    // With it, pip can take the files away again.
    [names[3]]: names.map((name) => `${name},,\n`).join(""),
  };
}

const inFolder = (name) => `${FOLDER}/${name}`;

function sitePackages() {
  const lib = join(venv, "lib");
  const version = readdirSync(lib).find((name) => /^python3\.\d+$/.test(name));
  return join(lib, version ?? "python3", "site-packages");
}

export const papermill = {
  name: "papermill",
  title: "papermill's parameters in TypeScript",
  missing() {
    if (!existsSync(venvPython)) return "write them";
    const site = sitePackages();
    const same = ([name, text]) =>
      existsSync(join(site, name)) && readFileSync(join(site, name), "utf8") === text;
    return Object.entries(files()).every(same) ? undefined : "write them";
  },
  make() {
    if (!existsSync(venvPython)) throw new Without("there is no .venv");
    for (const [name, text] of Object.entries(files()))
      writeWhole(join(sitePackages(), name), text);
  },
};
