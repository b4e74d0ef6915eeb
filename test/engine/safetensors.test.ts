import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type HostTensor,
  openCheckpoint,
  openSafetensors,
  readCheckpointTensors,
  readSafetensors,
  writeSafetensors,
} from "../../lib/engine/safetensors";

// Written by the official library, see make_safetensors_fixture.py there. Tests run from dist/test/engine.
const FIXTURES = join(__dirname, "../../../test/fixtures/safetensors");
const MIXED = join(FIXTURES, "mixed.safetensors");

type Expected = Record<string, { shape: number[]; data: string[] }>;
const expected = JSON.parse(readFileSync(join(FIXTURES, "expected.json"), "utf8")) as Record<
  "mixed" | "sharded",
  Expected
>;

function assertEqualTensors(tensors: Record<string, HostTensor>, goldens: Expected): void {
  assert.deepEqual(Object.keys(tensors).sort(), Object.keys(goldens).sort());
  for (const [name, { shape, data }] of Object.entries(goldens)) {
    assert.deepEqual(tensors[name].shape, shape, name);
    const wanted = Float32Array.from(data, (text) => Number(text.replace("inf", "Infinity")));
    // deepEqual on typed arrays tells -0 from 0.
    assert.deepEqual(tensors[name].data, wanted, name);
  }
}

