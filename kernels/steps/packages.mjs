// npm's part of set-up: the packages of the lock file, and the clone itself as the package "srpo-lab".
import { existsSync, lstatSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { StepFailure, lastLines, readJson, root, run } from "../tools.mjs";

/**
 * Whether what npm installed is not what the lock file asks for, judged by content (versions, hashes, folders), not dates.
 * Packages for other platforms are optional and may be absent.
 * @param {{packages: object}} wanted package-lock.json
 * @param {{packages: object} | undefined} installed node_modules/.package-lock.json, which npm writes last
 */
export function packagesDiffer(wanted, installed, exists = (path) => existsSync(join(root, path))) {
  if (installed?.packages === undefined) return true;
  return Object.entries(wanted.packages).some(([path, entry]) => {
    if (path === "" || entry.link) return false;
    const found = installed.packages[path];
    if (found === undefined) return entry.optional !== true && entry.peer !== true;
    return found.version !== entry.version || found.integrity !== entry.integrity || !exists(path);
  });
}

export const packages = {
  name: "packages",
  title: "npm packages",
  missing() {
    const wanted = readJson(join(root, "package-lock.json"));
    const installed = readJson(join(root, "node_modules", ".package-lock.json"));
    return packagesDiffer(wanted, installed) ? "npm ci (half a minute)" : undefined;
  },
  async make() {
    // The npm that started us, so that its version and configuration are the user's.
    const own = process.env.npm_execpath;
    const [command, first] = own?.endsWith(".js") ? [process.execPath, [own]] : ["npm", []];
    const { code, output } = await run(command, [...first, "ci", "--no-audit", "--no-fund"]);
    if (code === 0) return;
    throw new StepFailure("npm ci failed", {
      output: lastLines(output),
      fix: "check the network, the free disk space (1 GB) and `npm config get registry`",
    });
  },
};

/** What the clone is to itself: the package that notebooks import, and the command that `npx srpo` finds. */
const LINKS = [
  { path: join(root, "node_modules", "srpo-lab"), target: ".." },
  {
    path: join(root, "node_modules", ".bin", "srpo"),
    target: join("..", "..", "dist", "lib", "cli.js"),
  },
];

const isLinked = ({ path, target }) =>
  lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() && readlinkSync(path) === target;

/** npm prunes links that it did not make whenever it installs something, so they are looked after. */
export const self = {
  name: "self",
  title: 'package "srpo-lab" and `npx srpo`',
  missing() {
    return LINKS.every(isLinked) ? undefined : "links in node_modules";
  },
  make() {
    for (const { path, target } of LINKS) {
      rmSync(path, { force: true, recursive: true });
      symlinkSync(target, path);
    }
  },
};
