/** Says what computes, before it computes. */
import { describeEngine, ready, renderEngine } from "../engine/backend";
import { say } from "./io";

let announced = false;

/** Names the engine on stderr, once a process. */
export function announceEngine(): void {
  if (!announced) say(renderEngine(describeEngine()));
  announced = true;
}

/** Starts the engine for a short command: only a warning is worth a line there. */
export async function startEngine(): Promise<void> {
  const { warning } = await ready();
  if (warning !== undefined) say(`! ${warning}`);
}
