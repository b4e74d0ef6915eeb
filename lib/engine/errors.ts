/** An error that a user can act on: which function, what was wrong, what it got, what it expected, what to try. */
export class LabError extends Error {
  override name = "LabError";
}

/** The parts of a {@link LabError} message beside the function and the fault. */
export interface FaultDetail {
  got?: unknown;
  expected?: string;
  try?: string;
}

/**
 * Builds (does not throw) an error in the house's form, so that call sites read `throw fault("readCheckpoint", …)`.
 * @param where the public function that was called
 * @param what what is wrong, naming the file or key
 */
export function fault(where: string, what: string, detail: FaultDetail = {}): LabError {
  const parts = [`${where}: ${what}`];
  if (detail.got !== undefined) parts.push(`got ${show(detail.got)}`);
  if (detail.expected !== undefined) parts.push(`expected ${detail.expected}`);
  const sentence = parts.join(", ") + ".";
  return new LabError(detail.try === undefined ? sentence : `${sentence} Try: ${detail.try}.`);
}

function show(value: unknown): string {
  const text =
    typeof value === "string" ? JSON.stringify(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 120 ? text.slice(0, 117) + "…" : text;
}
