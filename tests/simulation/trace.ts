/** What happened, in order: a hash of all of it, and its lines if they are wanted. */
export class Trace {
  readonly lines: string[] | undefined;
  readonly #now: () => number;
  #low = 0x811c9dc5;
  #high = 0x01234567;
  #count = 0;

  constructor(now: () => number, keepsLines: boolean) {
    this.#now = now;
    this.lines = keepsLines ? [] : undefined;
  }

  /** Equal for equal traces. */
  get hash(): string {
    const hex = (value: number) => (value >>> 0).toString(16).padStart(8, "0");
    return `${hex(this.#high)}${hex(this.#low)}`;
  }

  get count(): number {
    return this.#count;
  }

  /** For the hash alone: too frequent to be read. */
  tick(text: string): void {
    this.#mix(`${this.#now()} ${text}`);
  }

  note(text: string): void {
    const line = `${this.#now()} ${text}`;
    this.#mix(line);
    this.lines?.push(line);
  }

  #mix(text: string): void {
    this.#count += 1;
    for (let index = 0; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      this.#low = Math.imul(this.#low ^ code, 0x01000193);
      this.#high = Math.imul(this.#high ^ (code + (this.#low >>> 13)), 0x5bd1e995);
    }
  }
}
