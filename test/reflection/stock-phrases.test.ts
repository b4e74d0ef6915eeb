import assert from "node:assert/strict";
import { createRepeatFilter, isStock } from "../../lib/reflection/stock-phrases";

describe("reflection/stock-phrases", () => {
  it("knows phrases that fit any problem, also with a word changed, and nothing that is about one", () => {
    for (const text of [
      "Wrong.",
      "The solution is wrong!",
      "There is a mistake in the calculation.",
      "There is a small mistake in the calculation. I should have been more careful.",
      "The reasoning is clear, concise and easy to follow. No changes are needed.",
      "LOOKS GOOD",
      "",
    ]) {
      assert.ok(isStock(text), text);
    }
    for (const text of [
      "The carry was forgotten. Wrong.",
      "Check: 5-2=3. Right.",
      "There is a mistake in the calculation. The tens of the left bar were read as ones.",
      "The answer is correct, but the angle at the top follows from the two others alone.",
    ]) {
      assert.ok(!isStock(text), text);
    }
  });

  it("lets so many of a kind pass, and tells kinds apart by their numbers", () => {
    const repeats = createRepeatFilter(2);
    const said = (extra: string): string =>
      `The carry from the ones was dropped when the two bars were added ${extra}`;
    assert.deepEqual(["here", "there", "now", "again"].map(said).map(repeats), [
      false,
      false,
      true,
      true,
    ]);
    const sums = Array.from(
      { length: 20 },
      (_unused, i) => `${i}+3=${i + 3}, so ${i + 3} and ${i} go.`,
    );
    assert.deepEqual(
      sums.map(repeats),
      sums.map(() => false),
    );
  });

  it("finds every repeat that a comparison of all with all finds", () => {
    const words = Array.from({ length: 12 }, (_unused, i) => `word${"abcdefghijkl"[i]}`);
    const spelled = (n: number): string =>
      `x${[...String(n)].map((d) => "abcdefghij"[Number(d)]).join("")}`;
    // Each text differs from the first in some of its twelve words.
    const texts = Array.from({ length: 200 }, (_unused, i) =>
      words
        .map((word, at) => ((i * 7 + at * 5) % 13 < i % 4 ? spelled(i * 12 + at) : word))
        .join(" "),
    );
    const shared = (a: string, b: string): number =>
      a.split(" ").filter((word) => b.split(" ").includes(word)).length / 12;
    const repeats = createRepeatFilter(1);
    const kinds: string[] = [];
    for (const text of texts) {
      const known = kinds.some((kind) => shared(kind, text) >= 0.9);
      if (!known) kinds.push(text);
      assert.equal(repeats(text), known, text);
    }
    assert.ok(kinds.length > 20 && kinds.length < 180, String(kinds.length));
  });
});
