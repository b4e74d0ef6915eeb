import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import {
  drawItem,
  generateItems,
  materialize,
  renderPng,
} from "../../datasets/visual-math/problems";
import { everyLevel, numbersIn } from "./every-level";

interface Lettering {
  text: string;
  fill: string;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Where texts stand in a picture, measured on the outlines themselves. */
function letteringOf(svg: string): Lettering[] {
  const pattern =
    /<path aria-label="([^"]+)" transform="translate\((\S+) (\S+)\) scale\((\S+) (\S+)\)" fill="([^"]+)" d="([^"]+)"\/>/g;
  return [...svg.matchAll(pattern)].map(([, text, x, y, scaleX, scaleY, fill, d]) => {
    const [xs, ys]: [number[], number[]] = [[], []];
    for (const [, startX, startY, rest] of d.matchAll(/M(-?\d+) (-?\d+)([^M]*)/g)) {
      let [atX, atY] = [Number(startX), Number(startY)];
      xs.push(atX);
      ys.push(atY);
      for (const [, numbers] of rest.matchAll(/[lqc]([^lqcz]*)/g)) {
        const steps = numbers.trim().split(/[ ,]+/).map(Number);
        [atX, atY] = [atX + steps[steps.length - 2], atY + steps[steps.length - 1]];
        xs.push(atX);
        ys.push(atY);
      }
    }
    return {
      text,
      fill,
      left: Number(x) + Math.min(...xs) * Number(scaleX),
      right: Number(x) + Math.max(...xs) * Number(scaleX),
      top: Number(y) + Math.max(...ys) * Number(scaleY),
      bottom: Number(y) + Math.min(...ys) * Number(scaleY),
    };
  });
}

const overlap = (a: Lettering, b: Lettering): boolean =>
  a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/** Relative luminance and contrast, written out again from WCAG 2.1 and not taken from the code under test. */
