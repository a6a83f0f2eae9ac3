import type { Lane } from "./lane.ts";
import type { Line } from "./line.ts";
import { PartyQueue } from "./party-queue.ts";

const MINUTE_MS = 60_000;
/** Connections cut for flooding within a minute, from which on new ones of the party are opened one in each turn. */
const SUSPECT_FLOODS = 3;

/** All lanes of one party. */
export class Party {
  readonly name: string;
  readonly lanes = new Set<Lane>();
  /** Its lanes with short turns that wait, and the others. */
  readonly short: PartyQueue;
  readonly dear: PartyQueue;
  #floods = 0;
  #minuteBeganMs = Number.NEGATIVE_INFINITY;

  constructor(name: string, lines: { readonly short: Line; readonly dear: Line }) {
    this.name = name;
    this.short = new PartyQueue(lines.short);
    this.dear = new PartyQueue(lines.dear);
  }

  /** A connection of the party was cut for flooding. */
  noteFlood(nowMs: number): void {
    if (nowMs - this.#minuteBeganMs > MINUTE_MS) {
      this.#minuteBeganMs = nowMs;
      this.#floods = 0;
    }
    this.#floods += 1;
  }

  /** Whether several connections of the party were cut within a minute, not long ago. */
  isSuspect(nowMs: number): boolean {
    return this.#floods >= SUSPECT_FLOODS && this.hasFlooded(nowMs);
  }

  /** Whether a connection of the party was cut not long ago. */
  hasFlooded(nowMs: number): boolean {
    return this.#floods > 0 && nowMs - this.#minuteBeganMs <= 2 * MINUTE_MS;
  }
}
