import type { Clock, Timer } from "../../../core/internal.ts";
import { FairShare, type MemoryAccount } from "../../../transport/internal.ts";
import { limits } from "../../limits.ts";
import { SenderWaits } from "../../sessions/sender-waits.ts";
import type { HostCaller } from "../host-caller.ts";

/** A message for exclusive types that waits for their place. The router of its kind makes it. */
export interface GatedMessage {
  /** Pays for the message; its party shares the bounds. */
  readonly account: MemoryAccount;
  readonly byteLength: number;
  readonly agentTypes: readonly string[];
  /** When it began to wait, by the host's clock; written by `PlaceGates`. */
  sinceMs: number | undefined;
  /** Sends the message to its place, or holds it again. `unserved`: a type that no host serves. */
  place(unserved: string | undefined): void;
  /** It has waited as long as it may. */
  expire(): void;
}

/** A message of another host for a worker that has come to this host a moment ago. It waits until the worker registers its types here. */
export interface ExpectedMessage extends GatedMessage {
  readonly host: HostCaller;
  readonly workerId: string;
  /** Sends it back: the worker has left. */
  giveBack(): void;
}

interface Gate<Message> {
  readonly key: string;
  /** Messages that came back from another host, which go first, and those that came since. */
  readonly returned: Set<Message>;
  readonly held: Set<Message>;
  /** Share its places and bytes between the addresses of the senders. */
  readonly places: FairShare;
  readonly bytes: FairShare;
  heldBytes: number;
  /** How many flushes are under way: until then nothing leaves. */
  closings: number;
}

interface Waiting<Message> {
  readonly gate: Gate<Message>;
  readonly messages: Set<Message>;
  timer: Timer;
}

/** About what a message takes beside its bytes: its object, a timer, and entries of three tables. */
const messageBytes = 500;

// protocol.md §12.2
/**
 * Gates hold messages while the place of their type is not known, or while older ones are on their way back from the place before. All
 * messages for a type wait at one gate, so that they keep their order. Each gate is bounded in number, bytes and time. The senders of one
 * address have two thirds of it, and of the bytes of all gates.
 */
export class PlaceGates<Message extends GatedMessage = GatedMessage> {
  readonly #clock: Clock;
  readonly #senders: SenderWaits;
  readonly #gates = new Map<string, Gate<Message>>();
  readonly #waiting = new Map<Message, Waiting<Message>>();
  /** The gate of each type for which messages wait, and their count. */
  readonly #ofType = new Map<string, { readonly gate: Gate<Message>; count: number }>();
  readonly #share = new FairShare(limits.heldBytes);

  readonly #isLong: (key: string) => boolean;

  /** `senders`: counts what waits for each sender. `isLong`: whether what waits at a gate waits longer now than 5 s. */
  constructor(clock: Clock, senders = new SenderWaits(), isLong: (key: string) => boolean = () => false) {
    this.#clock = clock;
    this.#senders = senders;
    this.#isLong = isLong;
  }

  /** Whether anything waits, or any gate is closed. */
  get isInUse(): boolean {
    return this.#gates.size > 0;
  }

  /** The number of messages that wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** The key of the gate at which messages for a type wait now. */
  keyOf(agentType: string): string | undefined {
    return this.#ofType.get(agentType)?.gate.key;
  }

