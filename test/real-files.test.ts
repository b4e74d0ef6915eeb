/** Notebook 4's cell on real files, run by a real Jupyter client on real problems in every container that people keep them in. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { encodeParquet } from "../datasets/visual-math/suite/parquet";
import { pythonStr } from "../lib/bench/python-literal";
import { writeFileAtomic } from "../lib/engine/files";
import { basePolicyFolder } from "../lib/paths";
import { needRecords, readJsonl, samples } from "./bench/records";
import { jupyterEnv, needJupyter, notebookOf, python, root } from "./kernels/jupyter";
import { temporaryFolder } from "./policy/fixture";

interface Item {
  id: string;
  image: string;
  question: string;
  options: string[];
  answer: string;
  level: number;
  subject: string;
}

interface Output {
  output_type: string;
  data?: Record<string, string | string[]>;
  text?: string | string[];
}

const COUNT = 6;

/** The cell as it is committed. */
function realCell(): string {
  const { cells } = JSON.parse(
    readFileSync(join(root, "notebooks/4-benchmarks.ipynb"), "utf8"),
  ) as { cells: { source: string[] }[] };
  const sources = cells.map(({ source }) => source.join(""));
  const [cell] = sources.filter((source) => source.includes("BENCH_FILES = "));
  assert.ok(cell !== undefined, "notebook 4 has no cell that reads BENCH_FILES");
  return cell;
}

/** What the cells before it leave behind, with the base policy in the trained one's place. */
const BEFORE = `import { basePolicy, benchmarkByName, benchTable, comparisonTable, measuredRow, publishedTable, readPublished,
  runBenchmark, showTable, showTableFigure, stageViews, watch } from "srpo-lab";
const srpo = { policy: basePolicy() };
const { paper, caveats } = readPublished();`;

/** The items as the authors' JSON Lines, the hub's parquet and VLMEvalKit's TSV. */
async function containersOf(items: readonly Item[], folder: string): Promise<string[]> {
  const picture = ({ image }: Item): Buffer => readFileSync(join(samples, "mathvision", image));
  mkdirSync(join(folder, "images"), { recursive: true });
  for (const { image } of items) {
    copyFileSync(join(samples, "mathvision", image), join(folder, image));
  }
  const cell = (value: unknown): string => `"${pythonStr(value).replaceAll('"', '""')}"`;
  const header = ["index", "id", "image", "question", "choices", "answer", "level", "subject"];
  const lines = items.map((item, index) => {
    const { id, question, options, answer, level, subject } = item;
    const image = picture(item).toString("base64");
    return [index, id, image, question, options, answer, level, subject].map(cell).join("\t");
  });
  const contents = {
    "test.jsonl": items.map((item) => JSON.stringify(item) + "\n").join(""),
    "test.parquet": await encodeParquet(
      items.map((item) => ({
        ...item,
        decoded_image: { bytes: new Uint8Array(picture(item)), path: item.image },
      })),
    ),
    "test.tsv": [header.join("\t"), ...lines].map((line) => line + "\n").join(""),
  };
  for (const [name, content] of Object.entries(contents))
    writeFileAtomic(join(folder, name), content);
  return Object.keys(contents).map((name) => join(folder, name));
}

describe("notebook 4 on real files", function () {
  this.timeout(300_000);
  const folder = temporaryFolder();

  it("asks, scores and compares real problems, the same in every container", async function () {
    needJupyter(this);
    needRecords(this, join(samples, "mathvision/items.jsonl"));
    if (!existsSync(join(basePolicyFolder, "model.safetensors"))) this.skip();
    const items = readJsonl<Item>(join(samples, "mathvision/items.jsonl")).slice(0, COUNT);
    const files = await containersOf(items, folder);
    const [notebook, target] = [join(folder, "real.ipynb"), join(folder, "out.ipynb")];
    const cell = realCell();
    const given = files.flatMap((file) => [
      `process.env.BENCH_FILES = ${JSON.stringify(file)};`,
      cell,
    ]);
    writeFileAtomic(notebook, notebookOf([BEFORE, ...given]));
    const { status, stderr } = spawnSync(
      python,
      [join(root, "kernels/run_notebook.py"), "real files", notebook, target],
      { env: { ...jupyterEnv(), SRPO_RUNS: join(folder, "runs") }, encoding: "utf8" },
    );
    assert.equal(status, 0, stderr);
    const { cells } = JSON.parse(readFileSync(target, "utf8")) as {
      cells: { outputs?: Output[] }[];
    };
    const shown = cells
      .map(({ outputs = [] }) =>
        outputs.map(({ data = {} }) => [data["text/plain"] ?? ""].flat().join("")),
      )
      .filter((texts) => texts.some((text) => text.includes("MathVision")));
    assert.equal(shown.length, files.length);
    for (const texts of shown) {
      const [accuracies] = texts.filter((text) => /^benchmark/.test(text));
      assert.match(accuracies, new RegExp(`MathVision +base +${COUNT} `));
      assert.equal(
        accuracies,
        shown[0].find((text) => /^benchmark/.test(text)),
      );
      const [table] = texts.filter((text) => text.startsWith("Figure 2"));
      assert.match(table, new RegExp(`base +measured[^\\n]*n = ${COUNT}`));
      assert.match(table, /Claude3\.7-Sonnet +published/);
    }
  });
});
