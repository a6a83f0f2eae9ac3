import type { Clock, Timer } from "../../clock.ts";
import type { AgentName } from "../../state/agent-name.ts";
import type { CourierSlots, SlotUse } from "../courier-slots.ts";
import { noTries } from "../retry-policy.ts";
import type { Mailbox } from "./mailbox.ts";

/** The parts of `MailboxSlots`. */
export interface MailboxSlotsParts {
  readonly clock: Clock;
  readonly slots: CourierSlots;
  /** Returns what a message of this length takes of the slots. */
  readonly useOf: (agent: AgentName, bytes: number) => SlotUse;
  /** A mailbox may ask for its slot now. */
  readonly onTurn: (mailbox: Mailbox) => void;
}

/** Messages that are tried again in one turn of the event loop: thousands may be due at once. */
const retriesAtOnce = 100;

/** Takes slots for the heads of mailboxes. Retries get some in each turn of the event loop. */
export class MailboxSlots {
  readonly #parts: MailboxSlotsParts;
  /** Mailboxes that go on in later turns of the event loop. */
  readonly #later = new Set<Mailbox>();
  #retriesLeft: number = retriesAtOnce;
  #turnTimer: Timer | undefined;

  constructor(parts: MailboxSlotsParts) {
    this.#parts = parts;
  }

  stop(): void {
    this.#turnTimer?.cancel();
  }

  clear(): void {
    this.#later.clear();
  }

  /** The mailbox leaves memory. What waits for a slot gives it back when it comes. */
  forget(mailbox: Mailbox): void {
    if (this.#later.delete(mailbox)) mailbox.slot = "none";
    this.free(mailbox);
  }

  /** Whether the mailbox has a slot for so many bytes. If not, it gets one later. */
  has(mailbox: Mailbox, bytes: number): boolean {
    const { slots, useOf, clock } = this.#parts;
    if (mailbox.slot === "held" && mailbox.use?.bytes === bytes) return true;
    this.free(mailbox);
    mailbox.slot = "waiting";
    if (mailbox.tries !== noTries) {
      if (this.#retriesLeft === 0) {
        this.#later.add(mailbox);
        return false;
      }
      this.#retriesLeft -= 1;
      this.#turnTimer ??= clock.setTimer(0, () => this.#goOn());
    }
    const use = useOf(mailbox.name, bytes);
    mailbox.use = use;
    const granted = (): void => {
      mailbox.slot = "held";
      this.#parts.onTurn(mailbox);
    };
    if (!slots.take(use, granted)) return false;
    mailbox.slot = "held";
    return true;
  }

  free(mailbox: Mailbox): void {
    if (mailbox.slot !== "held" || mailbox.use === undefined) return;
    mailbox.slot = "none";
    this.#parts.slots.free(mailbox.use);
  }

  /** The next turn of the event loop: those that have waited for it are the first. */
  #goOn(): void {
    this.#turnTimer = undefined;
    this.#retriesLeft = retriesAtOnce;
    for (const mailbox of this.#later) {
      if (this.#retriesLeft === 0) return;
      this.#later.delete(mailbox);
      mailbox.slot = "none";
      this.#parts.onTurn(mailbox);
    }
  }
}
