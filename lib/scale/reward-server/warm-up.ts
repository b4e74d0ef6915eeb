/**
 * Scores made-up responses before the first real one. The mathematics loads when it is first needed, and V8 compiles what runs
 * often: without this the first thousand rewards take several times as long as later ones, and those behind them wait.
 */
import type { Row } from "../../engine/rows";
import { renderResponse } from "../../reflection/template";

/** Gold answers and predictions of every kind that is compared in a way of its own; another number makes another pair. */
const PAIRS: readonly ((n: number) => readonly [gold: string, prediction: string])[] = [
  (n) => [`${n}`, `${n}.5`],
  (n) => [`\\frac{${n}}{4}`, `$\\boxed{\\frac{4}{${n}}}$`],
  (n) => [`${n}\\sqrt{3}`, `\\sqrt{${3 * n * n}}`],
  (n) => [`(x+${n})^2`, `x^2+${2 * n}x+${n * n}`],
  (n) => [`x>${n}`, `(${n},\\infty)`],
  (n) => [`\\{1,2,${n}\\}`, `\\{${n},2,1\\}`],
  (n) => [`${n}^\\circ`, `${n + 1}`],
  (n) => [`${n} cm`, `${n} m`],
];

/**
 * @param score scores a row and must not throw
 * @param milliseconds after which it ends
 */
export function warmUp(score: (row: Row) => unknown, milliseconds: number): void {
  const end = performance.now() + milliseconds;
  for (let n = 2; performance.now() < end; n++) {
    for (const pair of PAIRS) {
      const [gold, answer] = pair(n);
      const think =
        `The base is ${n} and the height is ${n + 7}, so the area is half of that. `.repeat(4);
      const solution = { think, answer };
      const second = { think, answer: gold };
      score({ gold, response: renderResponse({ first: solution, reflection: think, second }) });
    }
  }
}
