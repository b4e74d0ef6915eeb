/** The attacks of `attack-list.ts`, each beside the honest response that it is measured by. */
import { answering, reflecting, tagging } from "./attack-list";
import { honest, REFERENCES, SHAPE, type Attack, type Draft } from "./attack-writing";
import { choiceQuestion, countWords, numberQuestion, TAG_TOKENS, type Question } from "./specimens";

/**
 * All attacks, written out. Where an attack is not about length, the honest response beside it is as long as it is, as far as
 * an honest check can be: a few words more or less must not decide.
 * @param write how answers are written, e.g. `boxed`; plain unless told otherwise
 */
export function attacks(
  write: (question: Question) => Question = (question) => question,
): Attack[] {
  const one = (draft: Draft): Question =>
    write(draft.choice === true ? choiceQuestion : numberQuestion);
  return [
    ...reflecting.map((draft) => written(draft, one(draft), () => SHAPE.reflectionTokens)),
    ...[...tagging, ...answering].map((draft) => written(draft, one(draft), matchingReflection)),
  ];
}

function written(
  draft: Draft,
  question: Question,
  reflectionTokens: (attack: string) => number,
): Attack {
  const { answers, beside } = REFERENCES[draft.against];
  const [first, second] = answers(question);
  const response = draft.response(honest, question);
  return {
    ...{ kind: draft.kind, hope: draft.hope, must: draft.must, question, beside, response },
    honest: honest(first, second, { reflectionTokens: reflectionTokens(response) }),
  };
}

/** Tokens of an honest check with which the whole is as long as the attack, between 10 and 40. */
function matchingReflection(attack: string): number {
  const rest = TAG_TOKENS + SHAPE.firstTokens + SHAPE.secondTokens;
  return Math.min(40, Math.max(10, countWords(attack) - rest));
}
