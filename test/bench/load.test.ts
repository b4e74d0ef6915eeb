import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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

  it("reads the hub's parquet, and leaves plain records behind", async () => {
    // Written by pyarrow, as the hub's files are.
    const file = path.resolve(__dirname, "../../../test/fixtures/sources/mmk12.parquet");
    const loaded = await loadBenchmark(benchmarkByName("mmk12"), file, { cache: folder });
    assert.equal(loaded.length, 150);
    const [{ problem, record }] = loaded;
    assert.deepEqual([problem.id, problem.answer, problem.subject], ["k0", "B", "math"]);
    assert.match(readFileSync(problem.images[0]).toString("latin1"), /^.PNG/);
    assert.equal(record.image, problem.images[0]);
    assert.deepEqual(JSON.parse(JSON.stringify(record)), record);
    const bare = await loadBenchmark(benchmarkByName("mmk12"), file, { pictures: false });
    assert.deepEqual(bare[0].problem.images, []);
  });

  it("takes a folder's parts as one set, and the configuration from OlympiadBench's file names", async () => {
    const set = path.join(folder, "parts");
    mkdirSync(set);
    for (const [i, name] of ["OE_TO_physics_zh_CEE-0", "OE_TO_physics_zh_CEE-1"].entries()) {
      const record = { id: i, question: "多少", final_answer: ["1"], answer_type: "Numerical" };
      writeFileSync(path.join(set, `${name}.json`), JSON.stringify([record]));
    }
    const olympiadbench = benchmarkByName("olympiadbench");
    const loaded = await loadBenchmark(olympiadbench, set, { cache: folder });
    assert.deepEqual(
      loaded.map(({ problem }) => [problem.id, problem.subject]),
      [
        ["0", "physics"],
        ["1", "physics"],
      ],
    );
    const [part] = olympiadbench.prompt(loaded[0].record, "cot", "official");
    assert.ok(part.type === "text" && part.text.includes("物理"));
    writeFileSync(path.join(set, "more.tsv"), "id\n");
    await assert.rejects(loadBenchmark(olympiadbench, set), /files of one kind/);
  });

  it("follows VLMEvalKit's pictures of other rows, and no path out of the folder", async () => {
    const tsv = write("same.tsv", `index\timage\tquestion\tanswer\n1\t${PNG}\tq\t7\n2\t1\tq\t8\n`);
    const mathvision = benchmarkByName("mathvision");
    const [first, second] = await loadBenchmark(mathvision, tsv, { cache: folder });
    assert.deepEqual(second.problem.images, first.problem.images);
    for (const image of ["../x.png", "/etc/passwd", "file:///etc/passwd"]) {
      const file = write(
        "out.json",
        JSON.stringify([{ id: 1, question: "q", answer: "1", image }]),
      );
      await assert.rejects(loadBenchmark(mathvision, file), /record 1 of out\.json: .*outside/);
    }
    const broken = write(
      "broken.tsv",
      `index\timage\tquestion\tanswer\n1\t${PNG.slice(0, 30)}\tq\t7\n`,
    );
    await assert.rejects(loadBenchmark(mathvision, broken, { cache: folder }), /corrupt/);
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
