/** The families, one line each: adding one is adding a file and a line here. */
import { fault } from "../../lib/engine/errors";
import { bars } from "./families/bars";
import { beaker } from "./families/beaker";
import { circuit } from "./families/circuit";
import { clock } from "./families/clock";
import { counting } from "./families/counting";
import { forces } from "./families/forces";
import { lines } from "./families/lines";
import { molecule } from "./families/molecule";
import { motion } from "./families/motion";
import { pie } from "./families/pie";
import { rectangle } from "./families/rectangle";
import { rod } from "./families/rod";
import { scale } from "./families/scale";
import { shop } from "./families/shop";
import { table } from "./families/table";
import { triangle } from "./families/triangle";
import type { Family } from "./family";

export const families: readonly Family[] = [
  bars,
  lines,
  table,
  pie,
  shop,
  counting,
  rod,
  scale,
  clock,
  triangle,
  rectangle,
  forces,
  motion,
  molecule,
  circuit,
  beaker,
];

/** @throws LabError naming the families there are */
export function familyByName(name: string): Family {
  const family = families.find((candidate) => candidate.name === name);
  if (family !== undefined) return family;
  throw fault("familyByName", "unknown family", {
    got: name,
    expected: `one of ${families.map((candidate) => candidate.name).join(", ")}`,
  });
}
