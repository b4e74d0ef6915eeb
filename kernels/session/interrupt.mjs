// What stops a cell from within: the waits and the timers of cells go through here, and end when the cell is interrupted.
import timers from "node:timers";
import timersPromises from "node:timers/promises";
import { syncBuiltinESMExports } from "node:module";
import { promisify } from "node:util";

/** The error with which an interrupted cell ends; Python's kernel calls it KeyboardInterrupt. */
export class Interrupted extends Error {
  name = "Interrupted";
}

const NEVER = new Promise(() => {});
const waiting = new Set();
/** @type {{over: boolean} | undefined} the cell that runs now */
let running;

/** Says which cell runs from now on, or that none does. */
export function setRunning(cell) {
  running = cell;
}

/**
 * The waits of one cell; `await x` in a cell is compiled to `await gate(x)`.
 * A wait fails when its cell is interrupted, so that `finally` runs; code that goes on regardless is left hanging at its
 * next wait once the cell has answered.
 * @param {{over: boolean}} cell
 */
export function gateOf(cell) {
  const gate = (value) => {
    if (cell.over) return NEVER;
    if (typeof value?.then !== "function") return value;
    // Made here, where the cell waits, because its stack says where that is.
    const interruption = new Interrupted("the cell was interrupted");
    return new Promise((resolve, reject) => {
      const wait = () => reject(interruption);
      waiting.add(wait);
      const settle = (how) => (outcome) => {
        waiting.delete(wait);
        how(outcome);
      };
      Promise.resolve(value).then(settle(resolve), settle(reject));
    });
  };
  gate.each = async function* (values) {
    const iterator = values[Symbol.asyncIterator]?.() ?? values[Symbol.iterator]();
    try {
      for (;;) {
        const { done, value } = await gate(iterator.next());
        if (done) return;
        yield await gate(value);
      }
    } finally {
      void iterator.return?.();
    }
  };
  return gate;
}

/** Fails every wait of every cell. */
export function failWaits() {
  for (const fail of waiting) fail();
  waiting.clear();
}

/** Makes timers belong to the cell that set them: those of an interrupted cell no longer fire. */
export function tieTimersToCells() {
  for (const name of ["setTimeout", "setInterval", "setImmediate"]) {
    const original = globalThis[name];
    const tied = function (callback, ...args) {
      if (typeof callback !== "function") return original(callback, ...args);
      const cell = running;
      if (cell === undefined) return original(callback, ...args);
      const timer = original(
        function (...values) {
          if (!cell.over) return callback.apply(this, values);
          globalThis[name.replace("set", "clear")](timer);
        },
        ...args,
      );
      return timer;
    };
    const sleep = timersPromises[name];
    const tiedSleep = (...args) => {
      const cell = running;
      const slept = sleep(...args);
      if (cell === undefined || typeof slept.then !== "function") return slept;
      return slept.then((value) => (cell.over ? NEVER : value));
    };
    if (name !== "setInterval") {
      Object.defineProperty(tied, promisify.custom, { value: tiedSleep });
      timersPromises[name] = tiedSleep;
    }
    globalThis[name] = tied;
    timers[name] = tied;
  }
  syncBuiltinESMExports();
}
