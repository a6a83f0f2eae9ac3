import fc from "fast-check";
import { expect, test } from "vitest";
import { compareEpochs, type Epoch } from "../../../src/core/internal.ts";
import { limits } from "../../../src/host/limits.ts";
import type { ClaimedAgent } from "../../../src/protocol/index.ts";
import type { LeaveReason } from "../../../src/protocol/internal.ts";
import { type Arrival, epochIn, type KeptChannel, PlacementWorld } from "../../support/placement-world.ts";

/** Each kind as often as it is likely. */
const kinds = [
  ...(["publish", "publish", "publish", "publish", "read", "read", "read", "read", "handle", "handle"] as const),
  ...(["ask", "idle", "let-go", "let-go", "join", "lose", "drain", "operator"] as const),
  ...(["turn", "turn", "crowd", "deaf", "hear", "expire"] as const),
];
const changes = ["change", "end-older"] as const;
/** One thing that happens; numbers pick among the workers and the keys that are there at that moment. */
type Step = readonly [kind: (typeof kinds | typeof changes)[number], worker: number, key: number];
const keys = ["a", "b", "c"];

/** An agent at a worker. */
interface Held {
  readonly agent: ClaimedAgent;
  /** Not handled yet, each with the channel on which it came. */
  readonly waiting: { readonly from: KeptChannel; readonly arrival: Arrival }[];
  /** The channels on which the host has said `leave`. */
  readonly leaves: Set<KeptChannel>;
  isAsked: boolean;
}

/** A worker that keeps to the protocol; steps say when it reads, handles and lets go. */
interface Worker {
  readonly id: string;
  readonly channels: KeptChannel[];
  readonly agents: Map<string, Held>;
  readonly left: Map<string, Epoch>;
  isStopping: boolean;
}

interface Handled {
  readonly number: number;
  readonly epoch: Epoch;
}

class Play {
  readonly world = new PlacementWorld();
  readonly workers: Worker[] = [];
  readonly handled = new Map<string, Handled[]>(keys.map((key) => [key, []]));
  /** Events that a lost worker had. */
  readonly lost = new Set<number>();
  isOrdered = true;
  #numbers = 0;
  #names = 0;

  constructor() {
    // This one is never lost and never stops, so that each event finds a worker.
    this.#join();
    this.#join();
  }

  do([kind, at, keyAt]: Step): void {
    const { world } = this;
    const worker = this.workers[at % this.workers.length];
    const key = keys[keyAt % keys.length] ?? "";
    if (worker === undefined) return;
    const held = worker.agents.get(key);
    switch (kind) {
      case "publish":
        this.#numbers += 1;
        return world.publish(key, `${this.#numbers}`);
      case "read":
        return this.#read(worker, keyAt);
      case "handle":
        return this.#handle(held);
      case "ask":
      case "idle":
        return this.#ask(worker, held, kind === "ask" ? "asked" : "idle");
      case "let-go":
        return this.#letGo(worker, held);
      case "join":
        return this.workers.length < 4 ? this.#join() : undefined;
      case "change":
        return this.#change(worker);
      case "end-older":
        return this.#endOlder(worker);
      case "lose":
        return worker === this.workers[0] ? undefined : this.#lose(worker);
      case "drain":
      case "operator":
        return worker === this.workers[0] ? undefined : this.#drain(worker, kind);
      case "turn":
        return world.turn();
      case "crowd":
        return world.fillTurn();
      case "deaf":
      case "hear":
        for (const channel of worker.channels) channel.isFull = kind === "deaf";
        return;
      case "expire":
        return this.#expire();
    }
  }

  /** Lets all that is under way come to its end. */
  settle(): void {
    for (let idle = 0; idle < 3; idle += 1) {
      this.world.turns.turns();
      this.world.clock.advance(limits.leaveRetryMs);
      for (const worker of this.workers) {
        for (const channel of worker.channels) {
          channel.isFull = false;
          if (channel.arrived.length > 0) idle = 0;
        }
        while (worker.channels.some(({ arrived }) => arrived.length > 0)) this.#read(worker, 0);
        for (const held of [...worker.agents.values()]) {
          if (held.leaves.size > 0 || held.waiting.length > 0) idle = 0;
          this.#letGo(worker, held);
          while (held.waiting.length > 0) this.#handle(held);
        }
      }
    }
  }

  check(): void {
    for (const [key, all] of this.handled) {
      for (const [at, { epoch }] of all.entries()) {
        const before = all[at - 1];
        // An agent is at one worker at a time, and never goes back to an earlier claim.
        if (before !== undefined) expect(compareEpochs(before.epoch, epoch), key).toBeLessThanOrEqual(0);
      }
      const numbers = all.map(({ number }) => number);
      expect(new Set(numbers).size, "handled twice").toBe(numbers.length);
      if (this.isOrdered) expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    }
    const { leaving, counters } = this.world;
    const done = [...this.handled.values()].flatMap((all) => all.map(({ number }) => number));
    const missing = Array.from({ length: this.#numbers }, (_, at) => at + 1).filter(
      (number) => !done.includes(number) && !this.lost.has(number),
    );
    expect({ missing, leaving: leaving.size, held: leaving.heldCount }).toEqual({ missing: [], leaving: 0, held: 0 });
    expect(counters).toMatchObject({ droppedEvents: 0 });
  }

  #join(): void {
    this.#names += 1;
    const id = `W${this.#names}`;
    const channels = [this.world.open(id)];
    this.workers.push({ id, channels, agents: new Map(), left: new Map(), isStopping: false });
  }

