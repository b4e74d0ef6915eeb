import assert from "node:assert/strict";
import { browserBundle, sampleBrowser } from "../../lib/lab/sample-browser";
import type { Sample } from "../../lib/lab/viewer";
import { jupyterDisplay } from "../../lib/lab/display";
import type { Transition } from "../../lib/types";

/** A sample with the answers that its transition needs; 7 is right. */
function sample(id: string, transition: Transition | null, total = 1): Sample {
  const answer = (right: boolean): string => (right ? "7" : "6");
  const [first, second] = [transition?.[0] === "R", transition?.[1] === "R"];
  return {
    problem: { id, question: `How much is ${id}?`, images: [], answer: "7", family: "sums" },
    response: {
      text: "…",
      first: { think: "3+4", answer: transition === null ? null : answer(first) },
      reflection: transition === null ? null : "Let me see.",
      second: { think: null, answer: transition === null ? null : answer(second) },
      faults: [],
    },
    firstCorrect: transition === null ? null : first,
    secondCorrect: transition === null ? null : second,
    transition,
    rewards: { format: total },
    total,
  };
}

const samples = [
  sample("a", "WR", 1.5),
  sample("b", "RR", 1),
  sample("c", "WR", 0.5),
  sample("d", null, 0),
];

/** The `<details>` of some HTML, outermost first: what their summaries say, and what is inside. */
function drawers(html: string): { name: string | null; summary: string; inside: string }[] {
  const found: ReturnType<typeof drawers> = [];
  let depth = 0;
  let begin = 0;
  for (const { 0: tag, index } of html.matchAll(/<details[^>]*>|<\/details>/g)) {
    if (tag.startsWith("</")) depth -= 1;
    else if (depth++ === 0) begin = index;
    if (depth > 0) continue;
    const [, head, summary, inside] =
      /^<details([^>]*)><summary[^>]*>(.*?)<\/summary>(.*)$/s.exec(html.slice(begin, index)) ?? [];
    const name = /name="([^"]+)"/.exec(head)?.[1] ?? null;
    found.push({ name, summary: summary.replace(/<[^>]+>/g, ""), inside });
  }
  assert.equal(depth, 0);
  return found;
}

describe("the browser of samples", () => {
  it("has a drawer for each transition that occurs, with its count and mean reward", async () => {
    const outer = drawers(String((await browserBundle(samples))["text/html"]));
    assert.deepEqual(
      outer.map(({ summary }) => summary),
      [
        "RR right, stays right · 1 sample · mean reward 1.00",
        "WR wrong, turns right · 2 samples · mean reward 1.00",
        "no transition fewer than two answers · 1 sample · mean reward 0.00",
      ],
    );
    // One name: where the browser knows it, opening one closes the others.
    assert.equal(new Set(outer.map(({ name }) => name)).size, 1);
    const lines = drawers(outer[1].inside);
    assert.deepEqual(
      lines.map(({ summary }) => summary),
      ["a · 6 ✗ wrong → 7 ✓ right · reward 1.50", "c · 6 ✗ wrong → 7 ✓ right · reward 0.50"],
    );
    assert.notEqual(lines[0].name, outer[0].name);
    for (const part of ["How much is a?", "Let me see.", "format", "gold answer"]) {
      assert.ok(lines[0].inside.includes(part), part);
    }
  });

  it("needs neither script nor style sheet, which a notebook that is not trusted loses", async () => {
    const html = String((await browserBundle(samples))["text/html"]);
    assert.doesNotMatch(html, /<(script|style|input|button)|\son\w+=/);
  });

  it("can be asked for some transitions, and counts what it leaves out", async () => {
    const many = Array.from({ length: 5 }, (_, i) => sample(`s${i}`, "WW"));
    const bundle = await browserBundle([...samples, ...many], {
      transitions: ["WW", "RW"],
      limit: 2,
    });
    const [only, ...rest] = drawers(String(bundle["text/html"]));
    assert.deepEqual(rest, []);
    assert.match(only.summary, /^WW .* 5 samples/);
    assert.equal(drawers(only.inside).length, 2);
    assert.match(only.inside, /… and 3 more/);
    assert.match(bundle["text/plain"], /… and 3 more$/);
    assert.doesNotMatch(bundle["text/plain"], /How much is [a-d]\?/);
  });

  it("lets nothing that a policy writes become markup, and is the value of a cell", async () => {
    const nasty = sample("</summary><img src=x onerror=alert(1)>", "RW");
    nasty.response.first.answer = "</details><script>";
    const bundle = await sampleBrowser([nasty])[jupyterDisplay]();
    const html = String(bundle["text/html"]);
    assert.doesNotMatch(html, /<img|<script/);
    assert.equal(drawers(html).length, 1);
  });
});
