import { type PeekedEvent, type PeerBounce, peekFrame, withoutRecipients } from "../../protocol/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import { limits } from "../limits.ts";
import type { HostCaller } from "../peers/host-caller.ts";
import { keyOfType, type OthersSeat } from "../peers/other-hosts.ts";
import type { ExpectedMessage, GatedMessage, PlaceGates } from "../peers/places/place-gates.ts";
import { type CallLink, WorkerElsewhere } from "../peers/worker-elsewhere.ts";
import type { TypeOwners } from "../registry/type-owners.ts";
import type { Peer, PeerTable } from "../sessions/peer.ts";

export interface GatedEventsParts {
  readonly counters: MutableHostCounters;
  readonly owners: TypeOwners;
  readonly peers: PeerTable;
  readonly others: OthersSeat;
  /** Hold events of this host, and those of other hosts. */
  readonly gates: PlaceGates;
  readonly expected: PlaceGates<ExpectedMessage>;
  /** Sends an event to a worker of this host that can take it, and counts the outcome. */
  readonly deliver: (event: PeekedEvent, target: Peer) => void;
  /** Sends an event of another host to the workers here that serve these types. */
  readonly routeToTypes: (from: HostCaller, event: PeekedEvent, types: readonly string[], number: number) => void;
}

interface GatedEventParts {
  readonly bytes: Uint8Array;
  readonly agentTypes: readonly string[];
  readonly account: Peer["account"];
  /** The count of its returns from other hosts. */
  readonly bounces: number;
  /** The host from which it came back. */
  readonly from?: CallLink | undefined;
}

/** An event that waits for the place of its types. It waits as a whole, so that no worker gets it twice. */
class GatedEvent implements GatedMessage {
  readonly bytes: Uint8Array;
  readonly agentTypes: readonly string[];
  readonly account: Peer["account"];
  readonly bounces: number;
  readonly from: CallLink | undefined;
  readonly place: (unserved: string | undefined) => void;
  readonly expire: () => void;
  sinceMs: number | undefined;

  constructor({ bytes, agentTypes, account, bounces, from }: GatedEventParts, owner: GatedEvents) {
    this.bytes = bytes;
    this.agentTypes = agentTypes;
    this.account = account;
    this.bounces = bounces;
    this.from = from;
    this.place = (unserved) => owner.place(this, unserved);
    this.expire = () => owner.expire();
  }

  get byteLength(): number {
    return this.bytes.length;
  }
}

/** An event of another host for a worker that has yet to register a type here. */
interface ExpectedEventParts {
  readonly bytes: Uint8Array;
  readonly agentTypes: readonly string[];
  readonly host: HostCaller;
  readonly workerId: string;
  /** Of the event at the other host. */
  readonly number: number;
}

class ExpectedEvent implements ExpectedMessage {
  readonly bytes: Uint8Array;
  readonly agentTypes: readonly string[];
  readonly host: HostCaller;
  readonly workerId: string;
  readonly number: number;
  readonly place: () => void;
  readonly expire: () => void;
  readonly giveBack: () => void;
  sinceMs: number | undefined;

  constructor({ bytes, agentTypes, host, workerId, number }: ExpectedEventParts, owner: GatedEvents) {
    this.bytes = bytes;
    this.agentTypes = agentTypes;
    this.host = host;
    this.workerId = workerId;
    this.number = number;
    this.place = () => owner.placeHere(this);
    this.expire = () => owner.expire();
    this.giveBack = () => owner.bounce(host, bytes, agentTypes, number);
  }

  get account(): HostCaller["account"] {
    return this.host.account;
  }

  get byteLength(): number {
    return this.bytes.length;
  }
}

// protocol.md §12.3
/** Events for exclusive types whose worker is between two hosts. They wait behind the calls to these types, and in front of later ones. */
export class GatedEvents {
  readonly #parts: GatedEventsParts;

  constructor(parts: GatedEventsParts) {
    this.#parts = parts;
  }

  /** Holds an event of this host, once at each gate. */
  hold(from: Peer, event: PeekedEvent, gates: ReadonlyMap<string, ReadonlySet<string>>): void {
    const bytes = waiting(event);
    for (const [gate, types] of gates) {
      const paid = { account: from.account, bounces: 0 };
      this.#hold(gate, new GatedEvent({ bytes, agentTypes: [...types], ...paid }, this));
    }
  }

  /** An event comes back from another host, for exclusive types. `bounces`: how often it has come back before. */
  bounced(link: CallLink, { frame }: PeerBounce, types: readonly string[], bounces: number): void {
    const { others, gates, counters } = this.#parts;
    const [first] = types;
    if (first === undefined) return;
    const bytes = new Uint8Array(frame);
    const message = new GatedEvent(
      { bytes, agentTypes: types, account: link.account, bounces: bounces + 1, from: link },
      this,
    );
    if (message.bounces > limits.bouncesOfCall || !gates.giveBack(others.now.eventCameBack(link, first), message))
      counters.droppedEvents += 1;
  }

