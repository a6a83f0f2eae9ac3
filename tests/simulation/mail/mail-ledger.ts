import { type AgentName, textOfName } from "../../../src/core/internal.ts";
import { readMailbox } from "../../../src/nats/log/mail-headers.ts";
import type { SimulatedStream, StoredMessage } from "./simulated-stream.ts";

/** What a world knows of one message. */
interface Record {
  readonly id: string;
  readonly mailbox: string;
  /** The place at which the servers have it now; undefined: they have it no more, or never had it. */
  place: number | undefined;
  /** Whether its sender was told that it is kept. */
  isKept: boolean;
  isHandled: boolean;
  /** Whether it need not be handled: it is a dead letter, its agent was deleted, or the servers have lost it. */
  isForgiven: boolean;
}

export interface MailFigures {
  mailKept: number;
  mailHandled: number;
  mailDeleted: number;
  mailLost: number;
  /** Deletions that a fault has met. */
  deletionFaults: number;
}

/** The parts of a `MailLedger`. */
export interface MailLedgerParts {
  readonly figures: MailFigures;
  readonly breach: (text: string) => void;
  readonly line: (text: () => string) => void;
}

/** The messages of a world, and whether the log keeps what it promises of them. */
export class MailLedger {
  readonly #parts: MailLedgerParts;
  readonly #records = new Map<string, Record>();
  /** The last message of each mailbox that was handled for the first time, by its text: its place. */
  readonly #handledTo = new Map<string, number>();

  constructor(parts: MailLedgerParts) {
    this.#parts = parts;
  }

  /** A message is about to be sent. */
  sending(mailbox: AgentName, id: string): void {
    this.#records.set(id, {
      ...{ id, mailbox: textOfName(mailbox), place: undefined },
      ...{ isKept: false, isHandled: false, isForgiven: false },
    });
  }

  /** The sender was told that its message is kept. */
  told(id: string): void {
    const record = this.#records.get(id);
    if (record === undefined || record.isKept) return;
    record.isKept = true;
    this.#parts.figures.mailKept += 1;
  }

  /** The servers have kept a message, or a dead letter. */
  kept({ place, headers }: StoredMessage, { config }: SimulatedStream): void {
    const record = this.#records.get(idIn(headers));
    if (record === undefined) return;
    if (config.name.endsWith("_DEAD")) {
      record.isForgiven = true;
      return;
    }
    record.place = place;
    record.isForgiven = false;
    this.#parts.line(() => `mail ${record.id} is at ${place}`);
  }

  /** An agent has handled a message. */
  handled(id: string, place: number, host: string): void {
    const record = this.#records.get(id);
    if (record === undefined) return;
    this.#parts.line(() => `${host} delivers mail ${id} at ${place}`);
    if (record.isHandled) return;
    record.isHandled = true;
    this.#parts.figures.mailHandled += 1;
    // It is of a log that is lost.
    if (record.place !== place) return;
    const before = this.#handledTo.get(record.mailbox) ?? 0;
    if (place < before) this.#parts.breach(`mail ${id} at ${place} is handled after that at ${before}`);
    this.#handledTo.set(record.mailbox, Math.max(before, place));
  }

  /** A host begins to empty a mailbox. */
  emptying(mailbox: AgentName, upTo: number): void {
    const text = textOfName(mailbox);
    for (const record of this.#records.values())
      if (record.mailbox === text && record.place !== undefined && record.place <= upTo) record.isForgiven = true;
  }

  /** The servers delete a message. */
  deleted({ place, headers, subject }: StoredMessage): void {
    const record = this.#records.get(idIn(headers));
    if (record === undefined) return;
    this.#parts.figures.mailDeleted += 1;
    this.#parts.line(() => `mail ${record.id} at ${place} is deleted`);
    record.place = undefined;
    if (!record.isHandled && !record.isForgiven)
      this.#parts.breach(`mail ${record.id} at ${place} of ${subject} is deleted, and was not handled`);
  }

  /** A courier was told that the message at a place is deleted. */
  settled(id: string, at: number): void {
    const { place } = this.#records.get(id) ?? {};
    if (place === at)
      this.#parts.breach(`mail ${id} at ${place} is still there after its courier was told that it is not`);
  }

  /** The servers have lost all that they had. */
  lost(messages: readonly StoredMessage[]): void {
    this.#handledTo.clear();
    for (const { headers } of messages) {
      const record = this.#records.get(idIn(headers));
      if (record?.place === undefined) continue;
      record.place = undefined;
      if (!record.isHandled) this.#parts.figures.mailLost += 1;
      record.isForgiven = true;
    }
  }

  /** Whether what was kept is handled, and deleted. */
  get isAtRest(): boolean {
    return [...this.#records.values()].every((record) => !isOpen(record) && record.place === undefined);
  }

  /** In the end nothing waits, and the log is empty. */
  check(): void {
    const all = [...this.#records.values()];
    const open = all.filter(isOpen).map(({ id }) => id);
    if (open.length > 0) this.#parts.breach(`mail was kept, and is not handled: ${open.slice(0, 5).join(" ")}`);
    const left = all.filter(({ place }) => place !== undefined).map(({ id, place }) => `${id} at ${place}`);
    if (left.length > 0) this.#parts.breach(`the log keeps mail that was handled: ${left.slice(0, 5).join(", ")}`);
  }
}

function isOpen({ isKept, isHandled, isForgiven }: Record): boolean {
  return isKept && !isHandled && !isForgiven;
}

function idIn(headers: ReadonlyMap<string, string>): string {
  return readMailbox({ get: (name) => headers.get(name) ?? "" }) === undefined ? "" : (headers.get("Troupe-Id") ?? "");
}
