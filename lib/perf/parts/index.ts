/** The parts of `npm run bench`, in the order in which they are measured. */
import { batching } from "./batching";
import { decode } from "./decode";
import { growth } from "./growth";
import { npmStart } from "./npm-start";
import { onnx } from "./onnx";
import type { BenchPart } from "./part";
import { pictures } from "./pictures";
import { sft } from "./sft";
import { start } from "./start";
import { step } from "./step";
import { update } from "./update";

export const benchParts: readonly BenchPart[] = [
  step,
  update,
  sft,
  decode,
  batching,
  growth,
  onnx,
  start,
  pictures,
  npmStart,
];
