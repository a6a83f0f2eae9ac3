import type { StoredReminder } from "../../state/state-store.ts";

/** Where the next reading of due reminders begins, while those of a burst are read in pages. */
export class DueCursor {
  #after: StoredReminder | undefined;
  /** The earliest and the latest due time of reminders that were noted since the last reading began. */
  #notedMs = Number.POSITIVE_INFINITY;
  #latestMs = Number.NEGATIVE_INFINITY;

  /** The last reminder of the last page. Undefined: the next reading begins with the first reminder. */
  get after(): StoredReminder | undefined {
    return this.#after;
  }

  /** The due times between which all lie that were noted since the last reading began. Undefined: none was, or the next reading is of all. */
  get noted(): { readonly fromMs: number; readonly toMs: number } | undefined {
    return Number.isFinite(this.#notedMs) ? { fromMs: this.#notedMs, toMs: this.#latestMs } : undefined;
  }

  beginReading(): void {
    this.#notedMs = Number.POSITIVE_INFINITY;
    this.#latestMs = Number.NEGATIVE_INFINITY;
  }

  /** Continues behind a reminder in the next reading, unless one was noted that is due before. */
  endReading(last: StoredReminder | undefined): void {
    this.#after = last !== undefined && last.dueMs < this.#notedMs ? last : undefined;
  }

  /** Notes a reminder in the store that must be read: it was set, or it was read and left there. */
  note(dueMs: number): void {
    this.#notedMs = Math.min(this.#notedMs, dueMs);
    this.#latestMs = Math.max(this.#latestMs, dueMs);
    if (this.#after !== undefined && dueMs <= this.#after.dueMs) this.#after = undefined;
  }

  /** Begins with the first reminder again. */
  reset(): void {
    this.#after = undefined;
    this.#notedMs = Number.NEGATIVE_INFINITY;
  }
}
