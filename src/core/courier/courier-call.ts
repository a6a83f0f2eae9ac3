import type { TroupeError } from "../errors.ts";
import type { AgentName } from "../state/agent-name.ts";
import type { ReminderTickInfo } from "./reminders/when.ts";

/** A call that a courier makes: it delivers a kept message, or fires a reminder. */
export interface CourierCall {
  readonly agent: AgentName;
  /** The same for every attempt, so that an agent which remembers it handles the message once. */
  readonly id: string;
  readonly kind: "call" | "event";
  /** The message as it goes over the wire. */
  readonly frame: Uint8Array;
  /** 1 with the first. */
  readonly attempt: number;
  /** The place of the message in its shard of the log. Undefined: it is a reminder. */
  readonly place: number | undefined;
  /** Undefined: it is a message of a mailbox. */
  readonly reminder: ReminderTickInfo | undefined;
}

/** The end of one attempt. */
export type CourierOutcome =
  | { readonly at: "handled" }
  | { readonly at: "failed"; readonly error: TroupeError }
  /** It was withdrawn before its handler began. */
  | { readonly at: "withdrawn" };

/** A call that is under way. */
export interface CourierDelivery {
  /** Never rejects. */
  readonly outcome: Promise<CourierOutcome>;
  /** Ends the call if its handler has not begun; else does nothing. */
  withdraw(): void;
}

/** Delivers a call to its agent: in this runtime, or on one of a host's workers. It does not throw. */
export type Deliver = (call: CourierCall) => CourierDelivery;
