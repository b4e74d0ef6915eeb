/** Numbers among a command's options, refused with what would be right. */
import { InvalidArgumentError } from "commander";

/** Reads a whole number of `least` or more. */
export const wholeNumber = (least: number): ((text: string) => number) => reader(least, true);

/** Reads a number of `least` or more. */
export const numberFrom = (least: number): ((text: string) => number) => reader(least, false);

function reader(least: number, whole: boolean): (text: string) => number {
  return (text) => {
    const value = Number(text);
    const fits = text.trim() !== "" && Number.isFinite(value) && value >= least;
    if (fits && (!whole || Number.isSafeInteger(value))) return value;
    throw new InvalidArgumentError(`It must be a ${whole ? "whole " : ""}number from ${least}.`);
  };
}
