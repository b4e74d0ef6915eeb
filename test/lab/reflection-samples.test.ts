import assert from "node:assert/strict";
import {
  accountRows,
  lengthFigure,
  mixFigure,
  reflectionSamples,
} from "../../lib/lab/reflection-samples";
import { checkFigure } from "../../lib/lab/chart";
import { samplesBundle } from "../../lib/lab/viewer";
import type { ReflectionSample } from "../../lib/types";
import { rightAttempt, sums, wrongAttempt } from "../reflection/stage-one";

function sampleOf(right: boolean, changes: Partial<ReflectionSample["problem"]> = {}) {
  const { verdict } = (right ? rightAttempt : wrongAttempt)(sums);
  const answer = right ? "61" : "51";
  const sample: ReflectionSample = {
    problem: { ...sums, images: [], ...changes },
    attempt: { text: "", think: `The bars give ${answer}.`, answer },
    verdict,
    mode: right ? "condense" : "correct",
    reflection: "The carry of 4+7=11 counts.",
    second: { think: "The bars give 61.", answer: "61" },
    provenance: { policy: "p", teacher: "t", seed: 1 },
  };
  return sample;
}

describe("lab/reflection-samples", () => {
  const samples = [
    sampleOf(true, { source: "a" }),
    sampleOf(false, { source: "b" }),
    sampleOf(false, { source: "b", subject: "physics" }),
    sampleOf(false, { source: "c" }),
  ];

  it("makes cards with what differs between the solutions marked, and says who wrote what", async () => {
    const [right, wrong] = reflectionSamples(samples);
    assert.deepEqual([right.transition, wrong.transition], ["RR", "WR"]);
    assert.equal(wrong.label, "correct, by t");
    const quality = { score: 4, comment: "c", judge: "j" };
    const provenance = { ...samples[1].provenance, tries: 2, quality };
    const [retried] = reflectionSamples([{ ...samples[1], provenance }]);
    assert.equal(retried.label, "correct, by t at try 2, reasoning 4 of 5");
    const html = String((await samplesBundle([wrong]))["text/html"]);
    assert.match(html, /<del [^>]*>51<\/del>/);
    assert.match(html, /<ins [^>]*>61<\/ins>/);
  });

  it("plots the mix, the most frequent first, and says what it does not show", () => {
    const figure = mixFigure(samples, "source", { most: 2 });
    checkFigure("test", figure);
    assert.deepEqual(figure.bars?.groups, ["b", "a"]);
    assert.deepEqual(
      figure.bars?.series.map(({ name, values }) => [name, values]),
      [
        ["right", [0, 1]],
        ["wrong", [2, 0]],
      ],
    );
    assert.match(figure.subtitle ?? "", /n = 4, 25\.0 % of them right, 1 smaller groups/);
    assert.deepEqual(mixFigure(samples, "subject").bars?.groups, ["statistics", "physics"]);
  });

  it("plots lengths as shares that add up to one for each part", () => {
    const figure = lengthFigure(samples, { bins: 3 });
    checkFigure("test", figure);
    for (const { values } of figure.bars?.series ?? []) {
      assert.ok(Math.abs(values.reduce((a, b) => a + b, 0) - 1) < 1e-9);
    }
    // Four, five and four words in classes of two.
    assert.deepEqual(figure.bars?.groups, ["0–1", "2–3", "4–5"]);
  });

  it("accounts for every attempt and every teaching sent back", () => {
    const dropped = [{ reason: "truncated", right: 1, wrong: 0 }];
    const rejected = [{ reason: "a leak", right: 0, wrong: 2 }];
    assert.deepEqual(accountRows({ samples, dropped, rejected }), [
      { reason: "kept", right: 1, wrong: 3 },
      { reason: "truncated", right: 1, wrong: 0 },
      { reason: "sent back to the teacher: a leak", right: 0, wrong: 2 },
    ]);
  });
});
