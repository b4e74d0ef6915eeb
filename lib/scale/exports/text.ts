/** Texts that other programs read: YAML, and shell scripts in which nothing is expanded that was not meant to be. */
import type { Scalar } from "./target";

/** Stands for the export's folder in a command's words. */
export const HERE = "{here}";

export type Yaml = Scalar | null | readonly Scalar[] | { readonly [key: string]: Yaml };

/** Block YAML of nested settings. Texts are quoted as JSON, which YAML reads. */
export function renderYaml(value: { readonly [key: string]: Yaml }, indent = ""): string {
  return Object.entries(value)
    .map(([key, inner]) => {
      if (inner !== null && typeof inner === "object" && !Array.isArray(inner)) {
        return `${indent}${key}:\n${renderYaml(inner as { [key: string]: Yaml }, indent + "  ")}`;
      }
      const text = Array.isArray(inner)
        ? `[${inner.map(scalar).join(", ")}]`
        : scalar(inner as Scalar | null);
      return `${indent}${key}: ${text}\n`;
    })
    .join("");
}

/** YAML 1.1, which PyYAML reads, takes `1e-7` for a text: a number with an exponent needs a point. */
function scalar(value: Scalar | null): string {
  const text = JSON.stringify(value);
  return typeof value === "number" ? text.replace(/^(-?\d+)e/, "$1.0e") : text;
}

/** A word of a shell command, quoted so that the shell changes nothing but {@link HERE}. */
export function shellWord(word: string): string {
  const quoted = (part: string): string =>
    /^[\w@%+=:,./-]*$/.test(part) ? part : `'${part.replaceAll("'", `'\\''`)}'`;
  return word === "" ? "''" : word.split(HERE).map(quoted).join('"$here"');
}

/**
 * A launch script: the command runs in the export's folder, whose address is `$here`, with what the user appends.
 * @param checks lines before the command
 */
export function launchScript(
  command: readonly string[],
  {
    checks = [],
    environment = {},
  }: { checks?: readonly string[]; environment?: Record<string, string> } = {},
): string {
  const exports = Object.entries(environment).map(
    ([key, value]) => `export ${key}=${shellWord(value)}`,
  );
  return [
    "#!/usr/bin/env bash",
    "set -euo pipefail",
    'here="$(cd "$(dirname "$0")" && pwd)"',
    'cd "$here"',
    ...exports,
    ...checks,
    `exec ${[...lines(command)].join(" \\\n  ")} \\\n  "$@"`,
    "",
  ].join("\n");
}

/** Refuses to start where nobody answers for rewards, which trainers would notice only after loading everything. */
const REWARD_CHECK = `python3 - <<'END'
import os, urllib.request
url = os.environ["SRPO_REWARD_URL"]
assert os.environ.get("SRPO_REWARD_TOKEN"), "set SRPO_REWARD_TOKEN"
print("reward server:", urllib.request.urlopen(url + "/health", timeout=10).read().decode())
END`;

/** Lines that set `SRPO_REWARD_URL`, to the export's own unless the environment has one, and look whether anybody answers. */
export const rewardChecks = (url: string): string[] => [
  `export SRPO_REWARD_URL="\${SRPO_REWARD_URL:-${url.replace(/[^\w.:/-]/g, "")}}"`,
  REWARD_CHECK,
];

/** `--key value` words; a flag that is `true` stands alone, one that is `false` is left out. */
export function options(flags: Readonly<Record<string, Scalar | readonly Scalar[]>>): string[] {
  return Object.entries(flags).flatMap(([key, value]) => {
    if (value === false) return [];
    if (value === true) return [`--${key}`];
    return [`--${key}`, ...(Array.isArray(value) ? value : [value]).map(String)];
  });
}

/** The words of a command, an option and its values on one line. */
function lines(words: readonly string[]): string[] {
  const out: string[] = [];
  for (const word of words) {
    const starts = word.startsWith("--") || (/^[\w.+]+=/.test(word) && out.length > 0);
    if (out.length === 0 || starts) out.push(shellWord(word));
    else out[out.length - 1] += ` ${shellWord(word)}`;
  }
  return out;
}
