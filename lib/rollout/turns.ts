/** Work on something that only one may use at a time. */

/** @returns a function that starts each piece of work when all before it have ended, however they ended */
export function takeTurns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
}
