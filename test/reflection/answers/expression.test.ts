import assert from "node:assert/strict";
import { parseExpression } from "../../../lib/reflection/answers/expression";
import {
  pythonValue,
  sympyValue,
  twoDecimals,
} from "../../../lib/reflection/answers/expression-value";
import { olympiadBench } from "../../../lib/reflection/answers/olympiadbench";
import { fixture } from "../../bench/records";

describe("expression: reads LaTeX as the official scorers do", () => {
  it("gives the rounded values that latex2sympy2 and Python give", () => {
    const rows = fixture<{ text: string; value: number | null }[]>("latex2sympy2.json");
    const wrong = rows.filter(({ text, value }) => {
      const node = parseExpression(text, "latex2sympy2");
      const read = node === null ? null : pythonValue(node);
      return (read === null ? null : twoDecimals(read)) !== value;
    });
    const numbers = rows.filter(({ value }) => value !== null).length;
    assert.ok(numbers > 100 && rows.length - numbers > 100, "the fixture holds both kinds");
    // Random strings of fragments: what is left are corners such as digits glued to a reserved word.
    assert.ok(wrong.length <= 0.01 * rows.length, JSON.stringify(wrong));
  });

  it("finds expressions and equations equal where sympy does", () => {
    type Case = { pair: [string, string]; equal: boolean };
    const cases = fixture<{ expressions: Case[]; equations: Case[] }>("olympiad.json");
    for (const { pair, equal } of [...cases.expressions, ...cases.equations]) {
      assert.equal(olympiadBench(pair[0], pair[1]), equal, pair.join(" against "));
    }
  });

  it("tells what Python evaluates from what sympy alone does", () => {
    const both = (text: string) => {
      const node = parseExpression(text, "latex2sympy2");
      assert.ok(node !== null, text);
      return [pythonValue(node)?.value ?? null, sympyValue(node)];
    };
    assert.deepEqual(both("|-3|"), [null, 3]);
    assert.deepEqual(both("e"), [null, Math.E]);
    assert.deepEqual(both("\\infty"), [null, Infinity]);
    assert.deepEqual(both("2^{10}"), [1024, 1024]);
  });
});

describe("olympiadbench", function () {
  this.timeout(20_000);

  it("pairs lists in any order and uses up tolerances with their items", () => {
    assert.ok(olympiadBench("1, 2", "2, 1"));
    assert.ok(!olympiadBench("1, 2", "1, 2, 3"));
    assert.ok(olympiadBench("x=1\\pm 2", "-1, 3"));
    assert.ok(olympiadBench("10, 2", "10.4, 2", [0.5, 1e-8]));
    assert.ok(!olympiadBench("10, 2", "10, 2.4", [0.5, 1e-8]));
  });

  it("tries the first side as a percentage, and only the first", () => {
    assert.ok(olympiadBench("50", "0.5"));
    assert.ok(olympiadBench("0.5", "50"));
    assert.ok(olympiadBench("1000", "10", 0.01));
    // 100.4 / 100 is within the tolerance of 1; 1 · 100 is not within it of 100.4.
    assert.ok(olympiadBench("100.4", "1", 0.1));
    assert.ok(!olympiadBench("1", "100.4", 0.1));
  });

  it("compares intervals by bracket, union and end", () => {
    assert.ok(olympiadBench("[0,\\frac12)", "[0,0.5)"));
    assert.ok(!olympiadBench("[0,1)", "[0,1]"));
    assert.ok(olympiadBench("(-\\infty,1]\\cup[2,3)", "(-\\infty,1]\\cup[2,\\frac{6}{2})"));
  });
});
