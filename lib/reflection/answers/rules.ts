/** The rule families of answer equality by name. Graders disagree by design; a comparison has to say whose rule it is. */
import { fault } from "../../engine/errors";
import { goldOf } from "../answer-type";
import { judge } from "../equality";
import { mathVerify } from "./math-verify";
import { mathVerifyString } from "./math-verify-letters";
import { nemoSkills } from "./nemo-skills";
import { olympiadBench } from "./olympiadbench";
import { optionLetter } from "./option-letter";
import { qwen25Math } from "./qwen25-math";
import { skyThought } from "./skythought";

/** Options of a rule as a row gives them, under the names that the rule's own authors use. */
export type RuleOptions = Readonly<Record<string, unknown>>;

export interface RuleVerdict {
  equal: boolean;
  /** What decided: the family, or for the lab's rule the step of it. */
  rule: string;
}

export interface EqualityRule {
  /** The names of its options. */
  options: readonly string[];
  /** @param prediction `null` where there is none */
  compare(gold: string, prediction: string | null, options: RuleOptions): RuleVerdict;
}

/** One entry a family. `lab` is what rewards and verdicts use. */
export const equalityRules: Readonly<Record<string, EqualityRule>> = {
  lab: {
    options: ["question_type", "choices"],
    compare: (gold, prediction, options) => {
      const answer = goldOf(gold, text(options, "question_type"), texts(options, "choices"));
      const { correct, rule } = judge(prediction, answer);
      return { equal: correct, rule };
    },
  },
  "math-verify": {
    options: [
      "match_types",
      "precision",
      "strict",
      "allow_set_relation_comp",
      "default_parse",
      "strings",
      "lowercase",
    ],
    compare: (gold, prediction, options) => ({
      equal: prediction !== null && compareByMathVerify(gold, prediction, options),
      rule: "math-verify",
    }),
  },
  olympiadbench: {
    options: ["precision"],
    compare: (gold, prediction, options) => ({
      equal: prediction !== null && olympiadBench(gold, prediction, tolerance(options)),
      rule: "olympiadbench",
    }),
  },
  "qwen25-math": plain("qwen25-math", qwen25Math),
  "nemo-skills": plain("nemo-skills", nemoSkills),
  skythought: plain("skythought", skyThought),
  "lmms-eval": {
    options: ["choices"],
    compare: (gold, prediction, options) => {
      const letter = optionLetter(prediction, texts(options, "choices"));
      const equal = letter !== null && letter === gold.trim().toUpperCase();
      return { equal, rule: letter === null ? "lmms-eval: abstained" : "lmms-eval" };
    },
  },
};

function plain(rule: string, equal: (gold: string, prediction: string) => boolean): EqualityRule {
  return {
    options: [],
    compare: (gold, prediction) => ({
      equal: prediction !== null && equal(gold, prediction),
      rule,
    }),
  };
}

/**
 * Compares by a named rule.
 * @throws LabError naming the rule or the option that cannot be
 */
export function compareAnswers(
  rules: string,
  gold: string,
  prediction: string | null,
  options: RuleOptions = {},
): RuleVerdict {
  const rule = Object.hasOwn(equalityRules, rules) ? equalityRules[rules] : undefined;
  if (rule === undefined) {
    throw fault("compareAnswers", "there are no such rules", {
      got: rules,
      expected: `one of ${Object.keys(equalityRules).join(", ")}`,
    });
  }
  const unknown = Object.keys(options).filter((key) => !rule.options.includes(key));
  if (unknown.length > 0) {
    throw fault(
      "compareAnswers",
      `the rules ${rules} have no options named ${unknown.join(", ")}`,
      {
        expected: rule.options.length === 0 ? "no options" : rule.options.join(", "),
      },
    );
  }
  return rule.compare(gold, prediction, options);
}

/** Without options as `parse` and `verify` are called; with options as the library's own tests call them. */
function compareByMathVerify(gold: string, prediction: string, options: RuleOptions): boolean {
  const types = texts(options, "match_types") ?? ["latex", "expr"];
  if (types.includes("string")) {
    const config = {
      strings: texts(options, "strings"),
      lowercase: flag(options, "lowercase", true),
    };
    const wanted = mathVerifyString(gold, config) ?? gold;
    return mathVerifyString(prediction, config) === wanted;
  }
  const given = Object.keys(options).length > 0;
  return mathVerify(gold, prediction, {
    matchTypes: types.filter(
      (type): type is "latex" | "expr" => type === "latex" || type === "expr",
    ),
    precision: number(options, "precision"),
    strict: flag(options, "strict", true),
    allowSetRelationComp: flag(options, "allow_set_relation_comp", false),
    boxedFirst: given && !flag(options, "default_parse", false),
  });
}

// ---- options of a row, whose types nobody has checked

function wrong(key: string, value: unknown, expected: string): Error {
  return fault("compareAnswers", `the option ${key} is wrong`, { got: value, expected });
}

const isAbsent = (value: unknown): value is undefined | null =>
  value === undefined || value === null;

function text(options: RuleOptions, key: string): string | undefined {
  const value = options[key];
  if (isAbsent(value)) return undefined;
  if (typeof value === "string") return value;
  throw wrong(key, value, "a text");
}

function texts(options: RuleOptions, key: string): string[] | undefined {
  const value = options[key];
  if (isAbsent(value)) return undefined;
  if (Array.isArray(value) && value.every((item): item is string => typeof item === "string")) {
    return value;
  }
  throw wrong(key, value, "a list of texts");
}

function number(options: RuleOptions, key: string): number | undefined {
  const value = options[key];
  if (isAbsent(value)) return undefined;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw wrong(key, value, "a number");
}

function flag(options: RuleOptions, key: string, otherwise: boolean): boolean {
  const value = options[key];
  if (isAbsent(value)) return otherwise;
  if (typeof value === "boolean") return value;
  throw wrong(key, value, "true or false");
}

function tolerance(options: RuleOptions): number | number[] | undefined {
  const value = options.precision;
  if (!Array.isArray(value)) return number(options, "precision");
  if (value.every((item): item is number => typeof item === "number")) return value;
  throw wrong("precision", value, "a number, or a list with one for each answer");
}
