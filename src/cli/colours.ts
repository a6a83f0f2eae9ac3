import process from "node:process";

/** Colours of a terminal by what they say. */
export interface Colours {
  readonly good: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly faint: (text: string) => string;
}

export interface ColourTarget {
  readonly isTTY?: boolean;
}

/**
 * Colours for standard output. There are none where it is a file or a program reads it, and none with the variable `NO_COLOR`. `FORCE_COLOR`
 * asks for them all the same.
 */
export function coloursOf(
  target: ColourTarget = process.stdout,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Colours {
  const { NO_COLOR: no, FORCE_COLOR: force, TERM: terminal } = environment;
  const isForced = force !== undefined && force !== "" && force !== "0";
  // https://no-color.org: any text but the empty one
  const isOn = (no === undefined || no === "") && (isForced || (target.isTTY === true && terminal !== "dumb"));
  const colour = (code: number) => (text: string) => (isOn ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { good: colour(32), warn: colour(33), bad: colour(31), faint: colour(2) };
}
