import assert from "node:assert/strict";
import { createRandom } from "../../lib/engine/random";
import {
  isWellFormed,
  parseResponse,
  renderResponse,
  renderSolution,
} from "../../lib/reflection/template";
import type { Fault, Response } from "../../lib/types";

const ONE = "<think>a</think><answer>1</answer>";
const REST = "<reflection>r</reflection><think>b</think><answer>2</answer>";
const FULL = ONE + REST;
const HALF: Fault[] = ["no-reflection", "no-second-think", "no-second-answer"];
const NOTHING: Fault[] = ["no-think", "no-answer", ...HALF];

/** Malformed (or single) texts with exactly the faults that they have. */
const MALFORMED: [string, Fault[]][] = [
  ["", NOTHING],
  ["   \n", NOTHING],
  ["61", [...NOTHING, "text-before"]],
  [ONE, HALF],
  ["<think>a</think>", ["no-answer", ...HALF]],
  ["<answer>1</answer>", ["no-think", ...HALF]],
  ["<think>a</think><answer>1", ["no-answer", ...HALF, "unclosed-tag"]],
  ["<think>a<answer>1</answer>", [...HALF, "unclosed-tag"]],
  ["a</think><answer>1</answer>", ["no-think", ...HALF, "wrong-order", "text-before"]],
  ["<think></think><answer>1</answer>", [...HALF, "empty-think"]],
  ["<think>a</think><answer> \n</answer>", [...HALF, "empty-answer"]],
  ["<answer>1</answer><think>a</think>", ["no-think", "no-reflection", "no-second-answer"]],
  ["<THINK>a</THINK><answer>1</answer>", ["no-think", ...HALF, "text-before"]],
  ["<think >a</think><answer>1</answer>", ["no-think", ...HALF, "wrong-order", "text-before"]],
  ["Hello " + FULL, ["text-before"]],
  [FULL + " bye", ["text-after"]],
  [ONE + " so " + REST, ["text-between"]],
  [FULL + FULL, ["repeated-tag"]],
  [FULL + "<answer>3</answer>", ["repeated-tag"]],
  [ONE + "<reflection>r</reflection>" + REST, ["repeated-tag"]],
  [FULL + "</answer>", ["wrong-order", "text-after"]],
  [ONE + "<reflection></reflection><think>b</think><answer>2</answer>", ["empty-reflection"]],
  [ONE + "<reflection>r</reflection>", ["no-second-think", "no-second-answer"]],
  [ONE + "<reflection>r</reflection><answer>2</answer>", ["no-second-think"]],
  [ONE + "<reflection>r</reflection><think>b</think>", ["no-second-answer"]],
  [ONE + ONE, ["no-reflection"]],
  [ONE + "<reflection>r<think>b</think><answer>2</answer>", ["unclosed-tag"]],
  [
    ONE + "<reflection>r</reflection><think>b</think><answer>2",
    ["no-second-answer", "unclosed-tag"],
  ],
  [REST, ["no-second-think", "no-second-answer", "wrong-order"]],
  ["<think>a</think>" + REST, ["no-second-think", "no-second-answer", "wrong-order"]],
  [ONE + "<think>b</think><reflection>r</reflection><answer>2</answer>", ["wrong-order"]],
  [ONE + "<think>b</think><answer>2</answer><reflection>r</reflection>", ["wrong-order"]],
  ["<think>a</think><think>b</think><answer>1</answer>", [...HALF, "wrong-order"]],
  ["<think>a</answer>b</think><answer>1</answer>", [...HALF, "wrong-order"]],
  [
    "<think>a<think>b</think></think><answer>1</answer>",
    [...HALF, "wrong-order", "unclosed-tag", "text-between"],
  ],
  [
    "<answer>1<answer>2</answer></answer>",
    ["no-think", ...HALF, "wrong-order", "unclosed-tag", "text-after"],
  ],
  ["<think>a</think><answer>1</answer><answer>2</answer>", ["no-reflection", "no-second-think"]],
  ["<reflection>r</reflection>", ["no-think", "no-answer", "no-second-think", "no-second-answer"]],
  ["</think></answer></reflection>", [...NOTHING, "wrong-order", "text-before"]],
];

/** What must hold of any response whatever. */
function checkInvariants(text: string): Response {
  const response = parseResponse(text);
  assert.equal(response.text, text);
  const parts: [keyof Response["spans"], string | null][] = [
    ["firstThink", response.first.think],
    ["firstAnswer", response.first.answer],
    ["reflection", response.reflection],
    ["secondThink", response.second.think],
    ["secondAnswer", response.second.answer],
  ];
  for (const [name, part] of parts) {
    const span = response.spans[name];
    if (part === null) assert.equal(span, undefined, `${name} is absent but has a span`);
    else assert.equal(span && text.slice(span.start, span.end), part);
  }
  assert.deepEqual([...new Set(response.faults)], response.faults, "a fault is named once");
  const absent = parts.some(([, part]) => part === null);
  assert.equal(
    response.faults.some((name) => name.startsWith("no-")),
    absent,
  );
  // With two solutions: well formed exactly when the text is its own parts again, up to white space between them.
  if (isWellFormed(response, { solutions: 2 })) {
    const squeezed = text.replace(/>\s+</g, "><").trim();
    assert.equal(renderResponse(response).replace(/>\s+</g, "><"), squeezed);
  }
  return response;
}

