/** The benchmarks, one line each: adding one is adding a file and a line here. */
import { fault } from "../../engine/errors";
import type { Benchmark } from "../benchmark";
import { benchmark as emma } from "./emma";
import { benchmark as mathverse } from "./mathverse";
import { benchmark as mathvision } from "./mathvision";
import { benchmark as mathvista } from "./mathvista";
import { benchmark as mmk12 } from "./mmk12";
import { benchmark as mmmu } from "./mmmu";
import { benchmark as mmmuPro } from "./mmmu-pro";
import { benchmark as olympiadbench } from "./olympiadbench";
import { benchmark as wemath } from "./wemath";

export const benchmarks: readonly Benchmark[] = [
  mathvista,
  mathverse,
  mathvision,
  olympiadbench,
  mmmuPro,
  emma,
  mmk12,
  mmmu,
  wemath,
];

/** @throws LabError naming the benchmarks there are */
export function benchmarkByName(name: string): Benchmark {
  const found = benchmarks.find((candidate) => candidate.name === name);
  if (found !== undefined) return found;
  throw fault("benchmarkByName", "unknown benchmark", {
    got: name,
    expected: `one of ${benchmarks.map((candidate) => candidate.name).join(", ")}`,
  });
}
