import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadSpec, type SpecChanges } from "../../lib/config";
import { SYSTEM_PROMPTS } from "../../lib/reflection/prompts";
import { rewardConfig } from "../../lib/reflection/reward-config";
import { readExport, writeExport, type ExportedProblem } from "../../lib/scale/exports/export";
import { exportTargets } from "../../lib/scale/exports/index";
import { flags } from "../../lib/scale/exports/openrlhf";
import { settings as llamafactorySettings } from "../../lib/scale/exports/llamafactory";
import { renderYaml, shellWord } from "../../lib/scale/exports/text";
import type { ExportPlan } from "../../lib/scale/exports/target";
import { settings as trlSettings } from "../../lib/scale/exports/trl";
import { overrides } from "../../lib/scale/exports/verl";
import { rewardIdentity } from "../../lib/scale/reward-server/server";
import { loadProblems } from "../../lib/stages/problems";
import type { Problem, ReflectionSample } from "../../lib/types";
import { needPeer } from "../peers";
import { FIXTURES, temporaryFolder } from "../policy/fixture";

describe("exports", function () {
  this.timeout(120_000);
  const folder = temporaryFolder();
  const spec = loadSpec({}, "srpo-7b");
  let problems: Problem[];
  before(async () => {
    const drawn = await loadProblems(loadSpec({ problems: { rl: 6 } }, "small"), "rl");
    const tricky: Problem = {
      ...drawn[0],
      id: "tricky $1 'quoted' \"twice\"",
      question: "Costs are $1 and `id` $(id).\nUnit: € {{ content }} {% raw %} — 角?",
      answer: "\\frac{1}{2}",
      answerType: "number",
      choices: undefined,
      images: [drawn[0].images[0], drawn[1].images[0]],
    };
    delete tricky.choices;
    problems = [...drawn, tricky, { ...drawn[2], id: "no picture", images: [] }];
  });

  const sampleOf = (problem: Problem): ReflectionSample => ({
    problem,
    attempt: { text: "", think: "I guess.", answer: "0" },
    verdict: { extraction: "0", prediction: "0", correct: false, rule: "number" },
    mode: "correct",
    reflection: "That was a guess.",
    second: { think: "Now carefully.", answer: problem.answer },
    provenance: { policy: "p", teacher: "t", seed: 1 },
  });
  const write = (target: string, out: string, changes: SpecChanges = {}) => {
    const own = loadSpec(changes, "srpo-7b");
    const samples = problems.map(sampleOf);
    const test = problems.slice(0, 2);
    return writeExport(target, { spec: own, folder: out, train: problems, test, samples });
  };
  const readBack = async (out: string, set: "train" | "test"): Promise<ExportedProblem[]> => {
    const rows: ExportedProblem[] = [];
    for await (const row of readExport(out, set, { pictures: join(folder, "pictures") })) {
      rows.push(row);
    }
    return rows;
  };
  /** A problem with the content of its pictures in their place. */
  const content = ({ images, ...rest }: Problem) => ({
    ...rest,
    images: images.map((path) => readFileSync(path).toString("base64")),
  });

  for (const { name, trains, dataFile } of exportTargets) {
    it(`to ${name} are read back as the same problems`, async () => {
      const out = join(folder, name);
      const manifest = await write(name, out);
      const train = await readBack(out, "train");
      assert.deepEqual(
        train.map(({ problem }) => content(problem)),
        problems.map(content),
      );
      assert.ok(train.every(({ system }) => system === SYSTEM_PROMPTS.paper));
      const tests = await readBack(out, "test");
      assert.equal(tests.length, trains === "rl" ? 2 : 0);
      assert.deepEqual(manifest.rows, { train: 8, test: tests.length });
      if (trains === "sft")
        assert.match(train[0].reply ?? "", /^<think>I guess\.<\/think>.*<reflection>/s);
      assert.ok(existsSync(join(out, dataFile("train"))));
    });
  }

  it("have prompts, reward and a launch script in which nothing is expanded", async () => {
    for (const { name, trains } of exportTargets) {
      const out = join(folder, name);
      const read = (file: string): string => readFileSync(join(out, file), "utf8");
      assert.equal(read("prompts/system.txt"), SYSTEM_PROMPTS.paper);
      assert.equal(spawnSync("bash", ["-n", join(out, "launch.sh")]).status, 0);
      assert.ok(!read("launch.sh").includes("1+1"), "prompts stay out of the shell");
      for (const line of ["otherwise than the lab", name, "launch.sh"]) {
        assert.ok(read("README.md").includes(line), line);
      }
      if (trains === "sft") continue;
      const { preset, config } = JSON.parse(read("reward.json"));
      const identity = rewardIdentity(rewardConfig(preset, config));
      assert.equal(identity, rewardIdentity(rewardConfig("paper")));
      if (name !== "openrlhf") assert.ok(read("srpo_reward.py").includes(`REWARD = "${identity}"`));
    }
    const jinja = readFileSync(join(folder, "easyr1/prompts/format.jinja"), "utf8");
    assert.ok(jinja.startsWith(`{% raw %}${SYSTEM_PROMPTS.paper}{% endraw %}`));
    assert.equal(
      execFileSync("bash", [
        "-c",
        `here=/h; printf '%s\n' ${shellWord("a $1 `id` 'x' {here}/y")}`,
      ]).toString(),
      "a $1 `id` 'x' /h/y\n",
    );
  });

  it("launch with the words that were meant, from a folder of any name", async () => {
    const bin = join(folder, "bin");
    mkdirSync(bin);
    // Stands for the programs: what is asked on the way is answered, the last call's words are printed.
    const fake =
      '#!/bin/bash\ncase "$1" in -) cat > /dev/null ;; -c) echo token ;; *) printf "%s\\n" "$@" ;; esac\n';
    for (const name of ["python3", "trl", "llamafactory-cli"]) {
      writeFileSync(join(bin, name), fake, { mode: 0o755 });
    }
    for (const { name, trains } of exportTargets) {
      const out = join(folder, `it's $HOME ${name}`);
      await write(name, out);
      const { stdout, stderr, status } = spawnSync(join(out, "launch.sh"), ["--more", "a b"], {
        encoding: "utf8",
        env: { PATH: `${bin}:${process.env.PATH}`, SRPO_REWARD_TOKEN: "token" },
      });
      assert.equal(status, 0, stderr);
      const words = stdout.trimEnd().split("\n");
      assert.deepEqual(words.slice(-2), ["--more", "a b"]);
      assert.ok(
        words.some((word) => word.includes(out)),
        name,
      );
      if (trains === "sft") continue;
      const { model } = spec.cluster;
      const settings = readdirSync(out).filter((file) => file.endsWith(".yaml"));
      const all = stdout + settings.map((file) => readFileSync(join(out, file), "utf8")).join("");
      assert.ok(all.includes(model), name);
    }
    const openrlhf = spawnSync(join(folder, "it's $HOME openrlhf", "launch.sh"), {
      encoding: "utf8",
      env: { PATH: `${bin}:${process.env.PATH}`, SRPO_REWARD_TOKEN: "token" },
    });
    assert.match(openrlhf.stdout, /^http:\/\/srpo:token@127\.0\.0\.1:8977\/get_reward$/m);
  });

  const plan = (changes: SpecChanges = {}, preset = "srpo-7b"): ExportPlan => ({
    spec: loadSpec(changes, preset),
    reward: { preset: "paper", config: rewardConfig("paper"), identity: "" },
    ...{ style: "paper", train: new Array(37_390).fill({ images: [""] }), test: problems },
    ...{ samples: [], rewardUrl: "http://127.0.0.1:8977", version: "0.11.2" },
  });
  const keysOf = (tree: object): string[] => Object.keys(tree);

  it("name only settings that the programs know", () => {
    const known = JSON.parse(readFileSync(join(FIXTURES, "scale/options.json"), "utf8"));
    const every: SpecChanges[] = [
      {},
      { grpo: { beta: 0.01, entropyCoef: 0.001, loss: "dr_grpo", scaleRewards: "none" } },
      { grpo: { loss: "gspo", filterLow: 0, filterHigh: 1 } },
      { grpo: { loss: "dapo", clipHigh: 0.28 } },
    ];
    for (const preset of ["srpo-7b", "srpo-32b"]) {
      for (const changes of every) {
        const names: Record<string, string[]> = {
          verl: keysOf(overrides(plan(changes, preset))).map((key) =>
            key.replace(/^\+(.*)\.\w+$/, "$1"),
          ),
          openrlhf: keysOf(flags(plan(changes, preset))),
          trl: keysOf(trlSettings(plan(changes, preset))),
        };
        for (const [target, keys] of Object.entries(names)) {
          assert.deepEqual(
            keys.filter((key) => !known[target].includes(key)),
            [],
            target,
          );
        }
      }
    }
    const sft = keysOf(llamafactorySettings(plan({ sft: { batch: 16 } })));
    assert.deepEqual(
      sft.filter((key) => !known.llamafactory.includes(key)),
      [],
    );
  });

  it("have the paper's hyper-parameters in every program's units", () => {
    const verl = overrides(plan());
    assert.equal(verl["data.train_batch_size"], 128);
    // verl counts prompts: 16 prompts of 8 rollouts are the 128 of an optimiser step.
    assert.equal(verl["actor_rollout_ref.actor.ppo_mini_batch_size"], 16);
    assert.equal(verl["algorithm.filter_groups.metric"], "acc");
    const openrlhf = flags(plan());
    assert.deepEqual([openrlhf["rollout.batch_size"], openrlhf["train.batch_size"]], [128, 128]);
    assert.deepEqual(openrlhf["algo.dynamic_filtering_range"], [0.1, 0.9]);
    assert.equal(openrlhf["train.num_episodes"], 2);
    const trl = trlSettings(plan()) as Record<string, number>;
    assert.equal(trl.max_steps, 4000);
    assert.equal(trl.per_device_train_batch_size * trl.gradient_accumulation_steps * 8, 128);
    assert.equal(trl.per_device_train_batch_size * trl.steps_per_generation * 8, 1024);
    for (const lr of [
      verl["actor_rollout_ref.actor.optim.lr"],
      openrlhf["actor.adam.lr"],
      trl.learning_rate,
    ]) {
      assert.equal(lr, 1e-6);
    }
    const big = flags(plan({}, "srpo-32b"));
    assert.deepEqual([big["actor.num_nodes"], big["vllm.num_engines"]], [4, 8]);
    const sft = llamafactorySettings(plan()) as Record<string, number>;
    assert.equal(sft.per_device_train_batch_size * sft.gradient_accumulation_steps * 8, 16);
    assert.deepEqual([sft.num_train_epochs, sft.learning_rate], [1, 1e-5]);
  });

  it("are refused, with nothing written, where the program cannot do a setting or has another version", async () => {
    const out = join(folder, "refused");
    const cases: [string, SpecChanges, RegExp][] = [
      ["verl", { grpo: { loss: "cispo" } }, /grpo\.loss.*"cispo".*grpo, dapo/],
      ["verl", { grpo: { filterLow: 0.3 } }, /a filter that keeps some groups/],
      ["easyr1", { grpo: { loss: "dr_grpo" } }, /grpo\.loss/],
      ["openrlhf", { grpo: { maskTruncated: true } }, /maskTruncated/],
      ["openrlhf", { grpo: { firstSolutionMask: "always" } }, /firstSolutionMask/],
      ["trl", { cluster: { gpusPerNode: 7 } }, /share evenly.*gpusPerNode=1/],
      ["llamafactory", { sft: { batch: 12 } }, /share evenly/],
      ["verl", { cluster: { model: "" } }, /no model.*srpo-7b/],
      ["verl", { grpo: { miniBatches: 3 } }, /do not divide/],
    ];
    for (const [target, changes, message] of cases) {
      await assert.rejects(write(target, out, changes), message);
    }
    for (const [target, version] of [
      ["verl", "0.7.0"],
      ["openrlhf", "0.10.1"],
      ["trl", "1.10.0"],
      ["llamafactory", "0.9.6"],
    ]) {
      const options = {
        spec,
        folder: out,
        train: problems,
        samples: problems.map(sampleOf),
        version,
      };
      await assert.rejects(writeExport(target, options), /reads something else.*install/);
    }
    await assert.rejects(
      writeExport("openrlhf", { spec, folder: out, train: problems, version: "0.11.0" }),
      /loss grpo in 0\.11\.0.*grpo\.loss=dapo/,
    );
    const dapo = loadSpec({ grpo: { loss: "dapo" } }, "srpo-7b");
    await writeExport("openrlhf", { spec: dapo, folder: out, train: problems, version: "0.11.0" });
  });

  it("leave nothing behind when a picture is missing or a question holds a mark", async () => {
    const out = join(folder, "half");
    const gone = [...problems, { ...problems[0], id: "gone", images: ["no.png"] }];
    await assert.rejects(
      writeExport("verl", { spec, folder: out, train: gone }),
      /picture of gone/,
    );
    assert.deepEqual(readdirSync(out), []);
    const marked = [{ ...problems[0], id: "marked", question: "What is <image>?" }];
    await assert.rejects(
      writeExport("verl", { spec, folder: out, train: marked }),
      /question of marked/,
    );
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, "mine"), "");
    await assert.rejects(write("verl", out), /not empty/);
  });

  it("notice a row that was changed afterwards", async () => {
    const out = join(folder, "openrlhf");
    const file = join(out, "data/train.jsonl");
    const [first, ...others] = readFileSync(file, "utf8").split("\n");
    const changed = JSON.stringify({ ...JSON.parse(first), label: "8" });
    writeFileSync(file, [changed, ...others].join("\n"));
    await assert.rejects(readBack(out, "train"), /another question or answer/);
  });

  it("write YAML that PyYAML reads as what was meant", function () {
    // A Python with pyarrow, datasets, Pillow and PyYAML.
    const python = needPeer(this, "export");
    const tree = {
      a: 1e-7,
      b: "1e-7",
      c: [0.9, "x: y"],
      d: { e: true, f: null, g: "no" },
      h: 1e21,
    };
    const script =
      "import sys, json, yaml; json.dump(yaml.safe_load(sys.stdin.read()), sys.stdout)";
    const { stdout } = spawnSync(python, ["-c", script], {
      input: renderYaml(tree),
      encoding: "utf8",
    });
    assert.deepEqual(JSON.parse(stdout), tree);
  });

  it("hold parquet that pyarrow and datasets read, pictures decoded", function () {
    // A Python with pyarrow, datasets, Pillow and PyYAML.
    const python = needPeer(this, "export");
    const script = `
import io, json, sys
import pyarrow.parquet as pq
from datasets import load_dataset
from PIL import Image
out = {}
for target in ("verl", "easyr1", "trl"):
    path = f"{sys.argv[1]}/{target}/data/train.parquet"
    table = pq.read_table(path)
    rows = load_dataset("parquet", data_files=path, cache_dir=sys.argv[1] + "/cache")["train"]
    pictures = [[image if isinstance(image, Image.Image) else Image.open(io.BytesIO(image["bytes"])) for image in row["images"]] for row in rows]
    out[target] = {
        "schema": {field.name: str(field.type) for field in table.schema},
        "rows": table.num_rows,
        "decoded": isinstance(rows[0]["images"][0], Image.Image),
        "sizes": [[image.size[0] for image in row] for row in pictures],
        "first": {k: v for k, v in table.select([c for c in table.column_names if c != "images"]).to_pylist()[6].items()},
    }
json.dump(out, sys.stdout)`;
    const run = spawnSync(python, ["-c", script, folder], {
      encoding: "utf8",
      env: { ...process.env, HF_HUB_OFFLINE: "1" },
    });
    assert.equal(run.status, 0, run.stderr);
    const found = JSON.parse(run.stdout);
    const { verl, trl, easyr1 } = found;
    assert.deepEqual(Object.keys(verl.schema), [
      "data_source",
      "prompt",
      "images",
      "ability",
      "reward_model",
      "extra_info",
    ]);
    assert.match(verl.schema.prompt, /^list<element: struct<role: string, content: string>>$/);
    assert.match(verl.schema.images, /^list<element: struct<bytes: binary, path: string>>$/);
    assert.ok(verl.first.prompt[1].content.startsWith("<image><image>Costs are $1"));
    assert.equal(JSON.parse(verl.first.reward_model.ground_truth).gold, "\\frac{1}{2}");
    assert.ok(easyr1.first.problem.startsWith("<image><image>Costs"));
    assert.ok(trl.first.prompt[1].content.startsWith("Costs are $1"));
    assert.equal(trl.decoded, true);
    for (const { rows, sizes } of Object.values(found) as { rows: number; sizes: number[][] }[]) {
      assert.equal(rows, 8);
      assert.deepEqual(
        sizes.map((list) => list.length),
        [1, 1, 1, 1, 1, 1, 2, 0],
      );
      assert.ok(sizes.flat().every((size) => size > 50));
    }
  });
});
