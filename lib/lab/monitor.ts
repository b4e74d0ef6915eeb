/**
 * Watches a stage while it runs: how far, how fast, how long still, and its curves.
 *
 * In a notebook all of it is one display that is drawn in place, at most four times a second and only when something
 * changed; JupyterLab's plotly renderer keeps its first frame (it never redraws a graph), so the running frames are SVG
 * and only the last one is plotly. In a terminal it is one line on stderr.
 */
import { PALETTE, type Figure, type Line } from "./chart";
import {
  createDisplay,
  currentSurface,
  escapeMarkup,
  type LiveDisplay,
  type MimeBundle,
  type Surface,
} from "./display";
import { figureBundle } from "./figure";
import { PANEL, renderSvg } from "./svg-chart";
import { EDGE, FAINT, FONT } from "./theme";

/** One chart of a monitor; several metrics share it as several curves. */
export interface MonitorChart {
  title: string;
  metrics: readonly string[];
  /** A metric that is the half width of a band around another: `{ reward: "reward_std" }`. */
  bands?: Readonly<Record<string, string>>;
  format?: "number" | "percent";
  min?: number;
  max?: number;
}

export interface MonitorOptions {
  title: string;
  /** Steps until the end. */
  total: number;
  /** What a step is called; `step` unless told otherwise. */
  unit?: string;
  charts?: readonly MonitorChart[];
  /** Milliseconds; a test gives its own clock. */
  clock?: () => number;
  /** Bytes that the process holds; a test gives its own. */
  memory?: () => number;
  surface?: Surface;
}

/** Something that is wrong: what it is called, and a sentence. */
export interface MonitorWarning {
  kind: string;
  sentence: string;
}

export interface Monitor {
  /**
   * Reports the metrics after step `step` (from 1); one that is `undefined` was not measured at this step. A step that comes
   * again replaces what was known of it.
   * @param warnings what is wrong; the last sentence of each kind stays in sight to the end, with how often it came
   */
  update(
    step: number,
    metrics: Readonly<Record<string, number | undefined>>,
    warnings?: readonly MonitorWarning[],
  ): void;
  /** Draws the rows (with their `step`) of a run that is resumed, without counting them into the speed. */
  preload(rows: readonly Readonly<Record<string, number | undefined>>[]): void;
  /** A word beside the progress, e.g. what the stage does at the moment. */
  note(text: string): void;
  /** The last frame: interactive figures, their picture and their numbers. */
  finish(): Promise<void>;
  /** As {@link finish}, for a stage that ends before its last step; `reason` is shown. */
  stop(reason: string): Promise<void>;
}

const FRAME_MS = 250;
const LINE_MS = 10_000;
const BAR_WIDTH = 420;