  isClosed(key: string): boolean {
    return (this.#gates.get(key)?.closings ?? 0) > 0;
  }

  /** Lets a message wait. False: there is no space for it. */
  hold(key: string, message: Message): boolean {
    const gate = this.#gates.get(key) ?? createGate<Message>(key);
    const { account, byteLength } = message;
    const isFair = gate.places.mayAdd(account.party) && gate.bytes.mayAdd(account.party, byteLength);
    return isFair && this.#add(gate, gate.held, message);
  }

  /** Lets a message wait that came back from another host. It goes before those that have not left. */
  giveBack(key: string, message: Message): boolean {
    const gate = this.#gates.get(key) ?? createGate<Message>(key);
    return this.#add(gate, gate.returned, message);
  }

  /** Nothing leaves the gate until `open` is called as often. */
  close(key: string): void {
    const gate = this.#gates.get(key) ?? createGate<Message>(key);
    this.#gates.set(key, gate);
    gate.closings += 1;
  }

  open(key: string): void {
    const gate = this.#gates.get(key);
    if (gate === undefined || gate.closings === 0) return;
    gate.closings -= 1;
    this.release(key);
  }

  /** Sends all that waits at a gate, in order, unless the gate is closed. What finds no place waits again. `unserved`: a type that no host serves. */
  release(key: string, unserved?: string): void {
    const gate = this.#gates.get(key);
    if (gate === undefined || gate.closings > 0) return;
    const messages = [...gate.returned, ...gate.held];
    for (const message of messages) this.forget(message);
    this.#endIfUnused(gate);
    for (const message of messages) message.place(unserved);
  }

  /** The messages that wait. Some may go meanwhile. */
  messages(): Iterable<Message> {
    return this.#waiting.keys();
  }

  /** The message waits no more; one that does not wait is fine. */
  forget(message: Message): void {
    const waiting = this.#waiting.get(message);
    if (waiting === undefined) return;
    const { gate, messages, timer } = waiting;
    const { account, byteLength, agentTypes } = message;
    timer.cancel();
    this.#waiting.delete(message);
    this.#senders.remove(account);
    messages.delete(message);
    gate.heldBytes -= byteLength;
    gate.places.remove(account.party);
    gate.bytes.remove(account.party, byteLength);
    this.#share.remove(account.party, byteLength);
    account.release(byteLength + messageBytes);
    for (const agentType of agentTypes) {
      const ofType = this.#ofType.get(agentType);
      if (ofType === undefined) continue;
      ofType.count -= 1;
      if (ofType.count === 0) this.#ofType.delete(agentType);
    }
    this.#endIfUnused(gate);
  }

  #add(gate: Gate<Message>, messages: Set<Message>, message: Message): boolean {
    const { account, byteLength, agentTypes } = message;
    const { party } = account;
    const isFull =
      gate.returned.size + gate.held.size >= limits.heldPerPlace ||
      gate.heldBytes + byteLength > limits.heldBytesPerPlace ||
      !this.#share.mayAdd(party, byteLength);
    if (isFull || !account.take(byteLength + messageBytes)) return false;
    this.#gates.set(gate.key, gate);
    message.sinceMs ??= this.#clock.now();
    gate.heldBytes += byteLength;
    gate.places.add(party);
    gate.bytes.add(party, byteLength);
    this.#share.add(party, byteLength);
    messages.add(message);
    this.#waiting.set(message, { gate, messages, timer: this.#timerOf(message, gate.key) });
    this.#senders.add(account);
    for (const agentType of agentTypes) {
      const ofType = this.#ofType.get(agentType);
      if (ofType === undefined) this.#ofType.set(agentType, { gate, count: 1 });
      else ofType.count += 1;
    }
    return true;
  }

  /** Where what waits may wait longer, its time begins again. */
  #timerOf(message: Message, key: string): Timer {
    const now = this.#clock.now();
    return this.#clock.setTimer(Math.max(0, (message.sinceMs ?? now) + limits.elsewhereMs - now), () => {
      const waiting = this.#waiting.get(message);
      if (waiting !== undefined && this.#isLong(key)) {
        message.sinceMs = this.#clock.now();
        waiting.timer = this.#timerOf(message, key);
      } else {
        this.forget(message);
        message.expire();
      }
    });
  }

  #endIfUnused(gate: Gate<Message>): void {
    if (gate.closings > 0 || gate.returned.size + gate.held.size > 0) return;
    if (this.#gates.get(gate.key) === gate) this.#gates.delete(gate.key);
  }
}

/** Sends messages of other hosts back there, in order. */
export function giveBackExpected(
  expected: PlaceGates<ExpectedMessage>,
  isMeant: (message: ExpectedMessage) => boolean,
): void {
  for (const message of [...expected.messages()].filter(isMeant)) {
    expected.forget(message);
    message.giveBack();
  }
}

function createGate<Message>(key: string): Gate<Message> {
  return {
    ...{ key, returned: new Set(), held: new Set(), heldBytes: 0, closings: 0 },
    places: new FairShare(limits.heldPerPlace),
    bytes: new FairShare(limits.heldBytesPerPlace),
  };
}
