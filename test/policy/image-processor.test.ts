import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import {
  createImageProcessor,
  loadImageProcessor,
  smartResize,
} from "../../lib/policy/image-processor";

// Made with transformers and Pillow, see make_policy_fixture.py there.
const FIXTURES = join(__dirname, "../../../test/fixtures/policy/images");
const BASE_POLICY = join(__dirname, "../../../datasets/base-policy");

interface Golden {
  file: string;
  grid: number[];
  levels_sha256: string;
  every_997th: number[];
}
const goldens = JSON.parse(readFileSync(join(FIXTURES, "images.json"), "utf8")) as Golden[];

describe("image processor", () => {
  const processor = loadImageProcessor(BASE_POLICY);

  for (const golden of goldens) {
    it(`computes what transformers computes for ${golden.file}`, async () => {
      const { patches, grid } = await processor.processImage(join(FIXTURES, golden.file));
      assert.deepEqual(grid, golden.grid);
      const { imageMean, imageStd } = processor.config;
      const patchLength = 3 * 2 * 14 * 14;
      assert.equal(patches.length, grid[1] * grid[2] * patchLength);
      // The 8-bit levels behind the pixel values, all of them, in their order.
      const levels = Uint8Array.from(patches, (value, i) => {
        const channel = Math.floor((i % patchLength) / (patchLength / 3));
        return Math.round((value * imageStd[channel] + imageMean[channel]) * 255);
      });
      assert.equal(createHash("sha256").update(levels).digest("hex"), golden.levels_sha256);
      golden.every_997th.forEach((value, i) => {
        // Pillow's path normalises in another order of float32 operations than the fused one.
        assert.ok(Math.abs(patches[i * 997] - value) < 2e-6, `value ${i * 997}`);
      });
    });
  }

  it("takes a buffer as well as a path", async () => {
    const path = join(FIXTURES, "exact.png");
    assert.deepEqual(
      await processor.processImage(readFileSync(path)),
      await processor.processImage(path),
    );
  });

  it("shows transparency as white", async () => {
    const clear = { r: 10, g: 200, b: 30, alpha: 0 };
    const create = { width: 56, height: 56, channels: 4 as const, background: clear };
    const { patches } = await processor.processImage(await sharp({ create }).png().toBuffer());
    const white = (1 - processor.config.imageMean[0]) / processor.config.imageStd[0];
    assert.ok(Math.abs(patches[0] - white) < 1e-5);
  });

  it("only rescales where the file says not to normalise", async () => {
    const plain = createImageProcessor({
      ...processor.config,
      imageMean: [0, 0, 0],
      imageStd: [1, 1, 1],
    });
    const create = { width: 56, height: 56, channels: 3 as const, background: "#ff3300" };
    const { patches } = await plain.processImage(await sharp({ create }).png().toBuffer());
    const channels = [0, 1, 2].map((channel) => patches[channel * 2 * 14 * 14]);
    assert.deepEqual(channels, [1, Math.fround(0x33 / 255), 0]);
  });

  describe("smartResize", () => {
    const options = { factor: 28, minPixels: 28 * 28 * 4, maxPixels: 28 * 28 * 64 };
    const sized = (width: number, height: number) => {
      const size = smartResize({ width, height }, options);
      return [size.width, size.height];
    };

    it("rounds halves to the even multiple, as Python does", () => {
      // 70 = 2.5 * 28, 98 = 3.5 * 28, 126 = 4.5 * 28.
      assert.deepEqual(sized(70, 98), [56, 112]);
      assert.deepEqual(sized(126, 70), [112, 56]);
    });

    it("keeps multiples of the factor within the budget as they are", () => {
      assert.deepEqual(sized(112, 84), [112, 84]);
    });

    it("shrinks and enlarges into the budget, at least one factor a side", () => {
      assert.deepEqual(sized(1000, 1000), [224, 224]);
      assert.deepEqual(sized(10, 10), [56, 56]);
      // Values of transformers' smart_resize.
      assert.deepEqual(sized(3000, 20), [2716, 28]);
      assert.deepEqual(sized(13, 40), [56, 112]);
    });
  });

  describe("bad input", () => {
    let folder: string;
    before(() => {
      folder = mkdtempSync(join(tmpdir(), "image-processor-"));
    });
    after(() => rmSync(folder, { recursive: true, force: true }));

    const refuses = (path: string, message: RegExp) =>
      assert.rejects(processor.processImage(path), { name: "LabError", message });

    it("names a missing file", () =>
      refuses(join(folder, "absent.png"), /no file at .*absent\.png/));

    it("names a file that is no picture", async () => {
      const path = join(folder, "text.png");
      writeFileSync(path, "not a picture");
      await refuses(path, /text\.png cannot be decoded/);
    });

    it("names pictures that were cut short", async () => {
      for (const name of ["exact.png", "shrunk.jpg"]) {
        const whole = readFileSync(join(FIXTURES, name));
        const path = join(folder, `cut-${name}`);
        writeFileSync(path, whole.subarray(0, whole.length / 2));
        await refuses(path, new RegExp(`cut-${name} cannot be decoded`));
      }
    });

    it("refuses an enormous picture by its header", async () => {
      const path = join(folder, "enormous.svg");
      writeFileSync(path, '<svg xmlns="http://www.w3.org/2000/svg" width="20000" height="6000"/>');
      await refuses(path, /enormous\.svg is too large, expected at most 100 megapixels/);
    });

    it("refuses a picture 201 times as wide as high", async () => {
      const path = join(folder, "thin.png");
      const create = { width: 201, height: 1, channels: 3 as const, background: "red" };
      await sharp({ create }).png().toFile(path);
      await refuses(path, /thin\.png is too narrow, got "201x1"/);
    });

    it("refuses what does not fit the patches when resizing is off", () => {
      const fixed = createImageProcessor({ ...processor.config, doResize: false });
      return assert.rejects(
        fixed.processImage(join(FIXTURES, "enlarged.png")),
        /enlarged\.png does not fit the patches.*45x33.*multiples of 28/,
      );
    });

    it("names the wrong key of a config file", () => {
      const path = join(folder, "preprocessor_config.json");
      assert.throws(() => loadImageProcessor(folder), /no file at .*preprocessor_config\.json/);
      writeFileSync(path, "{");
      assert.throws(() => loadImageProcessor(folder), /preprocessor_config\.json is not JSON/);
      writeFileSync(path, JSON.stringify({ patch_size: "14" }));
      assert.throws(() => loadImageProcessor(folder), /patch_size of .* is wrong, got "14"/);
      writeFileSync(path, JSON.stringify({ image_mean: [0.5, 0.5] }));
      assert.throws(() => loadImageProcessor(folder), /image_mean of .* expected three numbers/);
    });
  });
});
