/** How far an experiment is, in words. */
import type { Progress } from "./schedule";

/** `12 of 78 done, 2 running, about 6 h 05 min left`. */
export function progressLine({ done, running, failed, total, secondsLeft }: Progress): string {
  return [
    `${done} of ${total} done`,
    ...(running > 0 ? [`${running} running`] : []),
    ...(failed > 0 ? [`${failed} FAILED`] : []),
    ...(secondsLeft === null || done === total ? [] : [`about ${hours(secondsLeft)} left`]),
  ].join(", ");
}

function hours(seconds: number): string {
  const minutes = Math.ceil(seconds / 60);
  const rest = String(minutes % 60).padStart(2, "0");
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${rest} min`;
}
