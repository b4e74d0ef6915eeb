import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { BenchRecord } from "../../lib/bench/benchmark";
import { benchmarkByName } from "../../lib/bench/benchmarks";
import { loadBenchmark, readRecords } from "../../lib/bench/load";
import { needRecords, samples } from "./records";

/** One white pixel. */
const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==";

async function recordsOf(file: string): Promise<BenchRecord[]> {
  const records: BenchRecord[] = [];
  for await (const record of readRecords(file)) records.push(record);
  return records;
}

describe("bench/load", () => {
  let folder: string;
  before(() => (folder = mkdtempSync(path.join(tmpdir(), "bench-load-"))));
  after(() => rmSync(folder, { recursive: true }));
  const write = (name: string, text: string): string => {
    const file = path.join(folder, name);
    writeFileSync(file, text);
    return file;
  };

  it("reads VLMEvalKit's TSV, pictures included", async () => {
    const file = write(
      "set.tsv",
      `index\timage\tquestion\tA\tB\tanswer\tid\n1\t${PNG}\t"two ""lines""\nand\ttab"\t10\t20\tB\tx1\n2\t['${PNG}', '${PNG}']\tplain\t\t\t7\tx2\n`,
    );
    const cache = path.join(folder, "cache");
    const [first, second] = await loadBenchmark(benchmarkByName("mathvision"), file, { cache });
    assert.equal(first.problem.question, 'two "lines"\nand\ttab');
    assert.deepEqual(first.problem.choices, ["10", "20"]);
    assert.equal(first.problem.answerType, "choice");
    assert.deepEqual(readFileSync(first.problem.images[0]), Buffer.from(PNG, "base64"));
    assert.equal(second.problem.choices, undefined);
    assert.deepEqual(second.problem.images, [first.problem.images[0], first.problem.images[0]]);
  });

  it("reads lists, maps and lines, and names what it cannot read", async () => {
    assert.deepEqual(await recordsOf(write("a.json", '[{"id":1}]')), [{ id: 1 }]);
    assert.deepEqual(await recordsOf(write("b.json", '{"7":{"x":1}}')), [{ id: "7", x: 1 }]);
    assert.deepEqual(await recordsOf(write("c.jsonl", '{"id":1}\n\n{"id":2}\n')), [
      { id: 1 },
      { id: 2 },
    ]);
    await assert.rejects(recordsOf(write("d.json", "[{")), /d\.json cannot be read/);
    await assert.rejects(recordsOf(write("e.xlsx", "")), /unknown kind of file/);
    await assert.rejects(recordsOf(path.join(folder, "none.json")), /no file/);
    await assert.rejects(recordsOf(write("f.tsv", 'id\tquestion\n1\t"open\n')), /within a field/);
  });

  it("finds every picture of the real samples", async function () {
    const sets = [
      ["mathvision", "mathvision/items.jsonl", 100],
      ["mmk12", "mm_eureka_k12/items.json", 60],
    ] as const;
    needRecords(this, ...sets.map(([, file]) => path.join(samples, file)));
    for (const [name, file, count] of sets) {
      const benchmark = benchmarkByName(name);
      const loaded = await loadBenchmark(benchmark, path.join(samples, file), { cache: folder });
      assert.equal(loaded.length, count);
      for (const { problem, record } of loaded) {
        assert.ok(problem.images.length === 1 && existsSync(problem.images[0]), problem.id);
        const parts = benchmark.prompt(record, "cot", "official");
        assert.deepEqual(parts[0], { type: "image", image: 0 });
      }
    }
  });

  it("puts MMMU-Pro's pictures where the text names them", () => {
    const record = {
      id: "test_Art_1",
      question: "Which of <image 2> and <image 1>?",
      options: "['<image 3>', 'none']",
      image_1: "1.png",
      image_2: "2.png",
      image_3: "3.png",
      answer: "A",
    };
    const order = benchmarkByName("mmmu-pro")
      .prompt(record, "direct", "official")
      .flatMap((part) => (part.type === "image" ? [part.image] : []));
    assert.deepEqual(order, [1, 0, 2]);
    const vision = benchmarkByName("mmmu-pro").prompt(
      { id: "v", image: "q.png" },
      "cot",
      "official",
    );
    assert.deepEqual(
      vision.map(({ type }) => type),
      ["image", "text"],
    );
  });

  it("asks MathVista's questions with their unit, choices and hint", () => {
    const record = { pid: "1", question: "How long?", unit: "cm", precision: 1, choices: null };
    const [, free] = benchmarkByName("mathvista").prompt(
      { ...record, question_type: "free_form", answer_type: "float" },
      "cot",
      "official",
    );
    assert.ok(free.type === "text");
    assert.match(
      free.text,
      /^Question: How long\? \(Unit: cm\)\nHint: .*one decimal place.*1\.2, 1\.3, 1\.4, at the end\.\nSolution:$/,
    );
  });
});
