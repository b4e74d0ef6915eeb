/** The six notebooks: how they are written, and what a reader sees when a real Jupyter client has run them all. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { writeJsonl } from "../lib/engine/files";
import { PLOTLY_MIME } from "../lib/lab/figure";
import { basePolicyFolder } from "../lib/paths";
import { drawPicture } from "./datasets/sources/files";
import { jupyterEnv, needJupyter, python, root } from "./kernels/jupyter";
import { chatServer, replyBody, sendJson, type Behaviour } from "./rollout/openai/server";

interface Output {
  output_type: string;
  name?: string;
  text?: string | string[];
  data?: Record<string, unknown>;
}

interface Cell {
  id: string;
  cell_type: string;
  source: string | string[];
  outputs?: Output[];
}

interface Notebook {
  cells: Cell[];
  metadata: { kernelspec: { name: string } };
}

const NAMES = readdirSync(join(root, "notebooks"))
  .filter((name) => name.endsWith(".ipynb"))
  .sort();

const read = (path: string): Notebook => JSON.parse(readFileSync(path, "utf8")) as Notebook;
const textOf = (lines: unknown): string => [lines ?? ""].flat().join("");
const outputsOf = (notebook: Notebook): Output[] =>
  notebook.cells.flatMap(({ outputs }) => outputs ?? []);

/** What cells printed. */
function printed(notebook: Notebook): string {
  return outputsOf(notebook)
    .filter(({ output_type }) => output_type === "stream")
    .map(({ text }) => textOf(text))
    .join("");
}

/** The bundles that have all of these forms and such a text form. */
function bundles(notebook: Notebook, text: RegExp, ...mimes: string[]): Record<string, unknown>[] {
  return outputsOf(notebook).flatMap(({ data }) =>
    data !== undefined &&
    mimes.every((mime) => mime in data) &&
    text.test(textOf(data["text/plain"]))
      ? [data]
      : [],
  );
}

/** Stand where a user's keys would; nothing may show them. */
const KEYS = {
  OPENAI_API_KEY: "sk-canary-of-the-teacher-0123456789",
  HF_TOKEN: "hf_canaryOfTheHub0123456789",
  JUPYTER_TOKEN: "canary-of-the-server-0123456789",
};

