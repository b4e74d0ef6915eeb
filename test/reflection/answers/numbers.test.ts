import assert from "node:assert/strict";
import * as c from "../../../lib/reflection/answers/complex";
import { exactValue, fractionOf, sameFraction } from "../../../lib/reflection/answers/exact";
import { evaluate } from "../../../lib/reflection/answers/evaluate";
import { readFormula } from "../../../lib/reflection/answers/mathjson";
import {
  complement,
  difference,
  holdsNumber,
  intersection,
  range,
  union,
  type RealSet,
} from "../../../lib/reflection/answers/real-set";
import { createRandom } from "../../../lib/engine/random";

const READING = { point: 0, foldCase: false, imaginary: true, degrees: true };

describe("reflection/answers: numbers", function () {
  this.timeout(60_000);

  it("reads decimals as exact fractions", () => {
    const rows: [string, bigint, bigint][] = [
      ["-12.50", -25n, 2n],
      ["7.8e2", 780n, 1n],
      ["28e-2", 7n, 25n],
      ["0.(3)", 1n, 3n],
      ["1.2(45)", 137n, 110n],
      [".5", 1n, 2n],
    ];
    for (const [text, above, over] of rows) {
      const found = fractionOf(text);
      assert.ok(found !== null && sameFraction(found, { above, over }), text);
    }
    for (const text of ["", ".", "-", "1e9999", "x", "1/2", "9".repeat(2000)]) {
      assert.equal(fractionOf(text), null, text.slice(0, 20));
    }
  });

  it("calculates exactly, and leaves alone what has no room", () => {
    const exact = (latex: string): string | null => {
      const tree = readFormula(latex);
      const value = tree === null ? null : exactValue(tree);
      return value === null ? null : (Number(value.above) / Number(value.over)).toString();
    };
    assert.equal(exact("\\frac{1}{3}+\\frac{1}{6}"), "0.5");
    assert.equal(exact("-1\\frac{1}{2}"), "-1.5");
    assert.equal(exact("2^{-2}"), "0.25");
    assert.equal(exact("\\frac{1}{1-1}"), null);
    assert.equal(exact("9^{9^{9}}"), null);
    assert.equal(exact("x+1"), null);
    assert.equal(exact("\\sqrt{4}"), null);
  });

  it("evaluates as complex analysis does", () => {
    const value = (latex: string): c.Complex => {
      const tree = readFormula(latex);
      assert.ok(tree !== null, latex);
      return evaluate(tree, READING);
    };
    const rows: [string, number, number][] = [
      ["i^2", -1, 0],
      ["\\frac{1}{i}", 0, -1],
      ["\\sqrt{-4}", 0, 2],
      ["e^{i\\pi}", -1, 0],
      ["\\sqrt[3]{-8}", -2, 0],
      ["\\sin 30^\\circ", 0.5, 0],
      ["\\log_2 8", 3, 0],
      ["\\ln(-1)", 0, Math.PI],
      ["\\binom{5}{2}", 10, 0],
      ["\\sum_{k=1}^{4} k^2", 30, 0],
      ["\\prod_{k=1}^{4} k", 24, 0],
      ["\\tan^{-1} 1", Math.PI / 4, 0],
      ["|3+4i|", 5, 0],
    ];
    for (const [latex, re, im] of rows) {
      const found = value(latex);
      assert.ok(
        Math.hypot(found.re - re, found.im - im) < 1e-12,
        `${latex}: ${found.re}, ${found.im}`,
      );
    }
    assert.ok(Number.isNaN(value("\\frac{1}{0}").re));
  });

  it("joins, cuts and turns sets of numbers as membership says", () => {
    const random = createRandom("real sets");
    const number = (): number => Math.floor(random.next() * 9) - 4;
    const someSet = (): RealSet => {
      let out: RealSet = [];
      for (let i = 0; i < 3; i++) {
        const [a, b] = [number(), number()].sort((x, y) => x - y);
        const [lowOpen, highOpen] = [random.next() < 0.5, random.next() < 0.5];
        out = union(out, range({ low: a, high: b, lowOpen, highOpen }));
      }
      return out;
    };
    for (let trial = 0; trial < 300; trial++) {
      const [a, b] = [someSet(), someSet()];
      for (let x = -5; x <= 5; x += 0.5) {
        const [inA, inB] = [holdsNumber(a, x), holdsNumber(b, x)];
        assert.equal(holdsNumber(union(a, b), x), inA || inB);
        assert.equal(holdsNumber(intersection(a, b), x), inA && inB);
        assert.equal(holdsNumber(difference(a, b), x), inA && !inB);
        assert.equal(holdsNumber(complement(a), x), !inA);
      }
      assert.deepEqual(complement(complement(a)), a);
    }
  });
});
