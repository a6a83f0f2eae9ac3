import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BatchRunner } from "../../../src/host/batch-runner.ts";
import { createHostCounters } from "../../../src/host/counters.ts";
import { Observers } from "../../../src/host/observer.ts";
import { LinkFlushes } from "../../../src/host/peers/places/link-flushes.ts";
import { type CallLink, WorkerElsewhere } from "../../../src/host/peers/worker-elsewhere.ts";
import { AgentRoutes } from "../../../src/host/placement/cluster/agent-routes.ts";
import type { Placed } from "../../../src/host/placement/located.ts";
import { type HeldMessage, HeldMessages, type MovingAgent } from "../../../src/host/placement/moving-agent.ts";
import { SoloDirectory } from "../../../src/host/placement/solo-directory.ts";
import { SharedType } from "../../../src/host/registry/shared-type.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { createUncountedAccount } from "../../../src/transport/internal.ts";
import { peerOf } from "../../support/placed-peer.ts";

const type = new SharedType({
  ...{ name: "room", terms: { placement: undefined, requires: {} }, principal: undefined, era: 1 },
});
const account = createUncountedAccount();

/** What is on its way to another host. */
type OnLink =
  | { readonly at: "message"; readonly number: number; readonly gate: MovingAgent | undefined }
  | { readonly at: "flush"; readonly number: number };

/**
 * A host that serves a worker, as docs/protocol.md §12.8 says: it hands over what it may, gives back the rest, and gives back all that
 * follows until it reads a flush.
 */
class OtherHost {
  readonly worker: WorkerElsewhere;
  readonly queue: OnLink[] = [];
  isBouncing = false;

  constructor(name: string) {
    const link: CallLink = {
      ...{
        hostId: name,
        isOpen: true,
        passesChunks: true,
        account,
        sendNotice: () => "queued",
        sendEvent: () => "queued",
      },
      sendCall: () => "queued",
      sendFlush: ({ number }, party) => {
        expect(party).toBe(account.party);
        this.queue.push({ at: "flush", number });
        return "queued";
      },
    };
    const worker = { id: name, name, version: undefined, labels: {} };
    this.worker = new WorkerElsewhere(
      {
        ...{ kind: "here", slot: 1, session: 1, clientId: name, isAnnounced: true, worker, isDraining: false },
        capabilities: new Set(["claims"]),
      },
      link,
    );
  }
}

/** A worker of this host. */
const ownWorker = peerOf("here", "here");

