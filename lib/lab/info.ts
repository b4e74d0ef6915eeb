/** The first cell of a notebook: what runs here, on what, with which seed, and how long it will take. */
import { cpus, totalmem } from "node:os";
import { displayable, escapeMarkup, type Displayable } from "./display";
import { formatSeconds } from "./monitor";

export interface LabInfo {
  preset: string;
  seed: number;
  engine: {
    backend: string;
    device: string;
    /** Why this one and not another. */
    reason: string;
    threads?: number;
    versions: Readonly<Record<string, string | undefined>>;
    /** Shown loudly: everything runs, but not as it could. */
    warning?: string;
  };
  /** One line; {@link hardware} unless told otherwise. */
  hardware?: string;
  /** How long each stage takes here, in seconds, where it has not run before. */
  stages?: readonly { name: string; seconds: number }[];
}

/** What the notebook runs on and with, as the value of its first cell. */
export function labInfo(info: LabInfo): Displayable {
  const { engine, stages = [] } = info;
  const versions = Object.entries(engine.versions).flatMap(([name, version]) =>
    version === undefined ? [] : [`${name} ${version}`],
  );
  const threads =
    engine.threads === undefined
      ? ""
      : `, ${engine.threads} thread${engine.threads === 1 ? "" : "s"}`;
  const lines: [string, string][] = [
    ["preset", info.preset],
    ["engine", `${engine.backend} on ${engine.device}${threads}: ${engine.reason}`],
    ["versions", versions.join(" · ")],
    ["hardware", info.hardware ?? hardware()],
    ["seed", String(info.seed)],
  ];
  if (stages.length > 0) {
    const all = stages.reduce((sum, { seconds }) => sum + seconds, 0);
    const times = stages.map(({ name, seconds }) => `${name} about ${roughly(seconds)}`);
    const whole = times.length > 1 ? ` · in all about ${roughly(all)}` : "";
    lines.push(["time", `${times.join(" · ")}${whole}; what has run before is read from disk`]);
  }
  const warning = engine.warning ?? "";
  return displayable(() => ({
    "text/html":
      (warning
        ? `<div style="background:#FFF4E5;color:#222222;border-left:4px solid #D55E00;padding:6px 10px"><b>Warning:</b> ${escapeMarkup(warning)}</div>`
        : "") +
      `<table>${lines.map(([key, value]) => `<tr><th style="text-align:left">${key}</th><td style="text-align:left">${escapeMarkup(value)}</td></tr>`).join("")}</table>`,
    "text/plain": [
      ...(warning ? [`! ${warning}`] : []),
      ...lines.map(([key, value]) => `${key.padEnd(9)} ${value}`),
    ].join("\n"),
  }));
}

/** An estimate with no more digits than it deserves: to the second, to 5 or 10 seconds, or to the minute. */
function roughly(seconds: number): string {
  const step = seconds < 10 ? 1 : seconds < 60 ? 5 : seconds < 600 ? 10 : 60;
  const rounded = Math.max(1, Math.round(seconds / step) * step);
  return rounded < 10 ? `${rounded}s` : formatSeconds(rounded);
}

/** Processor, cores and memory in a line, e.g. `2 × Intel Xeon, 8 GB`. */
export function hardware(): string {
  const cores = cpus();
  const model = cores[0]?.model.replace(/\s+/g, " ").trim() || process.arch;
  return `${cores.length} × ${model}, ${Math.round(totalmem() / 2 ** 30)} GB`;
}
