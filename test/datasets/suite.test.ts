import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { readParquet } from "../../datasets/sources/parquet";
import type { SuiteContainer } from "../../datasets/visual-math/suite/containers";
import { writeSuite, type SuiteBenchmark } from "../../datasets/visual-math/suite/write";
import type { Benchmark, BenchRecord } from "../../lib/bench/benchmark";
import { benchmarkByName } from "../../lib/bench/benchmarks";
import { texts } from "../../lib/bench/fields";
import { loadBenchmark, readRecords } from "../../lib/bench/load";
import { nameOptions, openQuestion } from "../../lib/bench/open-question";
import { scoreRecord } from "../../lib/bench/score";
import { needRecords, readJson, readJsonl, samples } from "../bench/records";

const COUNT = 20;

/** How a model that does as the benchmark asks ends its response. */
const ENDINGS: Readonly<Record<string, (answer: string) => string>> = {
  mathvista: (answer) => `The answer is "${answer}".`,
  mathverse: (answer) => `So the answer is ${answer}`,
  mathvision: (answer) => `\\boxed{${answer}}`,
  olympiadbench: (answer) => `So the final answer is \\boxed{${answer}}.`,
  "mmmu-pro": (answer) => `I looked twice.\nAnswer: ${answer}`,
  emma: (answer) => `Therefore \\boxed{${answer}}`,
  mmk12: (answer) => `\\boxed{${answer}}`,
};

/** The right answer and a wrong one of the same kind, as the benchmark's own gold answers are written. */
function answers(record: BenchRecord): { right: string; wrong: string } {
  const gold = String(texts(record, "final_answer")[0] ?? record.answer);
  if (/^[A-J]$/.test(gold)) return { right: gold, wrong: gold === "A" ? "B" : "A" };
  const choices = texts(record, "choices");
  if (choices.length > 0) {
    return { right: gold, wrong: choices.find((choice) => choice !== gold) as string };
  }
  const number = Number(gold.replaceAll("$", ""));
  return { right: gold, wrong: String(number + 3) };
}

