/** The programs that the lab exports to: one file each, one line here. */
import { fault } from "../../engine/errors";
import { target as easyr1 } from "./easyr1";
import { target as llamafactory } from "./llamafactory";
import { target as openrlhf } from "./openrlhf";
import type { ExportTarget } from "./target";
import { target as trl } from "./trl";
import { target as verl } from "./verl";

export const exportTargets: readonly ExportTarget[] = [verl, easyr1, openrlhf, llamafactory, trl];

/** @throws LabError naming the targets that there are */
export function exportTarget(name: string): ExportTarget {
  const found = exportTargets.find((target) => target.name === name);
  if (found !== undefined) return found;
  throw fault("exportTarget", "there is no such target", {
    got: name,
    expected: exportTargets.map((target) => target.name).join(", "),
  });
}
