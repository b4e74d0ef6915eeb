import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import * as python from "../../lib/reflection/answers/python";
import { parseLiteral, pythonStr } from "../../lib/bench/python-literal";

const root = path.resolve(__dirname, "../../..");
const file = path.join(root, "test/fixtures/bench/python.json");

/** What CPython said, written by make_python_fixture.py. */
const truth = JSON.parse(readFileSync(file, "utf8")) as {
  numbers: { text: string; float: string | null; int: string | null; truncated: string | null }[];
  spaces: { text: string; strip: string; split: string[] }[];
  doubles: { repr: string; round: string[] }[];
  literals: { text: string; value: { is: unknown } | null }[];
  reprs: { value: unknown; str: string }[];
  distances: [string, string, number][];
};

describe("bench/python agrees with CPython", () => {
  it("reads numbers from text", () => {
    for (const { text, float, int, truncated } of truth.numbers) {
      const value = python.parseFloat(text);
      assert.equal(value === null ? null : python.floatRepr(value), float, JSON.stringify(text));
      assert.equal(python.parseInt(text)?.toString() ?? null, int, JSON.stringify(text));
      const cut = value === null ? null : python.truncate(value);
      assert.equal(cut?.toString() ?? null, truncated, JSON.stringify(text));
    }
  });

  it("refuses whole numbers of more than 4300 digits", () => {
    assert.equal(python.parseInt("9".repeat(4301)), null);
    assert.equal(python.parseInt("9".repeat(4300))?.toString().length, 4300);
  });

  it("knows what white space is", () => {
    for (const { text, strip, split } of truth.spaces) {
      assert.equal(python.strip(text), strip, JSON.stringify(text));
      assert.deepEqual(python.splitWords(text), split, JSON.stringify(text));
    }
  });

  it(`writes and rounds ${truth.doubles.length} doubles, ties to even`, () => {
    for (const { repr, round } of truth.doubles) {
      const value = Number(repr);
      assert.equal(python.floatRepr(value), repr);
      assert.deepEqual(
        [0, 1, 2].map((digits) => python.floatRepr(python.round(value, digits))),
        round,
        repr,
      );
    }
  });

  it("reads literals and writes them", () => {
    for (const { text, value } of truth.literals) {
      if (value === null) assert.throws(() => parseLiteral(text), /no Python literal/, text);
      else assert.deepEqual(parseLiteral(text), value.is, text);
    }
    for (const { value, str } of truth.reprs) assert.equal(pythonStr(value), str);
  });

  it("counts edits in code points", () => {
    for (const [a, b, edits] of truth.distances) assert.equal(python.editDistance(a, b), edits);
  });
});