/** One host with one sender, whose messages go to one agent. It moves between two other hosts and this one, which has number 2. */
class World {
  readonly hosts = [new OtherHost("A"), new OtherHost("B")] as const;
  readonly handled: number[] = [];
  holder: 0 | 1 | 2 = 0;
  #sent = 0;
  #guesses = 0;
  readonly #messages = new HeldMessages();
  readonly #batches = new BatchRunner(new ManualClock());
  readonly #flushes = new LinkFlushes(new ManualClock());
  readonly #routes = new AgentRoutes({
    places: {
      ...{
        generation: 1,
        sharedType: () => ({ terms: "", era: 1 }),
        serversOf: () => ["A", "B"],
        isGone: (id) => id === "here",
        exclusive: () => undefined,
        isServer: () => false,
      },
      claims: {
        present: () => undefined,
        claim: () => Promise.resolve({ at: "unavailable", reason: "no-session" } as const),
        holderOf: () => Promise.resolve(undefined),
        freeze: () => Promise.resolve(undefined),
        giveSleeper: () => Promise.resolve("lost" as const),
      },
    },
    flushes: this.#flushes,
    others: { workerOf: (id) => this.hosts.find(({ worker }) => worker.id === id)?.worker, isLost: () => false },
    placement: {
      holderOf: () => (this.holder === 2 ? { at: "found", peer: ownWorker, epoch: undefined } : undefined),
      whyNowhere: () => undefined,
      choose: () => {
        this.#guesses += 1;
        const peer = this.hosts[this.#guesses % 2 === 0 ? 0 : 1].worker;
        return { worker: peer.worker, peer, nameHash: 0 };
      },
    },
    workers: { peerOf: () => undefined, peersOf: () => [], isDraining: () => false },
    leaving: { size: 0, find: () => undefined, open: () => undefined, hold: () => false },
    sleepers: { sleeperOf: () => undefined, passSleeper: () => Promise.resolve("lost" as const) },
    directory: new SoloDirectory({ maxClaims: 10, batches: this.#batches, generation: () => 1 }),
    ...{ messages: this.#messages, batches: this.#batches, clock: new ManualClock(), counters: createHostCounters() },
    ...{ observers: new Observers(), sharedType: () => type, maxRoutes: 10, moveTimeoutMs: 1_000 },
  });

  send(): void {
    this.#sent += 1;
    const message = this.#message(this.#sent);
    const located = this.#routes.locate(type, "k", { caller: undefined, payer: { account } }, undefined);
    if (located.at === "moving") located.agent.lane?.hold(located.agent, message);
    else message.place(located);
  }

  /** A host reads one message or flush. */
  read(at: 0 | 1, isBouncing: boolean): void {
    const host = this.hosts[at];
    const next = host.queue.shift();
    if (next === undefined) return;
    if (next.at === "flush") {
      host.isBouncing = false;
      return this.#flushes.done(host.worker.link, next.number);
    }
    const { number, gate } = next;
    const mayTake =
      this.holder === at && (gate !== undefined || !host.isBouncing) && !(isBouncing && gate !== undefined);
    if (mayTake) {
      this.handled.push(number);
      if (gate !== undefined) this.#routes.taken(gate, host.worker);
      return;
    }
    if (gate === undefined) host.isBouncing = true;
    const heldBy = isBouncing ? undefined : (["A", "B", "here"] as const)[this.holder];
    const { link } = host.worker;
    const message = this.#message(number);
    this.#routes.bounced({ type, key: "k", message, link, from: host.worker, heldBy, gate });
  }

  /** A host says of each flush that was sent to the other one that it is done. */
  lie(at: 0 | 1): void {
    for (const next of this.hosts[at === 0 ? 1 : 0].queue)
      if (next.at === "flush") this.#flushes.done(this.hosts[at].worker.link, next.number);
  }

  /** All is read, and nothing moves any more. Returns how many messages there were. */
  settle(): number {
    for (let left = 10_000; left > 0 && this.hosts.some(({ queue }) => queue.length > 0); left -= 1)
      for (const at of [0, 1] as const) this.read(at, false);
    return this.#sent;
  }

  #message(number: number): HeldMessage {
    return {
      ...{ account, byteLength: 1, isUnfit: false, opensRoutes: true, queue: undefined, caller: undefined },
      payer: { account },
      place: (placed) => this.#placed(number, placed),
    };
  }

  #placed(number: number, placed: Placed | undefined): void {
    // A message that found no place for too long fails: its sender hears that.
    if (placed?.at !== "found" || placed.peer === ownWorker) this.handled.push(number);
    else
      this.hosts.find(({ worker }) => worker === placed.peer)?.queue.push({ at: "message", number, gate: placed.gate });
  }
}

describe("the gates of a host", () => {
  it("let the messages of a sender through in their order, each once, wherever the agent moves and whatever other hosts say of flushes", () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.constant({ at: "send" } as const) },
      {
        weight: 8,
        arbitrary: fc.record({
          at: fc.constant("read" as const),
          host: fc.constantFrom(0 as const, 1 as const),
          isBouncing: fc.boolean(),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          at: fc.constant("move" as const),
          to: fc.constantFrom(0 as const, 1 as const, 2 as const),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ at: fc.constant("lie" as const), host: fc.constantFrom(0 as const, 1 as const) }),
      },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150, size: "max" }), (steps) => {
        const world = new World();
        for (const one of steps) {
          if (one.at === "send") world.send();
          else if (one.at === "read") world.read(one.host, one.isBouncing);
          else if (one.at === "lie") world.lie(one.host);
          else world.holder = one.to;
        }
        const count = world.settle();
        expect(world.handled).toEqual(Array.from({ length: count }, (_, at) => at + 1));
      }),
      { numRuns: 400 },
    );
  });
});
