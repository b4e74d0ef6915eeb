import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { parse } from "opentype.js";
import sharp from "sharp";
import { CAP_HEIGHT, escapeXml, fontNames, textPath, textWidth } from "../../lib/lab/glyphs";

/** The box of the ink of `path` on a white 200 x 100 picture, as an SVG renderer draws it. */
async function inkOf(
  path: string,
): Promise<{ left: number; top: number; right: number; bottom: number }> {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="200" height="100"><rect width="200" height="100" fill="#fff"/>${path}</svg>`;
  const { data, info } = await sharp(Buffer.from(svg))
    .greyscale()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const [xs, ys]: [number[], number[]] = [[], []];
  for (let at = 0; at < info.width * info.height; at++) {
    if (data[at * info.channels] > 127) continue;
    xs.push(at % info.width);
    ys.push(Math.floor(at / info.width));
  }
  return {
    left: Math.min(...xs),
    right: Math.max(...xs) + 1,
    top: Math.min(...ys),
    bottom: Math.max(...ys) + 1,
  };
}

describe("glyphs", () => {
  it("put the ink where opentype.js draws the glyphs one by one", async () => {
    const bytes = readFileSync(require.resolve("dejavu-fonts-ttf/ttf/DejaVuSerif-Bold.ttf"));
    const font = parse(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    for (const text of ["g8", "37%", "Ägy"]) {
      let pen = 20;
      const boxes = [...text].map((character) => {
        const glyph = font.charToGlyph(character);
        const box = glyph.getPath(pen, 70, 40).getBoundingBox();
        pen += ((glyph.advanceWidth ?? 0) * 40) / font.unitsPerEm;
        return box;
      });
      const expected = {
        x1: Math.min(...boxes.map(({ x1 }) => x1)),
        x2: Math.max(...boxes.map(({ x2 }) => x2)),
        y1: Math.min(...boxes.map(({ y1 }) => y1)),
        y2: Math.max(...boxes.map(({ y2 }) => y2)),
      };
      const ink = await inkOf(textPath({ text, x: 20, y: 70, size: 40, font: "serif-bold" }));
      const pairs = [
        [ink.left, expected.x1],
        [ink.right, expected.x2],
        [ink.top, expected.y1],
        [ink.bottom, expected.y2],
      ];
      // One pixel: the renderer's anti-aliasing, cut at half grey.
      for (const [got, wanted] of pairs)
        assert.ok(Math.abs(got - wanted) <= 1, `${text}: ${pairs}`);
    }
  });

  it("anchor text at its middle and its end by its width", () => {
    const startOf = (anchor: "start" | "middle" | "end"): number =>
      Number(
        textPath({ text: "128", x: 100, y: 50, size: 20, anchor }).match(/translate\((\S+)/)?.[1],
      );
    const width = textWidth({ text: "128", size: 20 });
    assert.equal(startOf("start"), 100);
    assert.ok(Math.abs(startOf("middle") - (100 - width / 2)) < 0.01);
    assert.ok(Math.abs(startOf("end") - (100 - width)) < 0.01);
  });

  it("have digits of one height in every font", async () => {
    for (const font of fontNames) {
      const { top, bottom } = await inkOf(textPath({ text: "7", x: 50, y: 80, size: 80, font }));
      assert.ok(Math.abs(bottom - top - 80 * CAP_HEIGHT) <= 1, `${font}: ${bottom - top}`);
    }
  });

  it("name the fonts there are when one is unknown", () => {
    assert.throws(
      () => textPath({ text: "1", x: 0, y: 0, size: 10, font: "arial" }),
      /"arial".*sans-bold/,
    );
  });

  it("escape what would end an attribute", () => {
    assert.equal(escapeXml('a<b & "c">'), "a&lt;b &amp; &quot;c&quot;&gt;");
    assert.match(textPath({ text: "<", x: 0, y: 0, size: 10 }), /aria-label="&lt;"/);
  });
});
