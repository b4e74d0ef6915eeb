/** What a preflight says of one thing. */
export interface Finding {
  name: string;
  /** `skipped`: it could not be looked at; `fix` says how it could. */
  status: "ok" | "warning" | "fail" | "skipped";
  detail: string;
  /** Figures behind the words. */
  numbers?: Readonly<Record<string, number>>;
  /** What to do about it. */
  fix?: string;
}

/** The looks of findings on a terminal, and a verdict. */
export function renderFindings(findings: readonly Finding[]): string {
  const marks = { ok: "✓", warning: "!", fail: "✗", skipped: "–" } as const;
  const width = Math.max(...findings.map(({ name }) => name.length));
  const lines = findings.flatMap(({ name, status, detail, fix }) => [
    `${marks[status]} ${name.padEnd(width)}  ${detail}`,
    ...(fix === undefined || status === "ok" ? [] : [`${" ".repeat(width + 4)}→ ${fix}`]),
  ]);
  const count = (status: Finding["status"]): number =>
    findings.filter((finding) => finding.status === status).length;
  const failed = count("fail");
  const verdict =
    failed > 0
      ? `${failed} would stop or spoil the run.`
      : `Nothing that stops the run; ${count("warning")} to know about, ${count("skipped")} not looked at.`;
  return [...lines, "", verdict].join("\n");
}
