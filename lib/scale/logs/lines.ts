/**
 * What trainers print of a step, line by line: verl's console, OpenRLHF's and transformers' dictionaries, EasyR1's YAML, and
 * JSON Lines. A line that is none of these says nothing of a step.
 */
import { isRow, type Row } from "../../engine/rows";

/** What was logged of one of the trainer's steps, under its own names. */
export interface LoggedStep {
  step: number;
  values: Readonly<Record<string, number>>;
}

/** Reads the lines of a log in order. Readers remember what they need of earlier lines: one reader reads one log. */
export type LineReader = (line: string) => LoggedStep | undefined;

/** The reading of the first reader that knows the line. */
export function anyOf(...readers: readonly LineReader[]): LineReader {
  return (line) => {
    for (const read of readers) {
      const step = read(line);
      if (step !== undefined) return step;
    }
    return undefined;
  };
}

/** verl's console: `step:12 - actor/entropy:0.53 - critic/score/mean:np.float64(1.25)`. */
export function consoleSteps(): LineReader {
  return (line) => {
    const [, step, rest] = /\bstep:(\d+) - (.+)$/.exec(line) ?? [];
    if (rest === undefined) return undefined;
    const fields = rest.split(" - ").map((field): [string, string] => {
      const at = field.lastIndexOf(":");
      return [field.slice(0, at), field.slice(at + 1)];
    });
    return { step: Number(step), values: numbers(fields) };
  };
}

/** OpenRLHF's logger: `… Global step 12: {'policy_loss': 0.1, 'rollout/reward_mean': 1.2}`. */
export function dictionarySteps(): LineReader {
  return (line) => {
    const [, step, rest] = /Global step (\d+): (\{.*\})\s*$/.exec(line) ?? [];
    return rest === undefined ? undefined : { step: Number(step), values: numbers(fieldsOf(rest)) };
  };
}

/**
 * transformers' console: `{'loss': '0.1', 'reward': '1.2'}`, which names no step. Every line with a loss is the next one;
 * an evaluation, and the summary at the end, belong to the step before. A progress bar may stand in the same line.
 * @param stride steps between two lines
 */
export function countedDictionaries(stride: number): LineReader {
  let count = 0;
  return (line) => {
    const [dictionary] = /\{'\w+': [^{}]*\}\s*$/.exec(line) ?? [];
    if (dictionary === undefined || !/'(?:\w+_)?loss': /.test(dictionary)) return undefined;
    const values = numbers(fieldsOf(dictionary));
    if ("loss" in values) count++;
    return { step: count * stride, values };
  };
}

/**
 * JSON Lines: verl's file logger (`{"step": 1, "data": {…}}`), EasyR1's (nested), LLaMA-Factory's (`current_steps`), and
 * transformers' log history.
 * @param stride the trainer's steps that are one of the lab's
 */
export function jsonSteps(stride = 1): LineReader {
  return (line) => {
    if (!line.startsWith("{")) return undefined;
    let row: unknown;
    try {
      row = JSON.parse(line);
    } catch {
      return undefined;
    }
    if (!isRow(row)) return undefined;
    const { step, current_steps: current, data, ...rest } = row;
    const at = step ?? current;
    if (typeof at !== "number") return undefined;
    return { step: Math.round(at / stride), values: flatten(isRow(data) ? data : rest) };
  };
}

/** EasyR1's console: `Step 12`, and below it the metrics as nested YAML. */
export function yamlSteps(): LineReader {
  let step: number | undefined;
  let path: { indent: number; key: string }[] = [];
  return (line) => {
    const [, started] = /^Step (\d+)$/.exec(line) ?? [];
    if (started !== undefined) {
      step = Number(started);
      path = [];
      return undefined;
    }
    const [, indent, key, value] = /^( *)([\w@./-]+):(?: (.*))?$/.exec(line) ?? [];
    if (key === undefined || step === undefined) {
      step = undefined;
      return undefined;
    }
    path = path.filter((outer) => outer.indent < indent.length);
    if (value === undefined) {
      path.push({ indent: indent.length, key });
      return undefined;
    }
    const name = [...path.map((outer) => outer.key), key].join("/");
    return { step, values: numbers([[name, value]]) };
  };
}

/**
 * A line as the program printed it: without colours, without what a progress bar drew before it, and without the actor that
 * Ray names in front of what it prints.
 */
export function cleanLine(line: string): string {
  const last = line.trimEnd().split("\r").at(-1) ?? "";
  return last.replace(/\u001b\[[\d;]*[A-Za-z]/g, "").replace(/^\([^()]*\bpid=\d+[^()]*\) /, "");
}

/** `'key': 0.5`, `'key': '0.5'` and `"key": 0.5` of a Python dictionary. */
function fieldsOf(dictionary: string): [string, string][] {
  return [
    ...dictionary.matchAll(/(['"])(.+?)\1: ('[^']*'|"[^"]*"|\w+(?:\.\w+)*\([^()]*\)|[^,{}[\]]+)/g),
  ].map(([, , key, value]) => [key, value.replace(/^['"]|['"]$/g, "")]);
}

/** The fields that are numbers: numpy prints `np.float64(0.5)`, PyTorch `tensor(0.5)`; what is not finite was not measured. */
function numbers(fields: readonly (readonly [string, string])[]): Record<string, number> {
  return Object.fromEntries(
    fields.flatMap(([key, text]): [string, number][] => {
      const bare = text.trim().replace(/^[\w.]+\((.*)\)$/, "$1");
      const value = bare === "" ? NaN : Number(bare);
      return Number.isFinite(value) ? [[key.trim(), value]] : [];
    }),
  );
}

function flatten(row: Row, prefix = ""): Record<string, number> {
  return Object.fromEntries(
    Object.entries(row).flatMap(([key, value]): [string, number][] => {
      if (isRow(value)) return Object.entries(flatten(value, `${prefix}${key}/`));
      return typeof value === "number" && Number.isFinite(value) ? [[prefix + key, value]] : [];
    }),
  );
}
