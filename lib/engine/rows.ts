/** Rows of JSON whose fields nobody has checked: from files, from pipes, from other programs' requests. */
import { fault } from "./errors";

export type Row = Record<string, unknown>;

export function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A text field; a number is taken as its text. @throws LabError naming the field */
export function textField(row: Row, key: string): string {
  const value = optionalText(row, key);
  if (value !== undefined) return value;
  throw fault("row", `no ${key}`, { expected: `a text as "${key}"` });
}

/** As {@link textField}, `undefined` where the field is absent or null. */
export function optionalText(row: Row, key: string): string | undefined {
  const value = row[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  if (typeof value === "number") return String(value);
  throw fault("row", `${key} is no text`, { got: value });
}

/** A list of texts, `undefined` where the field is absent or null. @throws LabError naming the field */
export function optionalTexts(row: Row, key: string): string[] | undefined {
  const value = row[key];
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value) && value.every((v) => typeof v === "string" || typeof v === "number")) {
    return value.map(String);
  }
  throw fault("row", `${key} is no list of texts`, { got: value });
}

/** A number, `undefined` where the field is absent or null. @throws LabError naming the field */
export function optionalNumber(row: Row, key: string): number | undefined {
  const value = row[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number") return value;
  throw fault("row", `${key} is no number`, { got: value });
}

/** True or false, `undefined` where the field is absent or null. @throws LabError naming the field */
export function optionalFlag(row: Row, key: string): boolean | undefined {
  const value = row[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "boolean") return value;
  throw fault("row", `${key} is neither true nor false`, { got: value });
}
