import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./jupyter";

interface Lock {
  packages: Record<string, { version?: string; integrity?: string; optional?: boolean }>;
}
type Probe = (command: string) => string | undefined;

// Plain scripts, which run before TypeScript is built and so cannot be TypeScript.
const script = (path: string): unknown => require(join(root, "kernels", path));
const { packagesDiffer } = script("steps/packages.mjs") as {
  packagesDiffer(wanted: Lock, installed?: Lock, exists?: (path: string) => boolean): boolean;
};
const { clearEnvironment, findPython } = script("steps/python.mjs") as {
  clearEnvironment(folder: string, of: { moved: boolean }): void;
  findPython(probe: Probe): { command?: string; version?: string; reason?: string };
};
const { nodeTooOld } = script("setup.mjs") as { nodeTooOld(version: string): string | undefined };
const { kernelspec } = script("steps/library.mjs") as {
  kernelspec(text: string, where: { node: string; clone: string }): string;
};
const tools = script("tools.mjs") as {
  stampFits(file: string, wanted: object): boolean;
  writeStamp(file: string, stamp: object): void;
  hashFiles(files: string[]): string;
  lastLines(output: string, count?: number): string;
  duration(ms: number): string;
};

describe("kernels/setup", () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "setup-"))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it("runs npm ci only where versions, hashes or folders differ from the lock file", () => {
    const lock: Lock = {
      packages: {
        "": {},
        "node_modules/a": { version: "1.0.0", integrity: "sha512-a" },
        "node_modules/mac": { version: "2.0.0", integrity: "sha512-m", optional: true },
      },
    };
    const { "node_modules/a": a } = lock.packages;
    const present = (): boolean => true;
    const installed = (packages: Lock["packages"]): Lock => ({ packages });
    assert.equal(packagesDiffer(lock, undefined, present), true);
    assert.equal(packagesDiffer(lock, installed({}), present), true);
    assert.equal(packagesDiffer(lock, installed({ "node_modules/a": a }), present), false);
    assert.equal(
      packagesDiffer(lock, installed({ "node_modules/a": a }), () => false),
      true,
    );
    for (const change of [{ version: "1.0.1" }, { integrity: "sha512-b" }]) {
      const other = installed({ "node_modules/a": { ...a, ...change } });
      assert.equal(packagesDiffer(lock, other, present), true);
    }
  });

  it("finds what npm installed here to be what the lock file asks for", () => {
    const read = (path: string): Lock => JSON.parse(readFileSync(join(root, path), "utf8")) as Lock;
    const wanted = read("package-lock.json");
    assert.equal(packagesDiffer(wanted, read("node_modules/.package-lock.json")), false);
  });

  it("takes the first Python that has venv and wheels, and says what is wrong with the others", () => {
    const machine = (has: Record<string, string>) => findPython((command) => has[command]);
    assert.equal(machine({ python3: "3.11\nvenv" }).command, "python3");
    const old = { python3: "3.9\nvenv", "python3.12": "3.12\nvenv" };
    assert.equal(machine(old).command, "python3.12");
    const both = { python3: "3.14\nvenv", "python3.13": "3.13\nvenv" };
    assert.equal(machine(both).command, "python3.13");
    assert.equal(machine({ python3: "3.14\nvenv" }).command, "python3");
    assert.match(machine({ python3: "3.12" }).reason ?? "", /apt install python3\.12-venv/);
    assert.match(machine({ python: "2.7" }).reason ?? "", /no Python 3\.10/);
  });

  it("clears an environment of its own, and never what a link leads to", () => {
    const theirs = join(folder, "theirs");
    const link = join(folder, "link");
    const own = join(folder, "own");
    for (const made of [theirs, own]) mkdirSync(made);
    writeFileSync(join(theirs, "package"), "");
    clearEnvironment(join(folder, "none"), { moved: false });
    clearEnvironment(own, { moved: false });
    assert.equal(existsSync(own), false);
    symlinkSync(theirs, link);
    clearEnvironment(link, { moved: false });
    assert.equal(existsSync(link), true, "the user keeps it elsewhere");
    clearEnvironment(link, { moved: true });
    assert.equal(existsSync(link), false);
    symlinkSync(join(folder, "gone"), link);
    clearEnvironment(link, { moved: false });
    assert.throws(() => readlinkSync(link), "a link that leads nowhere");
    assert.deepEqual(readdirSync(theirs), ["package"]);
  });

  it("refuses a Node that is too old, with the version it needs", () => {
    for (const version of ["18.20.4", "20.18.0", "22.11.0"]) {
      assert.match(nodeTooOld(version) ?? "", new RegExp(`${version}.*20\\.19`), version);
    }
    for (const version of ["20.19.0", "22.12.0", "24.1.0"]) {
      assert.equal(nodeTooOld(version), undefined, version);
    }
  });

  it("believes a stamp only when it is whole and every field is equal", () => {
    const stamp = join(folder, "stamp.json");
    assert.equal(tools.stampFits(stamp, {}), false);
    tools.writeStamp(stamp, { version: "2.21.0", device: "cpu", note: "more" });
    assert.equal(tools.stampFits(stamp, { version: "2.21.0", device: "cpu" }), true);
    assert.equal(tools.stampFits(stamp, { version: "2.21.0", device: "cuda" }), false);
    assert.equal(tools.stampFits(stamp, { extra: 1 }), false);
    writeFileSync(stamp, readFileSync(stamp, "utf8").slice(0, 20));
    assert.equal(tools.stampFits(stamp, { version: "2.21.0" }), false);
  });

  it("sees a change of content, and none in a file that was only touched", () => {
    const file = join(folder, "a.ts");
    writeFileSync(file, "1");
    const before = tools.hashFiles([file]);
    writeFileSync(file, "1");
    assert.equal(tools.hashFiles([file]), before);
    writeFileSync(file, "2");
    assert.notEqual(tools.hashFiles([file]), before);
  });

  it("fills this Node and this clone into the kernelspec, whatever their names hold", () => {
    const text = readFileSync(join(root, "kernels", "tslab", "kernel.json"), "utf8");
    const where = { node: "/opt/no de/bin/node", clone: '/home/ü "x"' };
    const spec = JSON.parse(kernelspec(text, where)) as Record<string, unknown>;
    assert.deepEqual(spec.argv, [
      "/opt/no de/bin/node",
      '/home/ü "x"/kernels/kernel.mjs',
      "{connection_file}",
    ]);
    assert.equal(spec.display_name, "TypeScript (SRPO Lab)");
    assert.equal(spec.interrupt_mode, "signal");
  });

  it("shows a tool's last lines, and times one can read", () => {
    assert.equal(tools.lastLines("one\n\ntwo\r\nthree\n", 2), "two\nthree");
    assert.deepEqual([420, 59_900, 63_000].map(tools.duration), ["0.4 s", "59.9 s", "1 min 03 s"]);
  });

  it("finds nothing to do the second time, and says nothing", () => {
    const code = `import(${JSON.stringify(join(root, "kernels", "setup.mjs"))})
      .then(({ setup }) => setup({ quiet: true, steps: ["packages", "self"] }))`;
    const { status, stderr, stdout } = spawnSync(process.execPath, ["-e", code], {
      encoding: "utf8",
    });
    assert.deepEqual([status, stdout, stderr], [0, "", ""]);
  });

  it("lets one set-up in at a time, and is not stopped by one that was killed", () => {
    // Each holder notes when it enters and leaves; a dead process's lock lies there first.
    const log = join(folder, "log");
    const lock = join(folder, "kernels", "..", ".cache", "setup.lock");
    const dead = spawnSync(process.execPath, ["-e", ""]).pid;
    const program = `
      const { cpSync, mkdirSync, writeFileSync, appendFileSync } = require("node:fs");
      const { spawn } = require("node:child_process");
      mkdirSync(${JSON.stringify(join(folder, ".cache"))});
      mkdirSync(${JSON.stringify(join(folder, "kernels"))});
      cpSync(${JSON.stringify(join(root, "kernels", "tools.mjs"))}, ${JSON.stringify(join(folder, "kernels", "tools.mjs"))});
      writeFileSync(${JSON.stringify(lock)}, "${dead}");
      const holder = \`import(${JSON.stringify(join(folder, "kernels", "tools.mjs"))}).then(({ withLock }) =>
        withLock(async () => {
          const { appendFileSync } = require("node:fs");
          appendFileSync(${JSON.stringify(log)}, "in ");
          await new Promise((resolve) => setTimeout(resolve, 100));
          appendFileSync(${JSON.stringify(log)}, "out ");
        }, () => {}))\`;
      for (let i = 0; i < 3; i++) spawn(process.execPath, ["-e", holder], { stdio: "inherit" });`;
    const { stderr } = spawnSync(process.execPath, ["-e", program], { encoding: "utf8" });
    assert.equal(stderr, "");
    assert.equal(readFileSync(log, "utf8"), "in out in out in out ");
    assert.equal(existsSync(lock), false);
  });

  it("says in a line what is wrong with an option, and how the command is called", () => {
    const call = (...words: string[]) =>
      spawnSync(process.execPath, [join(root, "kernels", "start.mjs"), ...words], {
        encoding: "utf8",
      });
    assert.match(call("--help").stdout, /^Usage: npm start .*--preset/);
    const wrong = call("--onyl", "3");
    assert.equal(wrong.status, 1);
    assert.match(wrong.stderr, /'--onyl'\n.*npm start/);
    assert.doesNotMatch(wrong.stderr, /\n {4}at /);
  });
});
