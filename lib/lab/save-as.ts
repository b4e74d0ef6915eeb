/** Where a figure or a table is written. */
import { fault } from "../engine/errors";

/** The folder, and what the files are called without their endings. */
export interface SaveAs {
  folder: string;
  name: string;
}

/** A title as a file's name. */
export function fileNameOf(title: string): string {
  const words = title.match(/[A-Za-z0-9]+/g) ?? ["untitled"];
  return words.join("-").slice(0, 60);
}

/** @throws LabError when `name` would reach out of its folder or is no name on some system */
export function checkFileName(where: string, name: string): void {
  if (/^[\w][\w.-]*$/.test(name)) return;
  throw fault(where, "the name cannot be a file name", {
    got: name,
    expected: "letters, digits, dots, hyphens and underscores",
  });
}
