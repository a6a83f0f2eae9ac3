import type { Reporter } from "vitest/node";

const tried = /^fact: (\d+) (?:bad |mutated |uses of )/gm;

/** Sums what the tests of poison and fuzz have tried, each in a file and a line of its own, to one line at the end. */
export class BadInputTally implements Reporter {
  #tried = 0;

  onUserConsoleLog({ content }: { readonly content: string }): void {
    for (const [, count] of content.matchAll(tried)) this.#tried += Number(count);
  }

  onTestRunEnd(): void {
    if (this.#tried > 0) console.log(`fact: ${this.#tried} bad inputs tried in all`);
  }
}