  /** The worker opens a second channel. */
  #change({ id, channels }: Worker): void {
    if (channels.length > 1) return;
    this.isOrdered = false;
    this.#names += 1;
    channels.push(this.world.open(`C${this.#names}`, id));
  }

  /** As a worker does: it has read all of the older channel, and has no work of it. */
  #endOlder(worker: Worker): void {
    const [older, newer] = worker.channels;
    if (older === undefined || newer === undefined || older.arrived.length > 0) return;
    if ([...worker.agents.values()].some(({ waiting }) => waiting.some(({ from }) => from === older))) return;
    worker.channels.shift();
    for (const { leaves } of worker.agents.values()) leaves.delete(older);
    this.world.end(older);
  }

  #read(worker: Worker, at: number): void {
    const channel = worker.channels[at % worker.channels.length];
    const from = channel?.arrived.length ? channel : worker.channels.find(({ arrived }) => arrived.length > 0);
    const arrival = from?.arrived.shift();
    if (from === undefined || arrival === undefined) return;
    if (arrival.frame.kind === "event") this.#take(worker, from, arrival);
    if (arrival.frame.kind === "drain") this.world.drains.workerLeaves(from, 0);
    if (arrival.frame.kind !== "leave") return;
    for (const agent of arrival.frame.agents) this.#leave(worker, from, agent, arrival.frame.reason);
  }

  #take(worker: Worker, from: KeptChannel, arrival: Arrival): void {
    const epoch = epochIn(arrival);
    if (arrival.frame.kind !== "event" || epoch === undefined) throw new Error("an event without an epoch");
    const key = arrival.frame.event.topicSource;
    const known = worker.agents.get(key);
    const left = worker.left.get(key);
    const agent = { type: "room", key, epoch };
    const isPast = known !== undefined && compareEpochs(epoch, known.agent.epoch) < 0;
    const isLate = known === undefined && left !== undefined && compareEpochs(epoch, left) <= 0;
    if (isPast || isLate) return this.world.giveBack(from, agent, arrival.bytes);
    if (known === undefined || compareEpochs(epoch, known.agent.epoch) > 0) {
      worker.agents.set(key, { agent, waiting: [{ from, arrival }], leaves: new Set(), isAsked: false });
      return;
    }
    if (known.leaves.size > 0) return this.world.giveBack(from, agent, arrival.bytes);
    known.isAsked = false;
    known.waiting.push({ from, arrival });
  }

  #leave(worker: Worker, from: KeptChannel, agent: ClaimedAgent, reason: LeaveReason): void {
    const held = worker.agents.get(agent.key);
    if (held === undefined || compareEpochs(held.agent.epoch, agent.epoch) !== 0)
      return this.world.leaving.left(from, [agent]);
    if (held.leaves.size > 0) return void held.leaves.add(from);
    const isOptional = (reason === "idle" || reason === "capacity") && !held.isAsked && !worker.isStopping;
    if (isOptional) return this.world.leaving.stayed(from, [agent]);
    held.leaves.add(from);
    for (const one of held.waiting.splice(0)) this.world.giveBack(one.from, agent, one.arrival.bytes);
  }

  #letGo({ agents, left }: Worker, held: Held | undefined): void {
    if (held === undefined || held.leaves.size === 0) return;
    agents.delete(held.agent.key);
    left.set(held.agent.key, held.agent.epoch);
    for (const channel of held.leaves) this.world.leaving.left(channel, [held.agent]);
  }

  #ask({ channels }: Worker, held: Held | undefined, reason: LeaveReason): void {
    const newest = channels.at(-1);
    if (held === undefined || newest === undefined || (reason === "idle" && held.waiting.length > 0)) return;
    held.isAsked = true;
    this.world.leaving.asked(newest, [held.agent], reason);
  }

  #handle(held: Held | undefined): void {
    const next = held?.waiting.shift();
    if (held === undefined || next?.arrival.frame.kind !== "event") return;
    const { epoch, key } = held.agent;
    this.handled.get(key)?.push({ number: Number(next.arrival.frame.event.id), epoch });
  }

  #drain(worker: Worker, kind: "drain" | "operator"): void {
    const newest = worker.channels.at(-1);
    if (newest === undefined) return;
    if (kind === "operator") return void this.world.drains.drainWorker(worker.id, {});
    worker.isStopping = true;
    this.world.drains.workerLeaves(newest, 0);
  }

  /** The times of all drains are over: what these workers have is lost, as if they were. */
  #expire(): void {
    const late = this.workers.filter(({ id }) => this.world.workers.isDraining(id));
    this.world.clock.advance(10_000);
    for (const worker of late) this.#lose(worker);
  }

  #lose(worker: Worker): void {
    const waiting = [...worker.agents.values()].flatMap((held) => held.waiting.map(({ arrival }) => arrival));
    for (const { frame } of [...waiting, ...worker.channels.flatMap(({ arrived }) => arrived)]) {
      if (frame.kind === "event") this.lost.add(Number(frame.event.id));
    }
    this.workers.splice(this.workers.indexOf(worker), 1);
    for (const channel of worker.channels) this.world.end(channel);
  }
}

function steps(kinds: readonly Step[0][]): fc.Arbitrary<readonly Step[]> {
  const step = fc.tuple(fc.constantFrom(...kinds), fc.nat({ max: 3 }), fc.nat({ max: 2 }));
  return fc.array(step, { minLength: 30, maxLength: 200 });
}

function play(all: readonly Step[]): void {
  const one = new Play();
  for (const step of all) one.do(step);
  one.settle();
  one.check();
}

test("agents that move in any order have one claim each, and no event is lost, doubled or overtaken", () => {
  fc.assert(fc.property(steps(kinds), play), { numRuns: 100 });
});

test("no event is lost or doubled while workers change their connections, and agents leave on two channels", () => {
  fc.assert(fc.property(steps([...kinds, ...changes, ...changes]), play), { numRuns: 100 });
});