describe("safetensors", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "safetensors-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** A file with any header over a data area of `bytes` bytes. */
  const forge = (header: unknown, bytes: number): string => {
    const text = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    const path = join(folder, "forged.safetensors");
    writeFileSync(path, Buffer.concat([length, text, Buffer.alloc(bytes)]));
    return path;
  };
  const entry = (start: number, end: number) => ({
    dtype: "F32",
    shape: [(end - start) / 4],
    data_offsets: [start, end],
  });

  describe("reading", () => {
    it("widens every float and integer type to the values the official library wrote", () => {
      const { tensors, metadata } = readSafetensors(MIXED);
      assertEqualTensors(tensors, expected.mixed);
      assert.deepEqual(metadata, { format: "pt", made: "by the official library" });
    });

    it("takes one tensor without the others and tells what is stored", () => {
      const reader = openSafetensors(MIXED);
      try {
        assert.deepEqual(reader.info("bf16"), { dtype: "BF16", shape: [13], bytes: 26 });
        assert.deepEqual(reader.read("scalar"), Float32Array.of(4.5));
        assert.throws(() => reader.read("lm_head"), /no tensor lm_head in .*mixed\.safetensors/);
      } finally {
        reader.close();
      }
    });

    it("joins the shards that an index lists", () => {
      assertEqualTensors(
        readCheckpointTensors(join(FIXTURES, "sharded")).tensors,
        expected.sharded,
      );
    });

    it("opens a folder with a single file the same way", () => {
      cpSync(MIXED, join(folder, "model.safetensors"));
      assertEqualTensors(readCheckpointTensors(folder).tensors, expected.mixed);
    });

    it("reads across its chunks", () => {
      // Longer than one chunk of 2^20 values and not a multiple of it.
      const count = 2 ** 20 + 3;
      const values = Int32Array.from({ length: count }, (_, i) => i);
      const header = { ramp: { dtype: "I32", shape: [count], data_offsets: [0, count * 4] } };
      const path = forge(header, count * 4);
      const file = readFileSync(path);
      writeFileSync(
        path,
        Buffer.concat([file.subarray(0, file.length - count * 4), Buffer.from(values.buffer)]),
      );
      assert.deepEqual(readSafetensors(path).tensors.ramp.data, Float32Array.from(values));
    });
  });

  describe("writing", () => {
    const tensors = {
      "b.weight": { shape: [2, 3], data: Float32Array.of(1, 2, 3, -4, 0.1, 1e-40) },
      "a.bias": { shape: [], data: Float32Array.of(7) },
      none: { shape: [0, 4], data: new Float32Array(0) },
    };

    it("gives back what it wrote", () => {
      const path = join(folder, "out.safetensors");
      writeSafetensors(path, tensors, { format: "pt", step: "12" });
      assert.deepEqual(readSafetensors(path), {
        tensors,
        metadata: { format: "pt", step: "12" },
      });
    });

    it("makes the same bytes from the same tensors in any order, aligned to 8", () => {
      const paths = ["one", "two"].map((name) => join(folder, name));
      writeSafetensors(paths[0], tensors);
      writeSafetensors(paths[1], Object.fromEntries(Object.entries(tensors).reverse()));
      const [one, two] = paths.map((path) => readFileSync(path));
      assert.deepEqual(one, two);
      assert.equal(Number(one.readBigUInt64LE(0)) % 8, 0);
    });

    it("writes float32 files that are the official library's byte for byte", () => {
      const shard = join(FIXTURES, "sharded", "model-00001-of-00002.safetensors");
      const path = join(folder, "same.safetensors");
      writeSafetensors(path, readSafetensors(shard).tensors);
      assert.deepEqual(readFileSync(path), readFileSync(shard));
    });

    it("writes only the part of a buffer that a view shows", () => {
      const path = join(folder, "view.safetensors");
      const data = Float32Array.of(9, 1, 2, 9).subarray(1, 3);
      writeSafetensors(path, { view: { shape: [2], data } });
      assert.deepEqual(readSafetensors(path).tensors.view.data, Float32Array.of(1, 2));
    });

    it("refuses a wrong shape and leaves the old file and no other behind", () => {
      const path = join(folder, "kept.safetensors");
      writeSafetensors(path, tensors);
      const bad = { "q.weight": { shape: [2, 2], data: new Float32Array(3) } };
      assert.throws(() => writeSafetensors(path, bad), /q\.weight does not fill its shape \[2,2\]/);
      assert.deepEqual(readSafetensors(path).tensors, tensors);
      assert.deepEqual(readdirSync(folder), ["kept.safetensors"]);
    });
  });

  describe("broken files", () => {
    const refuses = (path: string, message: RegExp) =>
      assert.throws(() => openSafetensors(path), { name: "LabError", message });

    it("are told apart from missing ones", () => {
      refuses(join(folder, "absent.safetensors"), /no file at .*absent\.safetensors/);
      assert.throws(
        () => openCheckpoint(folder),
        /no weights in .*model\.safetensors\.index\.json/s,
      );
    });

    it("cut anywhere are refused before a tensor is read", () => {
      const whole = readFileSync(MIXED);
      const path = join(folder, "cut.safetensors");
      for (const keep of [0, 5, 8, 100, whole.length - 1]) {
        writeFileSync(path, whole.subarray(0, keep));
        refuses(
          path,
          /(no header length|truncated).* in .*cut\.safetensors.*Try: copy or download/s,
        );
      }
    });

    it("with impossible headers are refused, naming the tensor", () => {
      const long = join(folder, "long.safetensors");
      writeFileSync(long, Buffer.alloc(64, 0xff));
      refuses(long, /impossible header length/);
      refuses(forge("not json", 0), /the header is not JSON/);
      refuses(forge([1], 0), /not a JSON object/);
      refuses(forge({ w: { dtype: "F32", shape: [-1] } }, 4), /malformed entry for tensor w /);
      refuses(forge({ w: { ...entry(0, 8), shape: [3] } }, 8), /tensor w do not fit F32 \[3\]/);
      refuses(forge({ a: entry(0, 8), b: entry(4, 12) }, 12), /tensor b overlaps/);
      refuses(forge({ a: entry(0, 4), b: entry(8, 12) }, 12), /hole before tensor b/);
      refuses(forge({ a: entry(0, 4), b: entry(4, 64) }, 12), /truncated at tensor b/);
      refuses(forge({ a: entry(0, 4) }, 12), /bytes after the last tensor/);
    });

    it("with types that no policy has are refused where they are read", () => {
      const reader = openSafetensors(join(FIXTURES, "bool.safetensors"));
      try {
        assert.throws(() => reader.read("flag"), /tensor flag of .* not read, got "BOOL"/);
      } finally {
        reader.close();
      }
    });

    it("with integers that float32 would round are refused", () => {
      const header = { ids: { dtype: "I64", shape: [1], data_offsets: [0, 8] } };
      const path = forge(header, 8);
      const bytes = readFileSync(path);
      bytes.writeBigInt64LE(16777217n, bytes.length - 8);
      writeFileSync(path, bytes);
      assert.throws(() => readSafetensors(path), /tensor ids .*integers beyond float32/);
    });

    it("of a sharded checkpoint are named: a missing shard, a shard without its tensor, an outside path", () => {
      cpSync(join(FIXTURES, "sharded"), folder, { recursive: true });
      const index = join(folder, "model.safetensors.index.json");
      const remap = (weightMap: Record<string, string>) =>
        writeFileSync(index, JSON.stringify({ weight_map: weightMap }));
      const [first, second] = [1, 2].map((n) => `model-0000${n}-of-00002.safetensors`);
      remap({ "a.weight": second });
      assert.throws(
        () => openCheckpoint(folder),
        new RegExp(`no tensor a\\.weight in .*${second}`),
      );
      remap({ "a.weight": `../${first}` });
      assert.throws(() => openCheckpoint(folder), /weight_map of .* is not usable/);
      remap({ "a.weight": first, "c.weight": second });
      rmSync(join(folder, second));
      assert.throws(() => openCheckpoint(folder), new RegExp(`no file at .*${second}`));
    });
  });
});
