import process from "node:process";

/** Shows a person at a terminal that a command works. Nothing is shown where standard error is a file or a program reads it. */
export interface Progress {
  /** Replaces the line that is shown. */
  say(text: string): void;
  /** Takes the line away. */
  done(): void;
}

/** Where a progress is shown. */
export interface ProgressTarget {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** Shows one line that changes, on standard error. Texts of others must be made safe for a terminal before. */
export function progressOn(target: ProgressTarget = process.stderr): Progress {
  if (target.isTTY !== true) return { say: () => undefined, done: () => undefined };
  const clear = "\r\u001b[K";
  return {
    say: (text) => target.write(`${clear}${text}`),
    done: () => target.write(clear),
  };
}

/** Shows one line while a piece of work runs. */
export async function whileShown<T>(text: string, work: () => Promise<T>, target?: ProgressTarget): Promise<T> {
  const progress = progressOn(target);
  progress.say(text);
  try {
    return await work();
  } finally {
    progress.done();
  }
}
