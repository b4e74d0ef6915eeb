/** What the tests of the drawn problems share. */
import { families } from "../../datasets/visual-math/index";
import { createItem, type VisualMathItem } from "../../datasets/visual-math/problems";

/** `count` problems of every level of every family, the held-out ones too. */
export function everyLevel(count: number): VisualMathItem[] {
  return families.flatMap(({ name, levels, heldOut }) =>
    [...levels, ...heldOut].flatMap((level) =>
      Array.from({ length: count }, (_, seed) => createItem({ family: name, level, seed })),
    ),
  );
}

/** The numbers that a text names, in order. */
export function numbersIn(text: string): number[] {
  return (text.match(/\d+/g) ?? []).map(Number);
}