describe("reflection/template", () => {
  it("takes a well-formed response apart, with any white space between its parts", () => {
    for (const separator of ["", " ", "\n", "\r\n\t "]) {
      const text = FULL.replace(/></g, `>${separator}<`) + separator;
      const response = checkInvariants(text);
      assert.deepEqual(response.faults, []);
      assert.deepEqual(response.first, { think: "a", answer: "1" });
      assert.equal(response.reflection, "r");
      assert.deepEqual(response.second, { think: "b", answer: "2" });
      assert.equal(isWellFormed(response, { solutions: 2 }), true);
      assert.equal(isWellFormed(response, { solutions: 1 }), false);
    }
  });

  it("takes one solution for well formed only where one was asked for", () => {
    const response = parseResponse(ONE);
    assert.equal(isWellFormed(response, { solutions: 1 }), true);
    assert.equal(isWellFormed(response, { solutions: 2 }), false);
    assert.equal(
      isWellFormed(parseResponse(ONE + "<reflection>r</reflection>"), { solutions: 1 }),
      false,
    );
    assert.equal(isWellFormed(parseResponse("x" + ONE), { solutions: 1 }), false);
    assert.equal(
      isWellFormed(parseResponse("x" + ONE), { solutions: 1, forgive: ["text-before"] }),
      true,
    );
  });

  for (const [text, faults] of MALFORMED) {
    it(`names the faults of ${JSON.stringify(text)}`, () => {
      const response = checkInvariants(text);
      assert.deepEqual(new Set(response.faults), new Set(faults));
      assert.equal(isWellFormed(response, { solutions: 2 }), false);
      assert.equal(isWellFormed(response, { solutions: 1 }), text === ONE);
    });
  }

  it("calls a truncated response ill formed even where every tag is closed", () => {
    const response = parseResponse(FULL, { truncated: true });
    assert.deepEqual(response.faults, ["truncated"]);
    assert.equal(isWellFormed(response, { solutions: 2 }), false);
  });

  it("finds the only answer where the reflection came first, and keeps what an unclosed think says", () => {
    const early = parseResponse("<think>a</think><reflection>r</reflection><answer>1</answer>");
    assert.equal(early.first.answer, "1");
    assert.equal(early.second.answer, null);
    assert.equal(parseResponse("<think>half a tho").first.think, "half a tho");
    assert.equal(parseResponse("<think>a</think><answer>6").first.answer, null);
  });

  it("keeps its invariants on 3,000 random heaps of tags", () => {
    const random = createRandom("heaps");
    const pieces = ["think", "answer", "reflection"].flatMap((tag) => [`<${tag}>`, `</${tag}>`]);
    let wellFormed = 0;
    for (let i = 0; i < 3000; i++) {
      // Half of the heaps are a good response with one piece changed, for pure chance never comes near one.
      const list =
        i % 2 === 0
          ? Array.from({ length: random.int(0, 14) }, () => random.pick([...pieces, "x", " "]))
          : (FULL.match(/<[^>]*>|[^<]+/g) ?? []).slice();
      if (i % 2 === 1) list[random.int(0, list.length - 1)] = random.pick([...pieces, "x", " "]);
      wellFormed += checkInvariants(list.join("")).faults.length === 0 ? 1 : 0;
    }
    assert.ok(wellFormed > 0 && wellFormed < 1500, `${wellFormed} well formed`);
  });

  it("renders what it parsed, and parses what it rendered", () => {
    const random = createRandom("render");
    const word = (): string =>
      random.pick(["34+27=61.", " <b>x</b> ", "a\nb", "<thinks>", "é😀", "x<y", "\\boxed{1}"]);
    for (let i = 0; i < 200; i++) {
      const parts = {
        first: { think: word(), answer: word() },
        reflection: word(),
        second: { think: word(), answer: word() },
      };
      const text = renderResponse(parts);
      const { first, reflection, second, faults } = parseResponse(text);
      assert.deepEqual({ first, reflection, second }, parts);
      assert.deepEqual(faults, []);
      assert.equal(renderResponse(parseResponse(text)), text);
      assert.equal(
        renderSolution(first) + `<reflection>${reflection}</reflection>` + renderSolution(second),
        text,
      );
    }
  });

  it("refuses to render a part that would be read back as another", () => {
    assert.throws(
      () => renderSolution({ think: "a</think><answer>9</answer>", answer: "1" }),
      /holds a tag/,
    );
  });

  it("reads a million hostile characters", () => {
    const shapes = [
      "<think>",
      "</think>",
      "<",
      "<think><answer>",
      "<answer>1</answer>",
      "<think",
      "<reflection> ",
      "</",
    ];
    for (const shape of shapes) {
      const text = shape.repeat(Math.ceil(1e6 / shape.length));
      assert.ok(parseResponse(text).faults.length > 0, shape);
    }
  });
});
