import type { MsgHdrs, NatsConnection, NatsModule } from "../../../src/nats/driver.ts";
import type { Dice, ProcessClock, SimulatedClock } from "../../../src/testing/index.ts";
import { SimulatedHeaders } from "./simulated-headers.ts";
import type { Published, Sent, SimulatedServers } from "./simulated-servers.ts";

/**
 * A fault of the requests that delete messages.
 * - `lost`: most of them don't arrive; of the others the answer is lost.
 * - `late`: they arrive up to 20 s later, when others have overtaken them.
 * - `twice`: they arrive, and once more up to 20 s later.
 * - `early`: they overtake what was sent before them.
 */
export type DeletionFault = "lost" | "late" | "twice" | "early";

/** The parts of a `SimulatedConnection`. */
export interface ConnectionParts {
  readonly servers: SimulatedServers;
  readonly clock: SimulatedClock;
  /** The clock of the client's process, which may be paused or killed. */
  readonly process: ProcessClock;
  readonly dice: Dice;
  /** The fault that deletions have now. */
  readonly deletionFault: () => DeletionFault | undefined;
}

type Callback = (error: Error | null, message: Sent) => void;
type Status = { readonly type: "disconnect" | "reconnect" };

const isDeletion = /^\$JS\.API\.STREAM\.(PURGE|MSG\.DELETE)\./;
const latestMs = 20_000;
/** Milliseconds between two messages of one way, so that they keep their order. */
const apartMs = 0.001;

/** A client's connection to the servers. Messages of one way keep their order, but for the faults of deletions. */
export class SimulatedConnection {
  readonly #parts: ConnectionParts;
  readonly #subscribers = new Map<string, Callback>();
  readonly #statuses: Status[] = [];
  readonly #leave: () => void;
  #wake: () => void = () => undefined;
  #isCut = false;
  #isClosed = false;
  #inboxes = 0;
  #toServersMs = 0;
  #toClientMs = 0;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    this.#leave = parts.servers.add((message) => this.#deliver(message));
  }

  /** The library and its connection, as the adapter uses them. */
  get driver(): { readonly module: NatsModule; readonly connection: NatsConnection } {
    const connection: NatsConnection = {
      info: { version: "2.12.3", max_payload: 1024 * 1024, cluster: "simulated", jetstream: true },
      rtt: async () => 1,
      publish: (subject, data, { reply, headers } = {}) => this.#publish(subject, data, reply, headers),
      subscribe: (subject, { callback }) => {
        this.#subscribers.set(subject, callback);
        return { unsubscribe: () => void this.#subscribers.delete(subject) };
      },
      status: () => this.#status(),
      close: async () => {
        this.#isClosed = true;
        this.#leave();
        this.#wake();
      },
    };
    const module = {
      createInbox: () => {
        this.#inboxes += 1;
        return `_INBOX.${this.#parts.dice.id().slice(0, 8)}-${this.#inboxes}`;
      },
      headers: () => new SimulatedHeaders(),
    };
    // The client uses these members alone.
    return { module: module as unknown as NatsModule, connection };
  }

  /** Loses the connection, until `join`. */
  cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.#tell("disconnect", this.#parts.dice.between(0, 2_000));
  }

  join(): void {
    if (!this.#isCut) return;
    this.#isCut = false;
    this.#tell("reconnect", 0);
  }

  #tell(type: Status["type"], afterMs: number): void {
    this.#parts.process.setTimer(afterMs, () => {
      if (type === "disconnect" && !this.#isCut) return;
      this.#statuses.push({ type });
      this.#wake();
    });
  }

  async *#status(): AsyncGenerator<Status> {
    while (!this.#isClosed) {
      const status = this.#statuses.shift();
      if (status !== undefined) yield status;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #publish(subject: string, data: Uint8Array, reply: string | undefined, headers: MsgHdrs | undefined): void {
    const { dice, deletionFault } = this.#parts;
    if (this.#isCut || this.#isClosed) return;
    const values = new Map((headers?.keys() ?? []).map((name) => [name, headers?.get(name) ?? ""]));
    const published: Published = { subject, data: data.slice(), headers: values, reply };
    const fault = deletionFault();
    if (!isDeletion.test(subject))
      return this.#arriveInOrder(published, latencyMs(dice) + (fault === "early" ? dice.between(0, 300) : 0));
    switch (fault) {
      case undefined:
        return this.#arriveInOrder(published, latencyMs(dice));
      case "lost":
        if (dice.chance(0.3)) this.#arriveInOrder({ ...published, reply: undefined }, latencyMs(dice));
        return;
      case "late":
        return this.#arriveAfter(published, dice.between(0, latestMs));
      case "twice":
        this.#arriveInOrder(published, latencyMs(dice));
        return this.#arriveAfter(published, dice.between(0, latestMs));
      case "early":
        return this.#arriveAfter(published, 0);
    }
  }

  #arriveInOrder(published: Published, afterMs: number): void {
    const nowMs = this.#parts.clock.now();
    this.#toServersMs = Math.max(this.#toServersMs + apartMs, nowMs + afterMs);
    this.#arriveAfter(published, this.#toServersMs - nowMs);
  }

  #arriveAfter(published: Published, afterMs: number): void {
    const { servers, clock } = this.#parts;
    const { generation } = servers;
    clock.setTimer(afterMs, () => {
      // What waits in servers that lose all is lost with it.
      if (!this.#isCut && servers.generation === generation) servers.take(published);
    });
  }

  /** Takes a message of the servers. Returns whether it is for this client. */
  #deliver(message: Sent): boolean {
    const { clock, process, dice } = this.#parts;
    const name = this.#subscribers.has(message.subject) ? message.subject : message.subject.replace(/[^.]+$/, "*");
    if (!this.#subscribers.has(name)) return false;
    const nowMs = clock.now();
    this.#toClientMs = Math.max(this.#toClientMs + apartMs, nowMs + latencyMs(dice));
    clock.setTimer(this.#toClientMs - nowMs, () => {
      if (!this.#isCut) process.setTimer(0, () => this.#subscribers.get(name)?.(null, message));
    });
    return true;
  }
}

function latencyMs(dice: Dice): number {
  return dice.chance(0.97) ? dice.between(0, 3) : dice.between(4, 120);
}
