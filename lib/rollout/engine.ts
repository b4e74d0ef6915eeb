/**
 * Rollouts: completions for problems, from whatever can answer. One file an engine, all with this interface; trainers
 * and evaluation know nothing else.
 */
import type { Tape } from "../policy/tape";
import type { ChatMessage, PromptStyle } from "../reflection/prompts";
import type { Completion, Problem } from "../types";

export interface RolloutRequest {
  style: PromptStyle;
  /** What is asked in the style's place; its picture parts are the problem's images in order. */
  messages?: (problem: Problem) => ChatMessage[];
  /** Completions a problem. */
  group: number;
  maxNewTokens: number;
  /** 0 takes the most likely token. */
  temperature: number;
  /** Servers only: tokens outside of the most likely ones with this probability together are not drawn. */
  topP?: number;
  /**
   * Seed of the random streams. Together with a problem's id and a member's number it determines a completion, whatever
   * else is in the batch.
   */
  seed: string | number;
  /** Problems that are computed at once. */
  batch?: number;
  /** Hears of finished problems. */
  onProgress?: (done: number, total: number) => void;
  /** Ends the rollout between two tokens. */
  signal?: AbortSignal;
  /**
   * Receives each batch's {@link Tape}, and owns it; an engine that computes elsewhere, or lacks the memory, makes none.
   */
  record?: (tape: Tape) => void;
}

export interface RolloutEngine {
  /** What answers, for tables and provenance, e.g. `tfjs/base`. */
  name: string;
  /**
   * @returns one list of `group` completions a problem, in the problems' order
   * @throws LabError when a problem cannot be asked, `AbortError` when the signal fires; what the caller had before is
   * untouched
   */
  rollout(problems: readonly Problem[], request: RolloutRequest): Promise<Completion[][]>;
  close(): void | Promise<void>;
}
