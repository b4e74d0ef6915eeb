/** The sources, one line each: adding one is adding a file and a line here. */
import { fault } from "../../lib/engine/errors";
import { geometry3k } from "./geometry3k";
import { llavaCot } from "./llava-cot";
import { mathv360k } from "./mathv360k";
import { mmk12 } from "./mmk12";
import { mulberry } from "./mulberry";
import { records } from "./records";
import { sharegpt } from "./sharegpt";
import type { Source } from "./source";
import { srpoInput } from "./srpo-input";
import { virl39k } from "./virl39k";

export const sources: readonly Source[] = [
  llavaCot,
  mulberry,
  mathv360k,
  srpoInput,
  mmk12,
  virl39k,
  geometry3k,
  sharegpt,
  records,
];

/** @throws LabError naming the sources there are */
export function sourceByName(name: string): Source {
  const source = sources.find((candidate) => candidate.name === name);
  if (source !== undefined) return source;
  throw fault("sourceByName", "unknown source", {
    got: name,
    expected: `one of ${sources.map((candidate) => candidate.name).join(", ")}`,
  });
}