describe("the embedded benchmark suite", () => {
  let root: string;
  const suites = {} as Record<SuiteContainer, SuiteBenchmark[]>;
  before(async () => {
    root = mkdtempSync(path.join(tmpdir(), "suite-"));
    for (const container of ["repository", "vlmevalkit", "hub"] as const) {
      const folder = path.join(root, container);
      suites[container] = await writeSuite({ folder, count: COUNT, seed: "test", container });
    }
  });
  after(() => rmSync(root, { recursive: true }));

  const eachFile = async (
    container: SuiteContainer,
    visit: (benchmark: Benchmark, file: string) => Promise<void>,
  ): Promise<void> => {
    for (const { benchmark, files } of suites[container]) {
      for (const file of files) await visit(benchmarkByName(benchmark), file);
    }
  };
  const recordsOf = async (file: string): Promise<BenchRecord[]> => {
    const records: BenchRecord[] = [];
    for await (const record of readRecords(file)) records.push(record);
    return records;
  };
  const load = (benchmark: Benchmark, file: string): ReturnType<typeof loadBenchmark> =>
    loadBenchmark(benchmark, file, { cache: path.join(root, "pictures") });
  const assertRightAndWrong = (benchmark: Benchmark, record: BenchRecord): void => {
    const { right, wrong } = answers(record);
    const say = ENDINGS[benchmark.name];
    const verdict = (response: string) => scoreRecord(benchmark, { ...record, response });
    const what = `${benchmark.name} ${JSON.stringify({ ...record, image: "" })}`;
    assert.equal(verdict(`34 and 27 make 61. ${say(right)}`).correct, true, what);
    assert.equal(verdict(`34 and 27 make 61. ${say(wrong)}`).correct, false, what);
    const reflected = verdict(
      `<think>a</think><answer>${say(wrong)}</answer><reflection>b</reflection>` +
        `<think>c</think><answer>${say(right)}</answer>`,
    );
    assert.equal(reflected.transition, "WR", what);
    assert.equal(reflected.correct, true, what);
  };

  for (const container of ["repository", "vlmevalkit", "hub"] as const) {
    it(`in ${container} form: gold answers score right, wrong ones wrong, by the official rules`, async () => {
      const seen = new Map<string, number>();
      await eachFile(container, async (benchmark, file) => {
        for (const { record, problem } of await load(benchmark, file)) {
          assertRightAndWrong(benchmark, record);
          assert.ok(problem.images.length === 1 && existsSync(problem.images[0]), problem.id);
          const parts = benchmark.prompt(record, "cot", "official");
          assert.equal(parts.filter(({ type }) => type === "image").length, 1);
          seen.set(benchmark.name, (seen.get(benchmark.name) ?? 0) + 1);
        }
      });
      assert.deepEqual(Object.fromEntries(seen), {
        ...{ mathvista: COUNT, mathverse: 5 * COUNT, mathvision: COUNT, olympiadbench: COUNT },
        ...{ "mmmu-pro": 3 * COUNT, emma: COUNT, mmk12: COUNT },
      });
    });
  }

  it("in the hub's parquet: the same records, with the pictures' bytes", async () => {
    for (const { benchmark: name, files } of suites.hub) {
      const benchmark = benchmarkByName(name);
      for (const file of files) {
        const twin = file.replace(`${path.sep}hub${path.sep}`, `${path.sep}repository${path.sep}`);
        const [json] = [".json", ".jsonl"]
          .map((end) => twin.replace(".parquet", end))
          .filter(existsSync);
        const expected = await recordsOf(json);
        let at = 0;
        for await (const result of readParquet(file)) {
          assert.ok("row" in result);
          const record = result.row as BenchRecord;
          assertRightAndWrong(benchmark, record);
          const field = ["decoded_image", "image", "image_1"].find(
            (key) => (record[key] as { bytes?: unknown } | undefined)?.bytes !== undefined,
          ) as string;
          const { bytes } = record[field] as { bytes: Uint8Array };
          const { format } = await sharp(bytes).metadata();
          assert.equal(format, "png");
          const own = expected[at++];
          for (const [key, value] of Object.entries(own)) {
            // The key of a map of records.
            if (key === "id" && name === "mathvista") continue;
            // A list that is not there reads as undefined.
            if (key !== field) assert.deepEqual(record[key] ?? null, value, `${name} ${key}`);
          }
        }
        assert.equal(at, expected.length);
      }
    }
  });

  it("has the fields of the authors' own records, with values of the same kinds", async function () {
    const real = {
      mathvista: path.join(samples, "mathvista/testmini.json"),
      mathverse: path.join(samples, "mathverse/testmini_text_only.json"),
      mathvision: path.join(samples, "mathvision/items.jsonl"),
    };
    needRecords(this, ...Object.values(real));
    const kind = (value: unknown): string => (Array.isArray(value) ? "list" : typeof value);
    const shape = (records: readonly BenchRecord[]): Record<string, string[]> => {
      const kinds = new Map<string, Set<string>>();
      for (const [key, value] of records.flatMap((record) => [
        ...Object.entries(record),
        ...Object.entries((record.metadata ?? {}) as BenchRecord),
      ])) {
        kinds.set(key, (kinds.get(key) ?? new Set()).add(value === null ? "null" : kind(value)));
      }
      return Object.fromEntries([...kinds].map(([key, set]) => [key, [...set].sort()]));
    };
    const authors = {
      mathvista: Object.values(readJson<Record<string, BenchRecord>>(real.mathvista)),
      mathverse: readJson<BenchRecord[]>(real.mathverse),
      mathvision: readJsonl<BenchRecord>(real.mathvision),
    };
    for (const [name, records] of Object.entries(authors)) {
      const theirs = shape(records);
      const { files } = suites.repository.find(
        ({ benchmark }) => benchmark === name,
      ) as SuiteBenchmark;
      const ours = shape((await Promise.all(files.map(recordsOf))).flat());
      // The samples' own mark, and what the hub adds for versions whose text is in the picture.
      delete theirs.in_testmini;
      delete ours.question_for_eval;
      // The key of a map of records.
      if (!("id" in theirs)) delete ours.id;
      assert.deepEqual(Object.keys(ours).sort(), Object.keys(theirs).sort(), name);
      for (const key of Object.keys(ours)) {
        assert.ok(
          ours[key].every((each) => theirs[key].includes(each)),
          `${name}.${key}: ${ours[key]} and not ${theirs[key]}`,
        );
      }
    }
  });

  it("asks every kind of question: letters all over, open numbers, decimals, pages without words", async () => {
    const letters = new Map<string, number>();
    const versions = new Set<unknown>();
    let [decimals, open, silent] = [0, 0, 0];
    await eachFile("repository", async (benchmark, file) => {
      for (const { record, problem } of await load(benchmark, file)) {
        if (problem.answerType === "choice") {
          letters.set(problem.answer, (letters.get(problem.answer) ?? 0) + 1);
          const { options } = openQuestion(problem);
          assert.equal(new Set(options).size, options.length, problem.id);
        } else open++;
        if (record.answer_type === "float") decimals++;
        if (problem.question === "") silent++;
        if (benchmark.name === "mathverse") versions.add(record.problem_version);
      }
    });
    assert.ok(
      ["A", "B", "C", "D"].every((each) => (letters.get(each) ?? 0) > 10),
      "letters",
    );
    assert.equal(versions.size, 5);
    assert.deepEqual([decimals, silent], [2, 2 * COUNT]);
    assert.ok(open > 50);
  });

  it("is written once, and anew when something is different", async () => {
    const folder = path.join(root, "again");
    const written = () =>
      readdirSync(folder).map((name) => statSync(path.join(folder, name)).mtimeMs);
    const first = await writeSuite({ folder, count: 2, seed: 1 });
    const before = written();
    assert.deepEqual(await writeSuite({ folder, count: 2, seed: 1 }), first);
    assert.deepEqual(written(), before);
    const [mathvista] = await writeSuite({ folder, count: 3, seed: 1 });
    assert.equal(mathvista.records, 3);
  });
});

