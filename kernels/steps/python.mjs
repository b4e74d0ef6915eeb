// Python's part of set-up: one virtual environment for JupyterLab and for libtensorflow.
import { existsSync, lstatSync, readFileSync, rmSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import {
  StepFailure,
  Without,
  ask,
  hash,
  lastLines,
  readJson,
  root,
  run,
  stampFits,
  venv,
  venvPython,
  writeStamp,
} from "../tools.mjs";

const CANDIDATES = ["python3", "python3.13", "python3.12", "python3.11", "python3.10", "python"];
const PROBE = `
import sys
print("%d.%d" % sys.version_info[:2])
try:
    import venv, ensurepip
    print("venv")
except ImportError:
    pass`;

/**
 * The first Python 3.10 or later that can make a virtual environment, one that libtensorflow has wheels for (up to 3.13)
 * before a newer one; else the reason why there is none.
 * @param {(command: string) => string | undefined} probe prints a version, then `venv` where it can make one
 */
export function findPython(probe = (command) => ask(command, ["-c", PROBE])) {
  let reason = "there is no Python 3.10 or later on the PATH";
  let newer;
  for (const command of CANDIDATES) {
    const [version, hasVenv] = probe(command)?.split("\n") ?? [];
    const [major, minor] = (version ?? "0.0").split(".").map(Number);
    if (major !== 3 || minor < 10) continue;
    if (hasVenv === "venv" && minor <= 13) return { command, version };
    if (hasVenv === "venv") newer ??= { command, version };
    else
      reason = `${command} (${version}) cannot make a venv; on Debian: apt install python${version}-venv`;
  }
  return newer ?? { reason };
}

const requirements = (name) => join(root, "kernels", name);

/** Two pins that differ in a comment are different, which costs one `pip install` that finds everything present. */
export function requirementsHash(name) {
  return hash(readFileSync(requirements(name)));
}

/** `3.11` where the environment works; undefined where it was never made, is half made, or lost its Python. */
function venvVersion() {
  return ask(venvPython, ["-c", "import pip, sys; print('%d.%d' % sys.version_info[:2])"]);
}

const stampFile = join(venv, "srpo-lab.json");
// Programs in a virtual environment hold its path: a clone that was moved needs a new one.
const stamp = () => ({ root, requirements: requirementsHash("requirements.txt") });

export const python = {
  name: "python",
  title: "JupyterLab in .venv",
  missing() {
    return existsSync(venvPython) && stampFits(stampFile, stamp())
      ? undefined
      : "venv and pip install (a minute)";
  },
  async make() {
    const moved = (readJson(stampFile)?.root ?? root) !== root;
    if (moved || venvVersion() === undefined) await makeVenv({ moved });
    rmSync(stampFile, { force: true });
    await pipInstall("requirements.txt");
    writeStamp(stampFile, stamp());
    return `Python ${venvVersion()}`;
  },
};

/**
 * Takes away what lies where an environment is to be made. What a link leads to is never touched: it may be another
 * clone's environment, of which the link alone is taken away, or a place on another disk, which is made use of.
 * @param {string} folder @param {{moved: boolean}} of whether the environment there was made for another clone
 */
export function clearEnvironment(folder, { moved }) {
  const isLink = lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink();
  if (!isLink) rmSync(folder, { recursive: true, force: true });
  else if (moved || !existsSync(folder)) unlinkSync(folder);
}

async function makeVenv({ moved }) {
  const { command, reason } = findPython();
  if (command === undefined) {
    throw new Without(`${reason}. No notebooks, no libtensorflow; tests and \`srpo\` work`);
  }
  clearEnvironment(venv, { moved });
  const { code, output } = await run(command, ["-m", "venv", venv]);
  if (code === 0) return;
  throw new StepFailure(`${command} -m venv failed`, {
    output: lastLines(output),
    fix: "on Debian and Ubuntu: apt install python3-venv; elsewhere check the free disk space",
  });
}

/** Installs one requirements file into the environment; what is there and whole already stays. */
export async function pipInstall(name) {
  await pip(["-r", requirements(name)], name);
  const broken = ask(venvPython, [join(root, "kernels", "broken_wheels.py")]);
  if (!broken) return;
  await pip(["--ignore-installed", "--no-deps", ...broken.split("\n")], name);
}

async function pip(what, name) {
  const args = ["-m", "pip", "--disable-pip-version-check", "--no-input", "install", ...what];
  const { code, output } = await run(venvPython, args);
  if (code === 0) return;
  if (/No matching distribution found for tensorflow/.test(output)) {
    throw new Without(`pip finds no ${name} for this Python and platform`);
  }
  throw new StepFailure(`pip install -r kernels/${name} failed`, {
    output: lastLines(output),
    fix: /No space left/.test(output)
      ? "free some disk space: the CPU build needs 2 GB, the CUDA build 8 GB"
      : "check the network and `pip config list`",
  });
}