function contrastOf(one: readonly number[], other: readonly number[]): number {
  const luminance = (rgb: readonly number[]): number => {
    const [r, g, b] = rgb.map((v) =>
      v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

const rgb = (hex: string): number[] => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

describe("visual-math pictures", function () {
  this.timeout(60_000);

  const items = everyLevel(6);

  it("are the same bytes on every machine", () => {
    const digest = createHash("sha256");
    for (const item of everyLevel(2)) digest.update(drawItem(item));
    // Pinned: when a family or the canvas changes on purpose, raise GENERATOR in problems.ts and pin anew.
    assert.equal(digest.digest("hex").slice(0, 16), "e91df7538fb8ca3c");
  });

  it("are the same again from the same seed, and others from another", () => {
    const options = { split: "test", count: 50 } as const;
    const draw = (seed: number): string[] => generateItems({ ...options, seed }).map(drawItem);
    assert.deepEqual(draw(3), draw(3));
    assert.notDeepEqual(draw(3), draw(4));
  });

  it("show every number that matters, except those that are drawn as things", () => {
    for (const item of items) {
      const { family, level, id } = item.problem;
      const drawn = new Set(letteringOf(drawItem(item)).flatMap(({ text }) => numbersIn(text)));
      const counted = family === "counting" ? (level === 1 ? [0, 1] : [0]) : [];
      const hands = family === "clock" && level === 1 ? [0] : [];
      item.scene.values.forEach((value, i) => {
        if (![...counted, ...hands].includes(i)) assert.ok(drawn.has(value), `${id}: ${value}`);
      });
    }
  });

  it("put each number where its label says", () => {
    for (const item of everyLevel(20)) {
      const { family, reading = "", id } = item.problem;
      const texts = letteringOf(drawItem(item));
      const middle = ({ left, right }: Lettering): number => (left + right) / 2;
      const above = (label: Lettering): Lettering[] =>
        texts.filter((text) => /\d/.test(text.text) && Math.abs(middle(text) - middle(label)) < 5);
      if (!["bars", "lines", "beaker", "rod"].includes(family) || reading.startsWith("Column X"))
        continue;
      for (const [, letter, value] of reading.matchAll(/\b([A-DKMST]) is at (\d+)/g)) {
        const label = texts.find((text) => text.text === letter);
        assert.ok(label !== undefined, id);
        assert.deepEqual(
          above(label).map((text) => text.text),
          [value],
          `${id}: ${letter}`,
        );
      }
    }
    for (const item of everyLevel(20).filter(({ problem }) => problem.family === "table")) {
      const texts = letteringOf(drawItem(item));
      const find = (name: string): Lettering =>
        texts.find((text) => text.text === name) as Lettering;
      for (const [, row, column, value] of (item.problem.reading ?? "").matchAll(
        /row (\w) column (\w) is (\d+)/gi,
      )) {
        const cell = texts.filter(
          (text) =>
            Math.abs(text.top + text.bottom - find(row).top - find(row).bottom) < 8 &&
            Math.abs(text.left + text.right - find(column).left - find(column).right) < 16,
        );
        assert.deepEqual(
          cell.map((text) => text.text),
          [value],
          item.problem.id,
        );
      }
    }
  });

  it("show numbers that the question does not ask for", () => {
    const withOthers = new Set(
      items
        .filter((item) => {
          const drawn = letteringOf(drawItem(item)).filter(({ text }) => /^\d+$/.test(text));
          return drawn.length > item.scene.values.length;
        })
        .map(({ problem }) => problem.family),
    );
    for (const name of ["bars", "lines", "table", "shop", "rod", "motion"])
      assert.ok(withOthers.has(name), name);
  });

  it("keep texts large, inside, and apart from each other", () => {
    for (const item of everyLevel(25)) {
      const texts = letteringOf(drawItem(item));
      assert.ok(texts.length > 0 || item.problem.family === "counting", item.problem.id);
      texts.forEach((text, i) => {
        const where = `${item.problem.id}: ${text.text}`;
        const least = /\d/.test(text.text) ? 11.9 : 10.9;
        assert.ok(text.bottom - text.top > least || !/^[A-Z0-9]+$/.test(text.text), where);
        assert.ok(
          text.left >= 0 && text.top >= 0 && text.right <= 112 && text.bottom <= 112,
          where,
        );
        for (const other of texts.slice(i + 1))
          assert.ok(!overlap(text, other), `${where} and ${other.text}`);
      });
    }
  });

  it("set every text on plain ground with contrast to it", async () => {
    for (const item of items) {
      const svg = drawItem(item);
      const bare = svg.replace(/<path aria-label="[^>]*>/g, "");
      const { data, info } = await sharp(Buffer.from(bare))
        .removeAlpha()
        .raw()
        .toBuffer({ resolveWithObject: true });
      for (const { text, fill, left, right, top, bottom } of letteringOf(svg)) {
        for (let y = Math.floor(top); y < Math.ceil(bottom); y++) {
          for (let x = Math.floor(left); x < Math.ceil(right); x++) {
            const at = (y * info.width + x) * info.channels;
            const ground = [...data.subarray(at, at + 3)];
            const contrast = contrastOf(rgb(fill), ground);
            assert.ok(
              contrast > 4,
              `${item.problem.id}: ${text} at ${x}, ${y} on ${ground}: ${contrast}`,
            );
          }
        }
      }
    }
  });

  it("decode as PNG at the size of their style, and are not blank", async () => {
    for (const item of items.filter((_, i) => i % 6 === 0)) {
      const png = await renderPng(item);
      const { format, width, height, channels } = await sharp(png).metadata();
      const { width: wide, height: high } = item.style;
      assert.deepEqual([format, width, height, channels], ["png", wide, high, 3], item.problem.id);
      assert.equal(wide % 28, 0);
      const { channels: stats } = await sharp(png).stats();
      assert.ok(
        stats.some(({ stdev }) => stdev > 10),
        item.problem.id,
      );
    }
  });

  it("are drawn once into a folder, and their paths returned in order", async () => {
    const folder = mkdtempSync(join(tmpdir(), "visual-math-"));
    try {
      const few = generateItems({ split: "test", count: 7, seed: 8 });
      const problems = await materialize(few, folder);
      const paths = few.map(({ problem }) => join(folder, `${problem.id}.png`));
      assert.deepEqual(
        problems.map(({ images }) => images),
        paths.map((path) => [path]),
      );
      assert.deepEqual(
        problems.map(({ id }) => id),
        few.map(({ problem }) => problem.id),
      );
      assert.ok(few.every(({ problem }) => problem.images.length === 0));
      const inodes = paths.map((path) => statSync(path).ino);
      await materialize(few, folder);
      assert.deepEqual(
        paths.map((path) => statSync(path).ino),
        inodes,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