export function createMonitor(options: MonitorOptions): Monitor {
  const clock = options.clock ?? Date.now;
  const state: State = {
    title: options.title,
    unit: options.unit ?? "step",
    total: options.total,
    charts: options.charts ?? [],
    rows: new Map(),
    started: clock(),
    firstStep: null,
    step: 0,
    note: "",
    warnings: new Map(),
    changes: 0,
    ended: false,
    memory: options.memory ?? residentBytes,
    peak: 0,
  };
  const surface = options.surface ?? currentSurface();
  const live = createDisplay({ surface: options.surface });
  const draw =
    surface.kind === "notebook" ? notebookFrames(live) : terminalLines(surface, options.charts);
  let drawnAt = -Infinity;
  let drawnChanges = 0;
  let timer: NodeJS.Timeout | undefined;

  const refresh = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const now = clock();
    if (state.ended || state.changes === drawnChanges) return;
    if (now - drawnAt < draw.every) {
      // The last change before a long step would stay unseen without a later frame.
      timer = setTimeout(refresh, draw.every - (now - drawnAt));
      timer.unref();
      return;
    }
    drawnAt = now;
    drawnChanges = state.changes;
    state.peak = Math.max(state.peak, state.memory());
    draw.frame(state, now);
  };
  const end = async (outcome: string): Promise<void> => {
    clearTimeout(timer);
    state.ended = true;
    const head = `${state.title}: ${outcome}, ${progressWords(state, clock()).join(" · ")}`;
    const summary = [head, ...warningLines(state)].join("\n");
    draw.close();
    const figures = monitorFigures(state);
    live.finish(
      figures.length === 0
        ? { "text/plain": summary }
        : await figureBundle(figures, { heading: head, summary }),
    );
  };
  return {
    update: (step, metrics, warnings = []) => {
      state.firstStep ??= step - 1;
      state.step = step;
      state.rows.set(step, metrics);
      for (const { kind, sentence } of warnings) {
        const steps = (state.warnings.get(kind)?.steps ?? 0) + 1;
        state.warnings.set(kind, { steps, last: step, sentence });
      }
      state.changes++;
      refresh();
    },
    preload: (rows) => {
      for (const row of rows) if (row.step !== undefined) state.rows.set(row.step, row);
      state.step = Math.max(0, ...state.rows.keys());
      state.firstStep = state.step;
      state.changes++;
      refresh();
    },
    note: (text) => {
      if (text !== state.note) state.changes++;
      state.note = text;
      refresh();
    },
    finish: () => end("finished"),
    stop: (reason) => end(`stopped (${reason})`),
  };
}

interface Warned {
  steps: number;
  last: number;
  sentence: string;
}

interface State {
  title: string;
  unit: string;
  total: number;
  charts: readonly MonitorChart[];
  rows: Map<number, Readonly<Record<string, number | undefined>>>;
  /** Milliseconds. */
  started: number;
  /** Steps that were done before this monitor saw any; `null` until it has. */
  firstStep: number | null;
  step: number;
  note: string;
  /** By kind: how many steps had it, which was the last, and what was said then. */
  warnings: Map<string, Warned>;
  /** How often anything changed; a frame is drawn only after a change. */
  changes: number;
  ended: boolean;
  memory: () => number;
  /** The most memory that a frame saw, in bytes. */
  peak: number;
}

interface Frames {
  /** At least so many milliseconds lie between two frames. */
  every: number;
  frame(state: State, now: number): void;
  close(): void;
}

function notebookFrames(live: LiveDisplay): Frames {
  return {
    every: FRAME_MS,
    frame: (state, now) => live.update(liveFrame(state, now)),
    close: () => undefined,
  };
}

/** A terminal's line is drawn over; in a log file a line comes every ten seconds. */
function terminalLines(
  surface: Extract<Surface, { kind: "terminal" }>,
  charts: readonly MonitorChart[] = [],
): Frames {
  const shown = charts.flatMap(({ metrics }) => metrics).slice(0, 3);
  let length = 0;
  const said = new Set<string>();
  return {
    every: surface.live ? FRAME_MS : LINE_MS,
    frame: (state, now) => {
      const row = state.rows.get(state.step) ?? {};
      const values = shown.flatMap((name) => {
        const value = row[name];
        return value === undefined ? [] : [`${name} ${value.toPrecision(3)}`];
      });
      const note = state.note === "" ? [] : [state.note];
      const line = [state.title, ...progressWords(state, now), ...values, ...note].join(" · ");
      surface.progress(surface.live ? `\r${line.padEnd(length)}` : `${line}\n`);
      length = line.length;
      // In a terminal a kind is said once: what repeats is counted in the last lines.
      const fresh = [...state.warnings].filter(([kind]) => !said.has(kind));
      if (fresh.length > 0 && surface.live) surface.progress("\n");
      for (const [kind, warning] of fresh) {
        said.add(kind);
        surface.progress(`${warningLine(warning, state.unit)}\n`);
      }
    },
    close: () => {
      if (surface.live && length > 0) surface.progress("\n");
    },
  };
}

