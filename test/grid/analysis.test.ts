import assert from "node:assert/strict";
import { loadSpec } from "../../lib/config";
import { differenceOf, kindsOf, rateOf } from "../../lib/grid/analysis";
import { judgeClaims, judgeReflection } from "../../lib/grid/claims";
import {
  outcomeLetter,
  readOutcomes,
  type GridResults,
  type RunRecord,
} from "../../lib/grid/results";
import { ablationTable, ratingTable, transitionTable } from "../../lib/lab/grid-view";

const kinds = ["bars-1", "bars-2", "pie-1", "pie-2"];
const marks = (outcomes: string, ratings?: string) => ({
  outcomes,
  ratings,
  readings: "ynyn",
  tokens: 9,
  truncated: 0,
});

function run(variant: string, seed: number, greedy: string, ratings = "...."): RunRecord {
  const set = { greedy: marks(greedy, ratings), sampled: marks(greedy.replace(/./g, "$&$&")) };
  return { variant, seed, hash: "", seconds: {}, runs: {}, evaluation: { test: set, ood: set } };
}

function resultsOf(...runs: RunRecord[]): GridResults {
  const problems = { hash: "", kinds };
  return {
    header: {
      ...{ kind: "paper-mini", version: 1, spec: loadSpec({}, "smoke"), base: "" },
      ...{ variants: [], seeds: [1, 2], problems: { test: problems, ood: problems }, versions: {} },
    },
    runs,
  };
}

describe("grid analysis", () => {
  const results = resultsOf(
    run("base", 1, "rwww"),
    run("base", 2, "rrww"),
    run("srpo", 1, "=+-x", "eed."),
    run("srpo", 2, "=+=r", "ene."),
  );

  it("counts first and final answers, single ones included", () => {
    assert.equal(rateOf(results, "base", "final").value, 3 / 8);
    assert.equal(rateOf(results, "srpo", "first").value, 5 / 8);
    assert.equal(rateOf(results, "srpo", "final").value, 6 / 8);
    assert.deepEqual(rateOf(results, "srpo", "final").seeds, [0.5, 1]);
  });

  it("counts corrections among wrong first answers and spoiled ones among right ones", () => {
    const [fix, harm] = [rateOf(results, "srpo", "fix"), rateOf(results, "srpo", "harm")];
    assert.deepEqual([fix.value, fix.of], [2 / 3, 3]);
    assert.deepEqual([harm.value, harm.of], [1 / 4, 4]);
    assert.ok(Number.isNaN(rateOf(results, "base", "fix").value));
    assert.equal(rateOf(results, "srpo", "WR").value, 2 / 8);
  });

  it("counts ratings among reflections", () => {
    assert.equal(rateOf(results, "srpo", "effective").value, 4 / 6);
    assert.equal(rateOf(results, "srpo", "detrimental").value, 1 / 6);
  });

  it("looks at a family, a level, a mode", () => {
    assert.equal(rateOf(results, "srpo", "final", { family: "bars" }).value, 1);
    assert.equal(rateOf(results, "srpo", "final", { level: 2 }).value, 3 / 4);
    const sampled = rateOf(results, "srpo", "final", { mode: "sampled" });
    assert.deepEqual([sampled.value, sampled.of], [6 / 8, 16]);
    assert.deepEqual(kindsOf(results, "test", "family"), ["bars", "pie"]);
  });

  it("pairs by seed and problem, and only seeds that both have", () => {
    const difference = differenceOf(results, ["base", "srpo"], "final");
    assert.equal(difference.value, 3 / 8);
    assert.deepEqual(difference.seeds, [0.25, 0.5]);
    const uneven = resultsOf(...results.runs.slice(1));
    assert.deepEqual(differenceOf(uneven, ["base", "srpo"], "final").seeds, [0.5]);
    const within = differenceOf(results, ["srpo", "srpo"], ["first", "final"]);
    assert.equal(within.value, 1 / 8);
  });

  it("judges claims by the paired interval, in either direction", () => {
    const judge = (a: string, b: string) =>
      judgeClaims(
        resultsOf(
          ...[1, 2].map((seed) => run("base", seed, a)),
          ...[1, 2].map((seed) => run("srpo", seed, b)),
        ),
      ).find(({ claim }) => claim === "SRPO beats the base");
    assert.equal(judge("wwww", "====")?.verdict, "holds");
    assert.equal(judge("rrrr", "xxxx")?.verdict, "does not hold: the opposite");
    assert.equal(judge("rwrw", "=x=x")?.verdict, "undecided");
    assert.match(judge("wwww", "====")?.sentence ?? "", /SRPO 100\.0 %, base 0\.0 %.*\+9\.1/);
    const [fixed, spoiled] = judgeReflection(results);
    assert.match(fixed, /30 %.*66\.7 %/);
    assert.match(spoiled, /3 %.*25\.0 %/);
  });

  it("writes an outcome as a letter and reads it back", () => {
    const outcomes = [...readOutcomes(marks("rw=+-x"), 6)].flat();
    assert.equal(outcomes.map(outcomeLetter).join(""), "rw=+-x");
    assert.throws(() => readOutcomes(marks("rw=+-"), 2), /readOutcomes/);
  });

  it("tells misread pictures from what was made of read ones", () => {
    const value = (measure: "readWhole" | "rightOfRead" | "misreadOfWrong") => {
      const { value, of } = rateOf(results, "srpo", measure);
      return [value, of];
    };
    // Answers =+-x and =+=r to pictures that were read whole, not, whole, not.
    assert.deepEqual(value("readWhole"), [1 / 2, 8]);
    assert.deepEqual(value("rightOfRead"), [3 / 4, 4]);
    assert.deepEqual(value("misreadOfWrong"), [1 / 2, 2]);
  });

  it("draws tables whose cells are those rates, for the variants that have them", () => {
    const row = (lines: readonly { cells?: string[] }[], name: string): string[] =>
      lines.find(({ cells }) => cells?.[0] === name)?.cells ?? [];
    const [, ...shares] = row(transitionTable(results, ["base", "srpo"]).lines, "SRPO");
    const values = shares.map((text) => text.split(" %")[0]);
    assert.deepEqual(values, ["37.5", "25.0", "12.5", "12.5", "66.7", "25.0"]);
    assert.deepEqual(row(transitionTable(results, ["base"]).lines, "base"), []);

    const [, accuracy, greedy] = row(ablationTable(results, ["base"]).lines, "base");
    assert.match(accuracy, /^37\.5 % /);
    assert.match(greedy, /^−37\.5\n/);
    const rated = row(ratingTable(results, ["srpo"]).lines.slice(2), "SRPO");
    assert.match(rated[1], /^66\.7 %\n/);
  });
});
