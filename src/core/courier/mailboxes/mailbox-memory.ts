import { ChurnedMap } from "../../collections/churned-map.ts";
import { IndexedSet } from "../../collections/indexed-set.ts";
import type { AgentName } from "../../state/agent-name.ts";
import type { KeptMessage } from "../../state/durable-log.ts";
import { noTries } from "../retry-policy.ts";
import type { Mailbox } from "./mailbox.ts";

/** Bytes of the mailboxes in memory, without their messages. */
const mostBytes = 4 * 1024 * 1024;
/** Bytes of one mailbox with its timer and its entries in tables, without its names, of which it has two copies. */
const mailboxBytes = 1_024;
/** An address may have so many times what is free: two thirds if it is alone. A type: a half. */
const freePartsOf = { party: 2, type: 1 } as const;
/** With so many messages or bytes in memory the longest mailboxes are spilled, until no more than these are left. */
const pressure = { messages: 750, bytes: 12 * 1024 * 1024 };
const relief = { messages: 500, bytes: 8 * 1024 * 1024 };

/** The mailboxes in memory, and their messages. Both are bounded; agent types and addresses have fair shares of the mailboxes. */
export class MailboxMemory {
  readonly #mailboxes = new ChurnedMap<string, Mailbox>();
  /** Mailboxes with messages in memory. */
  readonly #filled = new IndexedSet<"filledSlot", Mailbox>("filledSlot");
  readonly #bytesOf = { party: new Map<string, number>(), type: new Map<string, number>() };
  #mailboxBytes = 0;
  #messages = 0;
  #bytes = 0;

  /** Whether messages have to go. */
  get isPressed(): boolean {
    return this.#messages > pressure.messages || this.#bytes > pressure.bytes;
  }

  /** Whether no more messages may come from the log. */
  get isCrowded(): boolean {
    return this.#messages > relief.messages || this.#bytes > relief.bytes;
  }

  get(text: string): Mailbox | undefined {
    return this.#mailboxes.get(text);
  }

  all(): readonly Mailbox[] {
    return this.#mailboxes.values();
  }

  /** Whether a mailbox more has space. Where no address is known, only the share of the type counts. */
  hasRoom({ type, key }: AgentName, party: string): boolean {
    const bytes = sizeOf({ type, key });
    const freeBytes = mostBytes - this.#mailboxBytes;
    if (bytes > freeBytes) return false;
    const fits = (heldBytes: number | undefined, freeParts: number): boolean =>
      heldBytes === undefined || heldBytes + bytes <= freeParts * freeBytes;
    const isPartyFine = party === "" || fits(this.#bytesOf.party.get(party), freePartsOf.party);
    return isPartyFine && fits(this.#bytesOf.type.get(type), freePartsOf.type);
  }

  put(mailbox: Mailbox): void {
    this.#mailboxes.set(mailbox.text, mailbox);
    this.#count(mailbox, 1);
  }

  remove(mailbox: Mailbox): void {
    if (this.#mailboxes.get(mailbox.text) !== mailbox) return;
    this.cut(mailbox, 0);
    this.#mailboxes.delete(mailbox.text);
    this.#count(mailbox, -1);
  }

  clear(): void {
    for (const mailbox of this.all()) this.remove(mailbox);
  }

  add(mailbox: Mailbox, message: KeptMessage): void {
    mailbox.queue.push(message);
    if (!this.#filled.has(mailbox)) this.#filled.add(mailbox);
    this.#messages += 1;
    this.#bytes += message.frame.length;
  }

  /** Takes the messages from this place on out of memory. */
  cut(mailbox: Mailbox, from: number, count: number = mailbox.queue.length): void {
    for (const { frame } of mailbox.queue.splice(from, count)) {
      this.#messages -= 1;
      this.#bytes -= frame.length;
    }
    if (mailbox.queue.length === 0) this.#filled.delete(mailbox);
  }

  /** Takes the head out of memory. */
  shift(mailbox: Mailbox): void {
    if (mailbox.queue.length === 0) return;
    this.cut(mailbox, 0, 1);
    mailbox.tries = noTries;
  }

  /** When the oldest message in memory was sent. Undefined: there is none. */
  oldestSentAtMs(): number | undefined {
    let oldestMs: number | undefined;
    for (const { queue } of this.#filled.all()) {
      const sentAtMs = queue[0]?.sentAtMs;
      if (sentAtMs !== undefined && sentAtMs < (oldestMs ?? Number.POSITIVE_INFINITY)) oldestMs = sentAtMs;
    }
    return oldestMs;
  }

  /** Those with messages in memory, the longest first. */
  longestFirst(): readonly Mailbox[] {
    return this.#filled.all().sort((a, b) => b.queue.length - a.queue.length);
  }

  #count({ name, party }: Mailbox, sign: 1 | -1): void {
    const bytes = sign * sizeOf(name);
    this.#mailboxBytes += bytes;
    change(this.#bytesOf.type, name.type, bytes);
    if (party !== "") change(this.#bytesOf.party, party, bytes);
  }
}

function sizeOf({ type, key }: AgentName): number {
  return mailboxBytes + 4 * (type.length + key.length);
}

function change(table: Map<string, number>, name: string, bytes: number): void {
  const sum = (table.get(name) ?? 0) + bytes;
  if (sum > 0) table.set(name, sum);
  else table.delete(name);
}
