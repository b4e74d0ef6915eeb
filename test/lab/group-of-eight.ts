/** A group of eight responses to one problem, of all transitions and lengths, as a run would have logged them. */
import { rewardConfig } from "../../lib/reflection/reward-config";
import { objectiveDefaults } from "../../lib/train/objective";
import type { GroupScoring } from "../../lib/lab/reward-sliders";

const answers = (first: string, second: string, reflection: string): string =>
  `<think>34 and 27 make ${first}.</think><answer>${first}</answer>` +
  `<reflection>${reflection}</reflection><think>So ${second}.</think><answer>${second}</answer>`;

const check = "4 and 7 are 11, 30 and 20 and 10 are 60.";

export const group = [
  answers("61", "61", "Right."),
  answers("61", "61", check),
  answers("51", "61", check),
  answers("51", "61", `${check} ${check}`),
  answers("61", "51", "A ten less."),
  answers("51", "51", "Right."),
  "<think>34 and 27 make 61.</think><answer>61</answer>",
  "61",
].map((text) => ({ text, truncated: false }));

export const scoring: GroupScoring = {
  problem: { answer: "61", answerType: "number" },
  reward: rewardConfig("paper"),
  advantages: { ...objectiveDefaults, stdFloor: 0.05 },
  countTokens: (text) => text.split(/(?=[<\s])/).length,
};
