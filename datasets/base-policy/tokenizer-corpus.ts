/**
 * Prints the text from which make_tokenizer.py takes its words: questions and readings of every family, held-out ones
 * too, and the phrases in which solvers and the teacher write.
 *
 * usage: node dist/datasets/base-policy/tokenizer-corpus.js > corpus.txt
 */
import { createRandom } from "../../lib/engine/random";
import { chainSteps, columns } from "../visual-math/arithmetic";
import { families } from "../visual-math/index";

/** Scenes a family and level; enough for every wording to come up. */
const SCENES = 200;

/** What is said around the arithmetic, the words for wrong readings and steps included. */
const PHRASES = [
  "with A B C D E F G H I J K L M N O P Q R S T U V W X Y Z",
  "Solve. Read.",
  "Solve, reflect, solve again.",
  "Answer the question. Think step by step.",
  "Right. Wrong. Looks right. Looks wrong. Not right. Correct.",
  "Check: Check again. Read again: Look again.",
  "So 61. So the answer is 61. The answer is 61. Then, but, now, wait, not, no, yes.",
  "The first answer is wrong. The first answer is right. The first solution forgot the carry.",
  "The carry was forgotten. The borrow was forgotten. The reading was wrong. The sum is wrong.",
  "The second solution is shorter. Keep it. It is 34, not 43.",
];

const random = createRandom("tokenizer-corpus");
const lines = families.flatMap((family) =>
  [...family.levels, ...family.heldOut].flatMap((level) =>
    Array.from({ length: SCENES }, () => {
      const scene = family.sample(random, level);
      const steps = chainSteps(scene.chain, scene.values).map(columns).join("; ");
      return [scene.question, scene.read(scene.values), `${steps}.`];
    }).flat(),
  ),
);
process.stdout.write([...PHRASES, ...lines].join("\n") + "\n");
