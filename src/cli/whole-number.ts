import { InvalidArgumentError } from "commander";

/** The most that a flag takes which has no limit of its own. */
export const mostOfFlags = 9_999_999_999;

/**
 * Makes the parser of a flag: it reads a whole number in decimal digits, within limits. What gets the number checks it too, but its errors name
 * options and parameters, and an operator knows flags. The parser throws commander's error, which says what the flag takes.
 */
export function wholeNumber(from: number, to = mostOfFlags): (text: string) => number {
  return (text) => {
    const number = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= from && number <= to) return number;
    throw new InvalidArgumentError(`Not a whole number from ${from} to ${to}, in digits alone.`);
  };
}