/** No errors, no complaints, nothing of the machine and nothing secret. */
function checkOutputs(notebook: Notebook): void {
  for (const output of outputsOf(notebook)) {
    assert.notEqual(output.output_type, "error", JSON.stringify(output).slice(0, 500));
    assert.notEqual(output.name, "stderr", textOf(output.text).slice(0, 500));
    for (const [mime, content] of Object.entries({ ...output.data, stream: output.text ?? "" })) {
      if (mime.startsWith("image/png")) continue;
      const text = (
        typeof content === "object" && !Array.isArray(content)
          ? JSON.stringify(content)
          : textOf(content)
      ).replace(/base64,[\w+/=]+/g, "");
      const around = (at: number): string =>
        `${mime}: …${text.slice(Math.max(0, at - 60), at + 60)}`;
      for (const place of [root, homedir()]) {
        const at = text.indexOf(`${place}/`);
        assert.ok(place === "/" || at < 0, around(at));
      }
      const path = /(^|[\s"'(=:])(\/(home|root|tmp|work|Users|var|opt)\/|[A-Z]:\\)/m.exec(text);
      assert.equal(path, null, around(path?.index ?? 0));
      const secret = /\b(sk-|hf_|ghp_|AKIA)[\w-]{12,}|canary|[?&]token=/.exec(text);
      assert.equal(secret, null, around(secret?.index ?? 0));
    }
  }
}

/** A figure in its final form: interactive, a picture, and its numbers. */
function checkFigures(notebook: Notebook, ...titles: RegExp[]): void {
  for (const title of titles) {
    const found = bundles(notebook, title, PLOTLY_MIME, "image/png", "text/plain");
    assert.ok(found.length > 0, `no figure ${title.source}`);
    for (const data of found) {
      assert.match(textOf(data["text/plain"]), /\d/);
      const { data: traces } = data[PLOTLY_MIME] as {
        data: { y?: unknown[]; cells?: { values: unknown[][] } }[];
      };
      const shown = traces.flatMap(({ y, cells }) => y ?? cells?.values.flat() ?? []);
      assert.ok(
        shown.some((value) => typeof value === "number" || /\d/.test(String(value))),
        `${title.source} shows no number`,
      );
      const picture = Buffer.from(textOf(data["image/png"]), "base64");
      assert.equal(picture.subarray(1, 4).toString(), "PNG");
    }
  }
}

function checkTables(notebook: Notebook, ...texts: RegExp[]): void {
  for (const text of texts) {
    const [found] = bundles(notebook, text, "text/html");
    assert.ok(found !== undefined, `no table ${text.source}`);
    assert.match(textOf(found["text/html"]), /<table[^]*<\/table>/);
  }
}

/** Cards of samples, each with its picture, its question and its answer. */
function checkSamples(notebook: Notebook, most: number): void {
  const [found] = bundles(notebook, /^── [^]*question: [^]*gold answer: /, "text/html");
  assert.ok(found !== undefined, "no samples");
  const count = textOf(found["text/plain"]).match(/^── /gm)?.length ?? 0;
  assert.ok(count >= 1 && count <= most, `${count} samples`);
  const pictures = textOf(found["text/html"]).match(/<img src="data:image\/png;base64,/g);
  assert.ok((pictures?.length ?? 0) >= count, "a card without its picture");
}

/**
 * What a reader sees of an output whatever its numbers are: its forms, the headings of a table, the titles of a figure.
 * A monitor is left out: it draws nothing for a run that was found on disk.
 */
function shapeOf({ source, outputs = [] }: Cell): string[] {
  if (textOf(source).includes("watch(")) return [];
  const shapes = outputs.map(({ output_type, name, data = {} }) => {
    const html = textOf(data["text/html"]);
    const headings = [...html.matchAll(/<th[ >].*?<\/th>/g)].map(([th]) =>
      th.replace(/<[^>]+>/g, ""),
    );
    const { layout } = (data[PLOTLY_MIME] ?? {}) as {
      layout?: { annotations?: { text: string }[] };
    };
    const titles = (layout?.annotations ?? []).flatMap(
      ({ text }) => /^<b>.*?<\/b>/.exec(text) ?? [],
    );
    return [name ?? output_type, ...Object.keys(data).sort(), ...headings, ...titles].join(" | ");
  });
  // Lines of a stream come in as many messages as it pleases.
  return shapes.filter((shape, i) => shape !== shapes[i - 1]);
}

/** Sums in pictures, in the published input format of SRPO. */
async function writeSource(own: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await drawPicture(join(own, `${i}.png`), i);
  writeJsonl(
    join(own, "input.jsonl"),
    Array.from({ length: count }, (_unused, i) => ({
      ...{ image: `${i}.png`, answer: String(40 + i) },
      query: `Picture ${i}: what is ${20 + i} and 20 together?`,
    })),
  );
}

/** The policy, right every third time, and the teacher of {@link writeSource}'s problems. */
const playAll: Behaviour = ({ body }, response) => {
  const { text } = body.messages[1].content.find((part: { type: string }) => part.type === "text");
  const a = Number(/what is (\d+)/.exec(text)?.[1]);
  const fields = {
    reflection: `Adding ${a} to 20, I missed the tens: ${a}+20 needs ${Math.floor(a / 10)}+2 of them, in picture ${a - 20}.`,
    think: `Tens of ${a} and 20 first, then the ones: ${a + 20}.`,
    answer: String(a + 20),
  };
  const right = a % 3 === 0;
  const calm = `With ${a} and 20 the tens ${Math.floor(a / 10)}+2 say it all, as picture ${a - 20} shows.`;
  const reply =
    body.model === "policy"
      ? `<think>So ${a} plus 20.</think><answer>${right ? a + 20 : a}</answer>`
      : JSON.stringify(
          text.includes("first solution is wrong")
            ? { quote: `${a} plus 20`, flaw: "It is not added.", ...fields }
            : { ...fields, reflection: calm },
        );
  sendJson(response, 200, replyBody(reply));
};

describe("notebooks", function () {
  it("are six, in order", () => {
    assert.deepEqual(NAMES, [
      ...["1-data-construction.ipynb", "2-reflection-sft.ipynb", "3-srpo.ipynb"],
      ...["4-benchmarks.ipynb", "5-ablations.ipynb", "6-cluster.ipynb"],
    ]);
  });

  for (const [i, name] of NAMES.entries()) {
    it(`${name} is written as the others are, and as saved tells nothing of a machine`, () => {
      const notebook = read(join(root, "notebooks", name));
      assert.equal(notebook.metadata.kernelspec.name, "tslab");
      assert.equal(notebook.cells[0].cell_type, "markdown");
      assert.match(textOf(notebook.cells[0].source), new RegExp(`^# ${i + 1} · `));
      for (const { cell_type, source } of notebook.cells) {
        const lines = textOf(source).trimEnd().split("\n");
        assert.ok(cell_type !== "code" || lines.length <= 17, lines.join("\n"));
      }
      checkOutputs(notebook);
      assert.ok(statSync(join(root, "notebooks", name)).size < 1e6, "it has a megabyte and more");
    });
  }

  it("say in their first cells what their stages took when they were saved", () => {
    for (const name of NAMES) {
      const notebook = read(join(root, "notebooks", name));
      const [first] = notebook.cells.filter(({ cell_type }) => cell_type === "code");
      const planned = [
        ...textOf(first.source).matchAll(/name: "([^"]+)", stage: "(\w+)", seconds: (\d+)/g),
      ].map(([, stage, kind, seconds]) => ({ stage, kind, seconds: Number(seconds) }));
      // The sixth sends its training elsewhere.
      assert.equal(planned.length > 0, name !== "6-cluster.ipynb", name);
      const trainings = planned.filter(({ kind }) => ["sft", "grpo"].includes(kind));
      const took = [...printed(notebook).matchAll(/^\d+ steps in (\d+) s$/gm)].map(([, seconds]) =>
        Number(seconds),
      );
      assert.equal(took.length, trainings.length, name);
      const said = textOf(first.outputs?.[0].data?.["text/plain"]);
      for (const [at, { stage, seconds }] of trainings.entries()) {
        const factor = seconds / took[at];
        assert.ok(factor > 0.7 && factor < 1.4, `${name}, ${stage}: ${seconds} for ${took[at]} s`);
        const [, minutes = 0, rest] =
          new RegExp(`${stage} about (?:(\\d+)m)?(\\d+)s`).exec(said) ?? assert.fail(said);
        const estimate = (60 * Number(minutes) + Number(rest)) / took[at];
        assert.ok(estimate > 0.6 && estimate < 1.7, `${name}, ${stage}: ${said}`);
      }
    }
  });

  describe("run headless at the smoke preset", function () {
    this.timeout(300_000);
    let folder: string;
    let child: ReturnType<typeof spawn> | undefined;
    before(function () {
      needJupyter(this);
      if (!existsSync(join(basePolicyFolder, "model.safetensors"))) {
        console.log("      skipped: there are no weights of the base policy");
        this.skip();
      }
      // In the clone, as a user's runs are; outputs name them from there.
      const cache = join(root, ".cache");
      mkdirSync(cache, { recursive: true });
      folder = mkdtempSync(join(cache, "notebooks-"));
    });
    after(() => {
      if (child?.exitCode === null) child.kill("SIGKILL");
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    });

    /** The committed outputs are such as today's code makes. */
    function checkInStep(name: string, fresh: Notebook): void {
      const saved = new Map(
        read(join(root, "notebooks", name)).cells.map((cell) => [cell.id, cell]),
      );
      for (const cell of fresh.cells) {
        assert.deepEqual(
          shapeOf(saved.get(cell.id) as Cell),
          shapeOf(cell),
          `${name}, cell ${cell.id} was saved by other code: npm start -- --in-place`,
        );
      }
    }

    /**
     * Runs a notebook from top to bottom and reads what it looks like then.
     * @param options.committed whether what is committed was made by such a run: its first
     * @param options.more further environment
     */
    async function run(
      name: string,
      { committed = true, more = {} }: { committed?: boolean; more?: Record<string, string> } = {},
    ): Promise<Notebook> {
      const target = join(folder, "out", name);
      const runner = join(root, "kernels", "run_notebook.py");
      const running = spawn(python, [runner, name, join(root, "notebooks", name), target], {
        env: {
          ...jupyterEnv(),
          LAB_PRESET: "smoke",
          SRPO_RUNS: join(folder, "runs"),
          ...KEYS,
          ...more,
        },
        stdio: ["ignore", "ignore", "pipe"],
      });
      child = running;
      let progress = "";
      running.stderr.on("data", (text) => (progress += String(text)));
      const status = await new Promise<number | null>((resolve) => running.on("close", resolve));
      assert.equal(status, 0, progress);
      const notebook = read(target);
      checkOutputs(notebook);
      if (committed) checkInStep(name, notebook);
      return notebook;
    }

    /** All files of all runs with their times, so that a stage that ran again shows. */
    function runFiles(): string[] {
      const runs = join(folder, "runs");
      return readdirSync(runs, { recursive: true, encoding: "utf8" })
        .filter((path) => /(jsonl|safetensors|summary\.json)$/.test(path))
        .map((path) => `${path} ${statSync(join(runs, path)).mtimeMs}`)
        .sort();
    }

    it("1: problems, attempts, reflections, samples, what was dropped", async () => {
      const notebook = await run(NAMES[0]);
      checkTables(notebook, /preset +smoke/, /family/, /reason[^]*kept/);
      assert.ok(bundles(notebook, /level 1 /, "image/png").length > 0, "no page of pictures");
      checkFigures(notebook, /the policy answers/, /attempts at temperature 1/);
      checkFigures(notebook, /by source/, /by subject/, /by family/, /Lengths of the parts/);
      checkSamples(notebook, 3);
      assert.match(printed(notebook), /96 attempts, \d+ samples/);
      assert.match(printed(notebook), /<reflection>[^]*--- the control/);
      assert.match(printed(notebook), /# visual-math reflections[^]*licences[^]*The mix/);
      assert.match(printed(notebook), /Skipped: the environment has no SRPO_SOURCE, [^]*Skipped/);
    });

    describe("with a server", () => {
      const server = chatServer();
      it("1 again, with a source of one's own and a model as the teacher", async () => {
        await writeSource(join(folder, "own"), 12);
        server.behave = playAll;
        const notebook = await run(NAMES[0], {
          committed: false,
          more: {
            ...{ SRPO_SOURCE: "srpo-input", SRPO_SOURCE_PATH: join(folder, "own/input.jsonl") },
            ...{ SRPO_SOURCE_IMAGES: join(folder, "own"), OPENAI_BASE_URL: server.baseUrl },
            ...{ SRPO_TEACHER: "teacher", SRPO_POLICY: "policy" },
          },
        });
        checkTables(notebook, /what was read[^]*srpo-input/, /24 attempts[^]*kept +\d+ +\d+/);
        assert.match(printed(notebook), /10 of 1\d lessons/);
        assert.ok(bundles(notebook, /by source[^]*srpo-input/, PLOTLY_MIME).length > 0);
        const cards = bundles(notebook, /^── [^]*by teacher/, "text/html");
        assert.match(textOf(cards[0]["text/html"]), /<del [^]*<ins /);
        assert.ok(server.asked.length >= 24 + 10);
        for (const { headers } of server.asked) {
          assert.equal(headers.authorization, `Bearer ${KEYS.OPENAI_API_KEY}`);
        }
      });
    });

    it("2: two trainings, their curves, accuracies before and after", async () => {
      const notebook = await run(NAMES[1]);
      checkFigures(notebook, /reflection SFT/, /plain-CoT SFT/, /Loss a completion token/);
      checkTables(notebook, /base[^]*plain-CoT SFT[^]*reflection SFT/);
      checkSamples(notebook, 3);
      assert.match(printed(notebook), /paired over n = 32: -?\d+\.\d points \[.*McNemar p = /);
    });

    it("3: the reward by hand, SRPO and GRPO live and side by side", async () => {
      const notebook = await run(NAMES[2]);
      checkTables(notebook, /RR[^]*WR[^]*RW[^]*WW/);
      checkFigures(
        notebook,
        /SRPO/,
        /plain GRPO/,
        /Lower clip ratio/,
        /transitions of the rollouts/,
      );
      checkSamples(notebook, 3);
      assert.ok(
        bundles(notebook, /^(RR|RW|WR|WW|no transition) .* samples?/, "text/html").length > 0,
      );
      assert.match(printed(notebook), /3 steps in \d+ s\n/);
      assert.ok(bundles(notebook, /saved as .*figures\/curves\.png/).length > 0);
    });

    it("3 again: nothing is trained twice, and it says so", async () => {
      const before = runFiles();
      const notebook = await run(NAMES[2], { committed: false });
      assert.deepEqual(runFiles(), before);
      assert.equal(printed(notebook).match(/3 steps in \d+ s \(from disk\)/g)?.length, 2);
      // The curves are there all the same, from the run's directory.
      checkFigures(notebook, /Lower clip ratio/, /transitions of the rollouts/);
    });

    it("4: every policy on the same problems, with intervals and pairs", async () => {
      const notebook = await run(NAMES[3]);
      checkFigures(notebook, /Test set, greedy, by family/, /First and final answer/);
      checkTables(
        notebook,
        /base[^]*plain-CoT SFT[^]*GRPO[^]*reflection SFT[^]*SRPO/,
        /SRPO − base/,
      );
      checkSamples(notebook, 3);
    });

    it("5: the ablation, overlaid curves, results, and what holds", async () => {
      const notebook = await run(NAMES[4]);
      checkFigures(notebook, /SRPO without/, /^accuracy\/final.*[^]*SRPO: /, /^Greedy/);
      checkTables(
        notebook,
        /policy[^]*SRPO without SFT/,
        /3 runs, newest first/,
        /settings in which the specs differ/,
      );
      assert.match(printed(notebook), /SRPO beats the base \(greedy\): \d+\.\d against \d+\.\d: /);
      const results = JSON.parse(readFileSync(join(folder, "runs/results.json"), "utf8")) as {
        columns: string[];
        rows: unknown[][];
      };
      assert.equal(results.rows.length, 6);
      for (const row of results.rows) assert.equal(row.length, results.columns.length);
    });

    it("6: export, reward server, preflight, a training of TRL read back, and no cluster", async () => {
      const notebook = await run(NAMES[5]);
      checkTables(notebook, /grpo\.clipHigh +0\.28 +0\.28/, /verl[^]*openrlhf[^]*easyr1[^]*trl/);
      assert.match(printed(notebook), /32 of 32 problems are the same/);
      assert.match(printed(notebook), /the server is ok, its reward is that of the exports/);
      checkTables(notebook, /transition[^]*RR[^]*WW/, /lengths[^]*reward server +64 rewards/);
      assert.match(printed(notebook), /Skipped: the environment has no RAY_ADDRESS/);
      assert.match(printed(notebook), /16 steps/);
      checkTables(notebook, /reflection-sft \(trl\) +finished +16/, /MathVista +base +32/);
      checkFigures(notebook, /TRL, from its log: finished, 100 %/, /Accuracy of the first answer/);
      checkFigures(notebook, /TRL: \d[^]*the lab: \d/);
    });
  });
});