function liveFrame(state: State, now: number): MimeBundle {
  const words = progressWords(state, now);
  const percent = Math.min(100, (100 * state.step) / Math.max(1, state.total));
  const note =
    state.note === "" ? "" : `<div style="color:${FAINT}">${escapeMarkup(state.note)}</div>`;
  const warnings = warningLines(state).map(
    (text) => `<div style="color:${PALETTE[1]}">${escapeMarkup(text)}</div>`,
  );
  const figures = monitorFigures(state);
  const svg = figures.length === 0 ? "" : renderSvg(figures);
  return {
    "text/plain": [[state.title, ...words].join(" · "), ...warningLines(state)].join("\n"),
    "text/html":
      `<div style="font-family:${FONT};font-size:13px">` +
      `<div><b>${escapeMarkup(state.title)}</b> · ${escapeMarkup(words.join(" · "))}</div>` +
      `<div style="background:${EDGE};height:6px;max-width:${BAR_WIDTH}px;margin:4px 0">` +
      `<div style="background:${PALETTE[0]};height:6px;width:${percent.toFixed(1)}%"></div></div>` +
      `${note}${warnings.join("")}${svg}</div>`,
  };
}

/** One line a kind. */
function warningLines({ warnings, unit }: State): string[] {
  return [...warnings.values()].map((warning) => warningLine(warning, unit));
}

/** `⚠ step 12 (3 steps so far): all 16 groups had zero spread: …` */
function warningLine({ steps, last, sentence }: Warned, unit: string): string {
  const often = steps === 1 ? "" : ` (${steps} ${unit}s so far)`;
  return `⚠ ${unit} ${last}${often}: ${sentence}`;
}

/**
 * `["40 %", "80/200 steps", "1.25 steps/s", "1m36s left", "1m04s elapsed", "0.8 GB"]`; the speed counts this session's steps
 * only.
 */
function progressWords(state: State, now: number): string[] {
  const { step, total, unit, started, firstStep, ended } = state;
  const seconds = (now - started) / 1000;
  const done = firstStep === null ? 0 : step - firstStep;
  const words = [`${Math.floor((100 * step) / Math.max(1, total))} %`, `${step}/${total} ${unit}s`];
  if (done > 0 && seconds > 0) {
    const speed = done / seconds;
    words.push(
      speed >= 1 ? `${speed.toFixed(2)} ${unit}s/s` : `${(1 / speed).toFixed(2)} s/${unit}`,
    );
    if (step < total && !ended) words.push(`${formatSeconds((total - step) / speed)} left`);
  }
  words.push(`${formatSeconds(seconds)} elapsed`);
  const bytes = ended ? state.peak : state.memory();
  if (bytes > 0) words.push(`${ended ? "at most " : ""}${(bytes / 1e9).toFixed(1)} GB`);
  return words;
}

/** What the operating system has given this process: tensors of the native engine, which V8 does not know of, included. */
function residentBytes(): number {
  return process.memoryUsage.rss();
}

/** Seconds as `42s`, `3m12s` or `2h05m`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (value: number): string => String(value).padStart(2, "0");
  if (whole < 60) return seconds < 10 ? `${seconds.toFixed(1)}s` : `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`;
}

function monitorFigures(state: State): Figure[] {
  const rows = [...state.rows].sort(([a], [b]) => a - b);
  return state.charts.map(({ title, metrics, bands, format, min, max }) => ({
    title,
    x: { title: state.unit },
    y: { title: "", format, min, max },
    height: PANEL.height,
    lines: metrics.flatMap((name): Line[] => {
      const known = rows.filter(([, row]) => row[name] !== undefined);
      if (known.length === 0) return [];
      const y = known.map(([, row]) => row[name] ?? NaN);
      const line: Line = { name, x: known.map(([step]) => step), y };
      const band = bands?.[name];
      if (band === undefined) return [line];
      const half = known.map(([, row]) => row[band] ?? NaN);
      if (!half.some(Number.isFinite)) return [line];
      return [{ ...line, low: y.map((v, i) => v - half[i]), high: y.map((v, i) => v + half[i]) }];
    }),
  }));
}