  /** An event leaves its gate. */
  place(message: GatedEvent, unserved: string | undefined): void {
    const { others, counters } = this.#parts;
    const agentTypes = message.agentTypes.filter((type) => type !== unserved);
    counters.skippedEvents += message.agentTypes.length - agentTypes.length;
    const event = peekFrame(message.bytes);
    if (event.kind !== "event" || agentTypes.length === 0) return;
    if (!others.now.isServing) {
      counters.isolatedEvents += 1;
      return;
    }
    const places = this.#placesOf(message, agentTypes);
    if (typeof places === "string") {
      // Without the host that gave it back: its place is looked up once.
      const { bytes, account, bounces, sinceMs } = message;
      const again = new GatedEvent({ bytes, agentTypes, account, bounces }, this);
      again.sinceMs = sinceMs;
      return this.#hold(places, again);
    }
    for (const peer of places.here) this.#parts.deliver(event, peer);
    for (const [link, types] of places.there)
      if (link.sendEvent([{ slot: 0, types }], message.bytes, message.account.party, message.bounces) !== "queued")
        counters.droppedEvents += 1;
  }

  // protocol.md §12.7
  /**
   * Takes an event of another host for types that no worker has registered here. It waits for a worker that is about to, with all other types of
   * that worker, and goes back for others. Returns the types of which this host takes care so.
   */
  takeWaiting(
    host: HostCaller,
    event: PeekedEvent,
    types: readonly string[],
    number: number,
  ): ReadonlySet<string> | undefined {
    const { expected, others, owners } = this.#parts;
    const absent = types.filter(
      (type) =>
        owners.shared(type) === undefined &&
        (owners.owners(type).length === 0 || (expected.isInUse && expected.keyOf(type) !== undefined)),
    );
    if (absent.length === 0) return undefined;
    const foreign = absent.filter((type) => expected.keyOf(type) === undefined && !others.now.isExpectedHere(type));
    const workers = new Map<string, string[]>();
    for (const type of absent) {
      const workerId = others.now.workerIdOf(type) ?? "";
      if (!foreign.includes(type)) workers.set(workerId, []);
    }
    for (const type of types) {
      if (!foreign.includes(type)) workers.get(others.now.workerIdOf(type) ?? "")?.push(type);
    }
    for (const [workerId, agentTypes] of workers) this.#expect({ host, event, agentTypes, workerId, number });
    if (foreign.length > 0) this.bounce(host, event.bytes, foreign, number);
    return new Set([...foreign, ...[...workers.values()].flat()]);
  }

  /** Holds an event of another host until the worker of its types has registered them here. */
  #expect({ event, ...more }: Omit<ExpectedEventParts, "bytes"> & { readonly event: PeekedEvent }): void {
    const { expected, counters } = this.#parts;
    const { agentTypes } = more;
    const isUnknown = (type: string): boolean => this.#parts.owners.owners(type).length === 0;
    const key = agentTypes.map((type) => expected.keyOf(type)).find((one) => one !== undefined);
    const message = new ExpectedEvent({ bytes: waiting(event), ...more }, this);
    if (!expected.hold(key ?? keyOfType(agentTypes.find(isUnknown) ?? ""), message)) counters.droppedEvents += 1;
  }

  placeHere({ bytes, agentTypes, host, number }: ExpectedEvent): void {
    const event = peekFrame(bytes);
    if (event.kind === "event") this.#parts.routeToTypes(host, event, agentTypes, number);
  }

  /** Gives an event back to the host that has sent it. One that finds no space on the way is dropped. */
  bounce(host: HostCaller, bytes: Uint8Array, types: readonly string[], number: number): void {
    const { counters } = this.#parts;
    if (!host.isOpen) counters.skippedEvents += 1;
    else if (!host.bounce({ what: { event: number }, types, reason: notHere, heldBy: undefined, frame: bytes }))
      counters.droppedEvents += 1;
  }

  expire(): void {
    this.#parts.counters.skippedEvents += 1;
  }

  #hold(gate: string, message: GatedEvent): void {
    if (!this.#parts.gates.hold(gate, message)) this.#parts.counters.droppedEvents += 1;
  }

  /** Where an event goes now; or the gate at which all of it waits. */
  #placesOf(
    { account, from }: GatedEvent,
    types: readonly string[],
  ): string | { readonly here: ReadonlySet<Peer>; readonly there: ReadonlyMap<CallLink, string[]> } {
    const { others, owners, peers, counters } = this.#parts;
    const here = new Set<Peer>();
    const there = new Map<CallLink, string[]>();
    for (const agentType of types) {
      const gate = others.now.gateFor(agentType);
      if (gate !== undefined) return gate;
      const [clientId] = owners.owners(agentType);
      const peer = clientId === undefined ? undefined : peers.of(clientId);
      if (peer !== undefined) {
        here.add(peer);
        continue;
      }
      let found = others.now.find(agentType, account.party);
      if (
        from !== undefined &&
        found?.at === "found" &&
        found.peer instanceof WorkerElsewhere &&
        found.peer.link === from
      ) {
        // The host that gave it back may still count as the place of the type.
        others.now.doubt(agentType, account.party);
        found = others.now.find(agentType);
      }
      if (found?.at === "later") return found.key;
      if (found?.at === "found" && found.peer instanceof WorkerElsewhere) {
        const { link } = found.peer;
        const ofLink = there.get(link);
        if (ofLink === undefined) there.set(link, [agentType]);
        else ofLink.push(agentType);
      } else counters.skippedEvents += 1;
    }
    return { here, there };
  }
}

const notHere = "The worker does not serve the agent type here any more.";

/** A copy, since the bytes of an event may be a part of what came together with it. It has no recipients of its publisher's. */
function waiting(event: PeekedEvent): Uint8Array {
  return new Uint8Array(withoutRecipients(event).bytes);
}
