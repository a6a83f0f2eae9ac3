import type { Logger } from "troupe";

/** Counts what runtimes say by their first words, so that hours of it fit a few lines. */
export class LogTally implements Logger {
  readonly #counts = new Map<string, number>();

  debug(): void {}
  info(): void {}

  warn(text: string): void {
    this.#count(`warning: ${text}`);
  }

  error(text: string): void {
    this.#count(`error: ${text}`);
  }

  /** The most frequent beginnings; numbers, names and addresses are taken out of them. */
  get lines(): string[] {
    const sorted = [...this.#counts].sort(([, one], [, other]) => other - one);
    return sorted.slice(0, 12).map(([text, count]) => `${count} × ${text}`);
  }

  #count(text: string): void {
    const kind = text.replace(/\d[\d.:]*/g, "…").slice(0, 100);
    // Bounded, whatever is said.
    if (this.#counts.size < 200 || this.#counts.has(kind)) this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
  }
}
