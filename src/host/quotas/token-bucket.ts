/** Lets an amount pass in a second. What passes in no second may pass in the next one, and no later. */
export class TokenBucket {
  readonly perSecond: number;
  #tokens: number;
  #atMs: number;

  /** `before`: a bucket with another amount. What it lacks in seconds, the new one lacks too. */
  constructor(perSecond: number, nowMs: number, before?: TokenBucket) {
    this.perSecond = perSecond;
    this.#tokens = before === undefined ? perSecond : before.#seconds(nowMs) * perSecond;
    this.#atMs = nowMs;
  }

  /** Returns the milliseconds after which an amount may pass; 0: now. An amount that is more than a second's passes when nothing has before. */
  waitMs(amount: number, nowMs: number): number {
    this.#fill(nowMs);
    const lacking = Math.min(amount, this.perSecond) - this.#tokens;
    return lacking <= 0 ? 0 : Math.ceil((lacking * 1_000) / this.perSecond);
  }

  /** Takes an amount that passes, and also one that the bucket did not let pass: then the later ones wait longer. */
  take(amount: number): void {
    this.#tokens -= amount;
  }

  /** Whether it is as if nothing had passed. */
  isFull(nowMs: number): boolean {
    this.#fill(nowMs);
    return this.#tokens >= this.perSecond;
  }

  /** The seconds' worth that it has; below 0: that it owes. */
  #seconds(nowMs: number): number {
    this.#fill(nowMs);
    return this.#tokens / this.perSecond;
  }

  #fill(nowMs: number): void {
    const passedMs = nowMs - this.#atMs;
    if (passedMs <= 0) return;
    this.#atMs = nowMs;
    this.#tokens = Math.min(this.perSecond, this.#tokens + (passedMs * this.perSecond) / 1_000);
  }
}
