import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { compareAnswers, type RuleOptions } from "../../../lib/reflection/answers/rules";
import { mathVerifyExtract } from "../../../lib/reflection/answers/math-verify";
import { mathVerifyString } from "../../../lib/reflection/answers/math-verify-letters";
import { agreement, scoringRecords } from "./records";

const here = path.resolve(__dirname, "../../../../test/reflection/answers");

interface Pair {
  id: string;
  gold: string;
  pred: string;
  expected: boolean;
  config: RuleOptions;
}

/**
 * Where the two differ and why. Nothing else may. Where this rule says more than math-verify's, a spelling that its
 * parser cannot read is read here; where it says less, it would take an integral or a limit.
 */
const KNOWN: Readonly<Record<string, string>> = {
  "$\\frac12\\%$ | $0.005$": "its parser takes no percent after a fraction",
  "$2x<2$ | $x<1$": "it compares inequalities unscaled; equations it scales",
  "$1<x<2$ | $2>x>1$": "it reads chains from the left only",
  "$\\emptyset$ | $\\varnothing$": "it knows one of the two signs",
  "$\\varnothing$ | $\\emptyset$": "it knows one of the two signs",
  "$1e3$ | $1000$": "it reads e as Euler's number",
  "$\\int_0^1 x dx$ | $\\frac12$": "no integration here",
  "$\\lim_{x\\to 0}\\frac{\\sin x}{x}$ | $1$": "no limits here",
  "$5 dollars$ | $5$": "its list of units has cents but no dollars",
  "2 | 6÷3": "its parser does not know the sign that its pattern takes",
  "$\\binom62$ | $15$": "its parser wants braces",
  "$0.\\overline{6}$ | $\\frac23$": "its parser takes the bar for a conjugate",
  "$A\\cup B$ | $B\\cup A$": "it compares unions of letters in their order",
};

describe("reflection/answers/math-verify", function () {
  this.timeout(60_000);

  it("agrees with math-verify on its own tests, 95 % at least", function () {
    const { cases } = scoringRecords<{ cases: Pair[] }>(this, "math_verify_tests");
    const share = agreement(
      "math_verify_tests",
      cases,
      ({ gold, pred, expected, config }) =>
        compareAnswers("math-verify", gold, pred, config).equal === expected,
      ({ id, gold, pred }) => `${id}: ${gold} | ${pred}`,
    );
    // The one that is known: "1 - 1/e equals 1 + 1/e", an odd label that no rule should follow.
    assert.ok(share >= 0.95, String(share));
  });

  it("agrees with math-verify's verdicts on the lab's own cases, but for the listed ones", () => {
    const golden = JSON.parse(readFileSync(path.join(here, "math-verify-golden.json"), "utf8")) as [
      string,
      string,
      RuleOptions,
      boolean,
    ][];
    const cases = JSON.parse(
      readFileSync(path.join(here, "math-verify-cases.json"), "utf8"),
    ) as unknown[];
    assert.equal(golden.length, cases.length, "the golden file is of these cases");
    const differing: string[] = [];
    const share = agreement(
      "own cases",
      golden,
      ([gold, prediction, config, equal]) => {
        const options = { match_types: ["latex", "expr"], ...config };
        const same = compareAnswers("math-verify", gold, prediction, options).equal === equal;
        if (!same) differing.push(`${gold} | ${prediction}`);
        return same;
      },
      ([gold, prediction]) => {
        const name = `${gold} | ${prediction}`;
        return `${name}: ${KNOWN[name] ?? "no reason is known"}`;
      },
    );
    assert.ok(share >= 0.95, String(share));
    assert.deepEqual(
      differing.filter((name) => !(name in KNOWN)),
      [],
    );
  });

  it("finds the answer of a solution by rank, then from the end", () => {
    const found = (text: string, boxedFirst = false): string | null =>
      mathVerifyExtract(text, { boxedFirst }).text;
    assert.equal(found("We get $x=5$, then $6$."), "6");
    assert.equal(found("The answer is $5$, not $6$."), "5");
    assert.equal(found("Answer: 5. The final answer is $7$. Then $8$."), "7");
    assert.equal(found("The answer is $7$. \\boxed{8}. $9$"), "8");
    assert.equal(found("\\boxed{8}. The final answer is $7$."), "7");
    assert.equal(found("\\boxed{8}. The final answer is $7$.", true), "8");
    assert.equal(found("\\boxed{1} and \\boxed{2}", true), "1,2");
    assert.equal(found("\\boxed{1}. Then I saw that this was wrong: \\boxed{2}", true), "2");
    assert.equal(found("nothing at all"), null);
  });

  it("takes options as its own: letters by position, relations for sets, decimals", () => {
    const equal = (gold: string, prediction: string, config: RuleOptions): boolean =>
      compareAnswers("math-verify", gold, prediction, config).equal;
    assert.equal(equal("$x+1$", "$y+1$", {}), false);
    assert.equal(equal("$x+1$", "$y+1$", { strict: false }), true);
    assert.equal(equal("$(1,\\infty)$", "$x>1$", {}), false);
    assert.equal(equal("$(1,\\infty)$", "$x>1$", { allow_set_relation_comp: true }), true);
    assert.equal(equal("$3.14$", "$\\pi$", {}), false);
    assert.equal(equal("$3.14$", "$\\pi$", { precision: 2 }), true);
    assert.equal(equal("$5$", "5", { match_types: ["latex"] }), false);
    assert.throws(() => equal("1", "1", { presicion: 2 }), /presicion.*precision/);
    assert.throws(() => equal("1", "1", { strict: "yes" }), /strict.*true or false/);
    assert.throws(() => compareAnswers("math", "1", "1"), /one of lab, math-verify/);
  });

  it("finds letters as its string extraction does", function () {
    const { cases } = scoringRecords<{
      cases: { response: string; expected: string[]; config: { lowercase?: boolean } }[];
    }>(this, "math_verify_string_extraction");
    const share = agreement(
      "math_verify_string_extraction",
      cases,
      ({ response, expected, config }) =>
        mathVerifyString(response, config) === (expected[0] ?? null),
      ({ response }) => response,
    );
    assert.equal(share, 1);
  });
});
