import { FairTurns } from "../../../../../src/transport/grpc/turns/fair-turns.ts";
import type { Gate, Lane } from "../../../../../src/transport/grpc/turns/lane.ts";

/** An event loop with a clock that only work moves, and connections whose data comes when the loop polls. */
export class LoopRig {
  nowMs = 0;
  /** Length of each turn so far, in milliseconds of work. */
  readonly turnsMs: number[] = [];
  readonly clients: RigClient[] = [];
  #later: (() => void)[] = [];
  readonly turns = new FairTurns({ now: () => this.nowMs, later: (act) => this.#later.push(act) });

  client(party: string, options: { readonly isNew?: boolean } = {}): RigClient {
    const client = new RigClient(this, this.turns.join(party));
    this.clients.push(client);
    if (options.isNew === true) client.arrive();
    else client.isOpen = true;
    return client;
  }

  /** Whether a next turn is planned. */
  get isPlanned(): boolean {
    return this.#later.length > 0;
  }

  /** One turn of the event loop: what is planned, then a read of each connection that is open and has data. */
  turn(): void {
    const beganMs = this.nowMs;
    for (const act of this.#later.splice(0)) act();
    for (const client of this.clients) client.poll();
    this.turnsMs.push(this.nowMs - beganMs);
  }
}

/** A connection. Its data are reads: each has a part that cannot be stopped, and pieces of work. */
export class RigClient {
  readonly lane: Lane;
  readonly done: number[] = [];
  isOpen = false;
  #isStopped = false;
  readonly #rig: LoopRig;
  readonly #reads: { readonly fixedMs: number; readonly pieces: readonly (readonly [number, number])[] }[] = [];
  #sent = 0;

  constructor(rig: LoopRig, lane: Lane) {
    this.#rig = rig;
    this.lane = lane;
    const gate: Gate = {
      bytesRead: 0,
      stop: () => {
        this.#isStopped = true;
      },
      start: () => {
        this.#isStopped = false;
      },
    };
    lane.setGate(gate);
  }

  get unread(): number {
    return this.#reads.length;
  }

  get sent(): number {
    return this.#sent;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  arrive(): void {
    this.#rig.turns.admit(this.lane, () => {
      this.isOpen = true;
    });
  }

  /** Sends one chunk: `fixedMs` outside of measured work, and pieces of so many milliseconds. */
  send(pieces: readonly number[], fixedMs = 0): this {
    this.#reads.push({ fixedMs, pieces: pieces.map((ms) => [this.#sent++, ms] as const) });
    return this;
  }

  poll(): void {
    if (!this.isOpen || this.#isStopped || this.lane.isClosed) return;
    const read = this.#reads.shift();
    if (read === undefined) return;
    this.#rig.nowMs += read.fixedMs;
    this.lane.charge(read.fixedMs);
    for (const [number, ms] of read.pieces) {
      this.lane.run(() => {
        this.#rig.nowMs += ms;
        this.done.push(number);
      });
    }
  }
}
