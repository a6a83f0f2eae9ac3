/** A told message or a durable event on its way. */
export interface MailOccurrence {
  readonly at: "mail";
  /**
   * `kept`: the log has it. `delivered`: its agent has handled it. `retried`: an attempt has failed, and there will be another one. `buried`: it is
   * a dead letter.
   */
  readonly what: "kept" | "delivered" | "retried" | "buried";
  readonly agentType: string;
  readonly key: string;
  /** The code of the error for `retried` and `buried`, else undefined. */
  readonly code: string | undefined;
  /** Milliseconds since the message was sent, by the wall clock; 0 for `kept`. */
  readonly ageMs: number;
}

/** A reminder that was due. */
export interface ReminderOccurrence {
  readonly at: "reminder";
  /** `fired`: its handler has ended. `retried`: an attempt has failed, and there will be another one. `failed`: this tick is given up. */
  readonly what: "fired" | "retried" | "failed";
  readonly agentType: string;
  readonly key: string;
  readonly name: string;
  /** The code of the error for `retried` and `failed`, else undefined. */
  readonly code: string | undefined;
  /** Milliseconds from the time at which it was due, by the wall clock. */
  readonly lateMs: number;
}

/** Something that happened to what a courier delivers. */
export type CourierOccurrence = MailOccurrence | ReminderOccurrence;

/** Listeners to a courier. While `now` is undefined no one listens, and the courier makes no occurrences. */
export interface CourierObservers {
  readonly now: ((what: CourierOccurrence) => void) | undefined;
}
