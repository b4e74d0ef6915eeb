/**
 * Responses of the kinds that a trainer meets, from a seed: all transitions, one answer, ill-formed, cut off, empty, LaTeX,
 * choices, other alphabets, and noise. Lengths are those of a 7B policy, a few hundred words.
 */
import { createRandom, type Random } from "../../lib/engine/random";
import type { Gold } from "../../lib/reflection/equality";

export interface SampleRow {
  response: string;
  gold: Gold;
}

interface Answers {
  gold: Gold;
  right: readonly string[];
  wrong: readonly string[];
}

const number = (answer: string, right: string[], wrong: string[]): Answers => ({
  gold: { answer, answerType: "number" },
  right,
  wrong,
});

/** Every question has numbers of its own, so that nothing that was compared once helps the next. */
function drawQuestion(random: Random): Answers {
  const [n, m] = [random.int(2, 99), random.int(2, 99)];
  const questions: readonly Answers[] = [
    number(`${n + m}`, [`${n + m}`, `$\\boxed{${n + m}}$`, `${n + m}.0`], [`${n}+${m}`, `${n}`]),
    number(`\\frac{${n}}{4}`, [`${n / 4}`, `$\\boxed{\\frac{${n}}{4}}$`], [`\\frac{4}{${n}}`]),
    number(`${n}\\sqrt{3}`, [`\\sqrt{${3 * n * n}}`, `${n}\\sqrt{3}`], [`3\\sqrt{${n}}`, "3.5"]),
    number(`(x+${n})^2`, [`x^2+${2 * n}x+${n * n}`, `$(${n}+x)^2$`], [`x^2+${n}`, `(x-${n})^2`]),
    number(`x>${n}`, [`${n}<x`, `(${n},\\infty)`], [`x<${n}`, `x\\ge ${n}`]),
    number(`\\{1,2,${n}\\}`, [`\\{${n},2,1\\}`], [`\\{1,${n}\\}`]),
    number(`${n}^\\circ`, [`${n}`, `$\\boxed{${n}^\\circ}$`], [`${m + 100}`]),
    number(`${n} cm`, [`${n}`, `${n} cm`], [`${n} m`, `${n + 1}`]),
    {
      gold: { answer: "B", answerType: "choice", choices: [`${n}`, `${n + 1}`, `${n + 2}`] },
      right: ["B", "(B)", `${n + 1}`, "$\\boxed{B}$"],
      wrong: ["A", "C", "D", "A or B"],
    },
    {
      gold: { answer: "right angle", answerType: "text" },
      right: ["Right angle", "right angle."],
      wrong: ["acute", "直角"],
    },
  ];
  return random.pick(questions);
}

const WORDS = (
  "the area of the triangle is computed from its base and height so we find a value which must be doubled because the " +
  "figure shows two equal parts and 12.5 + 7 = 19.5 therefore Let's see $x^2$ \\frac{1}{2} naïve 角度 😀 \n"
).split(" ");

/** @param words about how many words a thought has */
export function sampleRows(count: number, { seed = 1, words = 120 } = {}): SampleRow[] {
  const random = createRandom(`reward rows/${seed}`);
  const prose = (length: number): string =>
    Array.from({ length: random.int(1, Math.max(2, length)) }, () => random.pick(WORDS)).join(" ");
  return Array.from({ length: count }, () => {
    const { gold, right, wrong } = drawQuestion(random);
    const answer = (): string => random.pick(random.chance(0.5) ? right : wrong);
    const solution = (): string => `<think>${prose(words)}</think> <answer>${answer()}</answer>`;
    const whole = (): string =>
      `${solution()} <reflection>${prose(words / 2)}</reflection> ${solution()}`;
    const kinds = {
      whole,
      single: solution,
      unclosed: () => whole().replace("</reflection>", ""),
      before: () => `Sure. ${whole()}`,
      cut: () => whole().slice(0, random.int(5, 400)),
      blank: () => whole().replace(/<answer>.*?<\/answer>/s, "<answer></answer>"),
      empty: () => "",
      tags: () => "<think>".repeat(random.int(1, 300)),
      noise: () => `${prose(words)}\u0000\u2028"\\`,
    };
    const shares = { whole: 12, single: 2, unclosed: 1, before: 1, cut: 2, blank: 1 };
    const kind = random.weighted({ ...shares, empty: 0.2, tags: 0.2, noise: 0.3 });
    return { response: kinds[kind](), gold };
  });
}
