/** The embedded benchmark suite: one line a record format. */
import { format as emma } from "./emma";
import type { SuiteFormat } from "./format";
import { format as mathverse } from "./mathverse";
import { format as mathvision } from "./mathvision";
import { format as mathvista } from "./mathvista";
import { format as mmk12 } from "./mmk12";
import { format as mmmuPro } from "./mmmu-pro";
import { format as olympiadbench } from "./olympiadbench";

export const suiteFormats: readonly SuiteFormat[] = [
  mathvista,
  mathverse,
  mathvision,
  olympiadbench,
  mmmuPro,
  emma,
  mmk12,
];
