import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { createRandom } from "../../lib/engine/random";
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

/** Pieces that number parsers, white space and quoting trip over. */
const PIECES = [
  ...["0", "1", "2", "5", "9", "00", "4503599627370497", ".", "_", "+", "-", "e", "E", "e-", "inf"],
  ...["nan", "infinity", " ", "\t", "\n", "\x1c", "\x85", "\xa0", "\u200b", "\u3000", "\ufeff"],
  ...[
    "\u0661",
    "\uff15",
    "\u{1d7d7}",
    "\xb2",
    "a",
    "'",
    '"',
    "\\",
    "\\n",
    "{",
    ",",
    "\x00",
    "\x7f",
  ],
  ...["\xad", "\u2028", "\ud800", "\u{1f600}", "\ue000", "\xe9", "\u4e2d"],
];

describe("bench/python agrees with the Python that is here", () => {
  const random = createRandom("python");
  const text = (): string =>
    Array.from({ length: random.int(0, 6) }, () => PIECES[random.int(0, PIECES.length - 1)]).join(
      "",
    );
  const number = (): string =>
    Array.from({ length: random.int(1, 5) }, () => PIECES[random.int(0, 21)]).join("");
  const value = (depth: number): unknown => {
    const kind = random.int(0, depth > 0 ? 6 : 4);
    if (kind < 2) return text();
    if (kind === 2) return random.int(-1000, 1000) / 8;
    if (kind === 3) return random.next() * 10 ** random.int(-8, 8);
    if (kind === 4) return [true, false, null][random.int(0, 2)];
    const items = Array.from({ length: random.int(0, 3) }, () => value(depth - 1));
    return kind === 5 ? items : Object.fromEntries(items.map((item) => [`${text()}k`, item]));
  };
  const double = (): number => {
    const near = random.int(-100_000, 100_000) / 10 ** random.int(0, 5);
    return random.int(0, 1) === 0 ? near : (random.next() - 0.5) * 10 ** random.int(-20, 25);
  };
  const shown = (found: number | null): string | null =>
    found === null ? null : python.floatRepr(found);

  const many = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);
  const rows: [operation: string, arguments: unknown[], ours: unknown][] = [
    ...many(1500, number).flatMap((it): typeof rows => {
      const float = python.parseFloat(it);
      const cut = float === null ? null : (python.truncate(float)?.toString() ?? null);
      return [
        ["float", [it], shown(float)],
        ["int", [it], python.parseInt(it)?.toString() ?? null],
        ["truncated", [it], cut],
      ];
    }),
    ...many(1000, double).flatMap((it) =>
      many(2, () => random.int(0, 5)).map((digits): (typeof rows)[number] => {
        return [
          "round",
          [python.floatRepr(it), digits],
          python.floatRepr(python.round(it, digits)),
        ];
      }),
    ),
    ...many(500, text).flatMap((it): typeof rows => [
      ["strip", [it], python.strip(it)],
      ["split", [it], python.splitWords(it)],
    ]),
    ...many(1500, () => value(3)).map((it): (typeof rows)[number] => ["str", [it], pythonStr(it)]),
  ];

  it(`in ${rows.length} random numbers, texts, roundings and values`, function () {
    this.timeout(30_000);
    const says = path.join(root, "test/fixtures/bench/python_says.py");
    const ask = (all: readonly unknown[]): unknown[] | null => {
      const input = all.map((row) => JSON.stringify(row) + "\n").join("");
      const { status, stdout } = spawnSync("python3", [says], { input, encoding: "utf8" });
      return status === 0
        ? stdout
            .trim()
            .split("\n")
            .map((line) => JSON.parse(line))
        : null;
    };
    const truths = ask(rows.map(([operation, args]) => [operation, ...args]));
    if (truths === null) {
      console.log("      skipped: there is no python3 to compare with");
      return this.skip();
    }
    rows.forEach(([operation, args, ours], i) => {
      assert.deepEqual(ours, truths[i], `${operation} ${JSON.stringify(args)}`);
    });
    // Python's own text of a value reads back as the value.
    const values = many(500, () => value(3));
    const texts = ask(values.map((it) => ["repr", it])) as string[];
    texts.forEach((literal, i) => assert.deepEqual(parseLiteral(literal), values[i], literal));
  });
});