describe("a question for a policy that answers with numbers", () => {
  const problem = { id: "1", images: ["a.png"], answer: "B", answerType: "choice" as const };
  const rest = { family: "", level: 1, subject: "", source: "" };

  it("has neither options nor picture tags", () => {
    const inline = { ...problem, ...rest, question: "How long?\n<image1>\nChoices:\nA:12\nB: 30" };
    const found = openQuestion(inline);
    assert.equal(found.problem.question, "How long?");
    assert.deepEqual(found.options, ["12", "30"]);
    const separate = { ...problem, ...rest, question: "<image 1> How long?", choices: ["7", "8"] };
    assert.equal(openQuestion(separate).problem.question, "How long?");
    assert.equal(openQuestion(separate).problem.choices, undefined);
    assert.deepEqual(openQuestion(separate).options, ["7", "8"]);
  });

  it("gets a letter for the number of one option, in both answers, and for no other", () => {
    const two =
      "<think>12</think><answer>12</answer><reflection>r</reflection><think>t</think><answer> 30 </answer>";
    assert.match(nameOptions(two, ["12", "30"]), /<answer>A<\/answer>.*<answer>B<\/answer>/);
    assert.match(nameOptions(two, ["12", "30"]), /<think>12<\/think>/);
    assert.match(nameOptions("<answer>5</answer>", ["12", "30"]), /<answer>5</);
    assert.match(nameOptions("<answer>12</answer>", ["12", "12"]), /<answer>12</);
  });
});
