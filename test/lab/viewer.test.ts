import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import sharp from "sharp";
import { sheetBundle } from "../../lib/lab/contact-sheet";
import { sampleCards, samplesBundle, wordDiff, type Sample } from "../../lib/lab/viewer";
import { jupyterDisplay } from "../../lib/lab/display";

describe("viewer", () => {
  let folder: string;
  let red: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "viewer-"));
    red = join(folder, "red.png");
    const square = { width: 56, height: 28, channels: 3 as const, background: "#FF0000" };
    await sharp({ create: square }).png().toFile(red);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const sample = (changes: Partial<Sample> = {}): Sample => ({
    problem: {
      id: "bars-1",
      question: "How much do A & B have?",
      images: [red],
      answer: "61",
      family: "bars",
    },
    response: {
      text: "…",
      first: { think: "4+7=11, 3+2=5, so 51.", answer: "51" },
      reflection: "The carry was lost.",
      second: { think: "4+7=11, 3+2+1=6, so 61.", answer: "61" },
      faults: [],
    },
    firstCorrect: false,
    secondCorrect: true,
    transition: "WR",
    rewards: { format: 0.5, length: -0.25 },
    total: 0.25,
    label: "step 100",
    ...changes,
  });

  it("tells everything as text", async () => {
    const { "text/plain": text } = await samplesBundle([sample()]);
    assert.equal(
      text,
      [
        "── bars · bars-1 · step 100 · WR (wrong, turns right)",
        "question: How much do A & B have?",
        `picture: ${relative(process.cwd(), red)}`,
        "gold answer: 61",
        "first solution: 4+7=11, 3+2=5, so 51. → 51 ✗ wrong",
        "reflection: The carry was lost.",
        "second solution: 4+7=11, 3+2+1=6, so 61. → 61 ✓ right",
        "reward: format 0.5 · length -0.25 · total 0.25",
      ].join("\n"),
    );
  });

  it("tells the same as a card, with the verdicts in words and the picture inside", async () => {
    const html = String((await samplesBundle([sample()]))["text/html"]);
    for (const part of [
      "✗ wrong",
      "✓ right",
      "WR",
      "wrong, turns right",
      "The carry was lost.",
      "-0.25",
    ]) {
      assert.ok(html.includes(part), part);
    }
    const [, picture] = /src="data:image\/png;base64,([^"]+)"/.exec(html) ?? [];
    const { dominant } = await sharp(Buffer.from(picture, "base64")).stats();
    assert.ok(dominant.r > 240 && dominant.g < 16);
    assert.deepEqual(
      await sampleCards([sample()])[jupyterDisplay](),
      await samplesBundle([sample()]),
    );
  });

  it("marks the words that changed, and gives both texts back without the marks", () => {
    const [before, after] = ["3+2=5, so 51 <b>", "3+2+1=6, so 61 <b>"];
    const { first, second } = wordDiff(before, after);
    assert.match(first, /<del[^>]*>51<\/del>/);
    assert.match(second, /<ins[^>]*>61<\/ins>/);
    const bare = (html: string): string =>
      html
        .replace(/<\/?(ins|del)[^>]*>/g, "")
        .replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code));
    assert.equal(bare(first), before);
    assert.equal(bare(second), after);
  });

  it("lets nothing that a policy writes become markup", async () => {
    const attack = `<img src=x onerror="alert(1)">'`;
    const nasty = sample({
      label: attack,
      problem: {
        ...sample().problem,
        question: attack,
        answer: attack,
        family: attack,
        id: attack,
      },
      response: {
        text: attack,
        first: { think: attack, answer: attack },
        reflection: attack,
        second: { think: `${attack}!`, answer: attack },
        faults: [],
      },
      rewards: { [attack]: 1 },
    });
    const html = String((await samplesBundle([nasty]))["text/html"]);
    assert.doesNotMatch(html, /<img src=x/);
    assert.doesNotMatch(html, /onerror="/);
  });

  it("shows a response that could not be parsed as it is, with its faults", async () => {
    const none = { think: null, answer: null };
    const bundle = await samplesBundle([
      sample({
        response: {
          text: "<think> 34 and",
          first: none,
          reflection: null,
          second: none,
          faults: ["no-answer", "truncated"],
        },
        transition: null,
        firstCorrect: null,
        secondCorrect: null,
      }),
    ]);
    for (const form of [bundle["text/plain"], String(bundle["text/html"])]) {
      assert.match(form, /(<|&#60;)think(>|&#62;) 34 and/);
      assert.match(form, /no-answer, truncated/);
      assert.doesNotMatch(form, /second solution|✗|✓/);
    }
  });

  it("names a picture that cannot be read and shows the rest", async () => {
    const broken = join(folder, "broken.png");
    writeFileSync(broken, "no picture");
    const problem = { ...sample().problem, images: [broken] };
    const html = String((await samplesBundle([sample({ problem })]))["text/html"]);
    assert.match(html, /no picture: .*broken\.png/);
    assert.match(html, /The carry was lost/);
  });

  it("lists the choices of a question that does not list them itself", async () => {
    const problem = { ...sample().problem, choices: ["<b>", "62"] };
    const bundle = await samplesBundle([sample({ problem })]);
    assert.match(String(bundle["text/html"]), /<div>\(A\) &#60;b&#62; &nbsp; \(B\) 62<\/div>/);
    assert.match(String(bundle["text/plain"]), /\n\(B\) 62\n/);
    const listed = { ...problem, question: "Which?\n(A) 1\n(B) 62" };
    const again = await samplesBundle([sample({ problem: listed })]);
    assert.doesNotMatch(String(again["text/html"]), /&nbsp; \(B\)/);
  });

  it("puts pictures and captions of many problems on one sheet", async () => {
    const problem = { ...sample().problem, level: 2 };
    const lost = { ...problem, id: "lost", images: [join(folder, "none.png")] };
    const bundle = await sheetBundle([problem, lost, problem], { columns: 2, size: 100 });
    const { data, info } = await sharp(Buffer.from(bundle["image/png"] as string, "base64"))
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    assert.deepEqual([info.width, info.height], [2 * 116 + 16, 2 * 191 + 16]);
    const at = (x: number, y: number): number[] => [
      ...data.subarray(3 * (y * info.width + x)).subarray(0, 3),
    ];
    // A picture of 2:1 lies in the middle of its square.
    assert.deepEqual(at(66, 66), [255, 0, 0]);
    assert.deepEqual(at(66, 20), [255, 255, 255]);
    assert.deepEqual(at(182, 66), [255, 255, 255]);
    const lines = bundle["text/plain"].split("\n");
    assert.equal(lines[0], "bars, level 2 (bars-1): How much do A & B have? → 61");
    assert.match(lines[1], /no picture: .*none\.png/);
  });
});
