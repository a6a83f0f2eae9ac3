import fc from "fast-check";
import { expect, test } from "vitest";
import { formatEpoch } from "../../../src/core/internal.ts";
import { BatchRunner } from "../../../src/host/batch-runner.ts";
import { createHostCounters } from "../../../src/host/counters.ts";
import { EventRouter } from "../../../src/host/events/event-router.ts";
import { Observers } from "../../../src/host/observer.ts";
import { TypeTable } from "../../../src/host/placement/type-table.ts";
import { TopicIndex } from "../../../src/host/registry/subscriptions/topic-index.ts";
import { encodeFrame, peekFrame, type WirePattern } from "../../../src/protocol/internal.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { openPlacement } from "../../support/open-placement.ts";
import { KeptChannel } from "../../support/placement-world.ts";
import { TurnClock } from "../../support/turn-clock.ts";

const kinds = [
  ...(["publish", "publish", "ask", "left", "stay", "turn"] as const),
  ...(["subscribe", "join", "release", "turn-exclusive", "open", "change", "end"] as const),
];
/** One thing that happens; numbers pick among the types, the workers and the keys that are there at that moment. */
type Step = readonly [kind: (typeof kinds)[number], at: number, key: number];

/** Enough for the host to remember where events go. */
const types = Array.from({ length: 24 }, (_, at) => `room-${at}`);
const keys = ["a", "b"];
const sharing = { placement: undefined, requires: {} };

class Play {
  readonly #counters = createHostCounters();
  readonly #turns = new TurnClock();
  readonly #batches = new BatchRunner(this.#turns);
  readonly #owners: TypeTable = new TypeTable({
    onSharedChange: () => this.#parts.placement.changed(),
    onSharedGone: (type) => {
      this.#parts.directory.typeGone(type);
      this.#parts.leaving.typeGone(type);
    },
  });
  readonly #channels = new Map<string, KeptChannel>();
  readonly #table = { of: (id: string) => this.#channels.get(id) };
  readonly #parts = openPlacement({
    ...{ clock: new ManualClock(), owners: this.#owners, batches: this.#batches, counters: this.#counters },
    ...{ peers: this.#table, maxClaims: 50_000, placement: "round-robin" },
  });
  readonly #topics = new TopicIndex();
  readonly #events = new EventRouter({
    ...{ counters: this.#counters, owners: this.#owners, topics: this.#topics, peers: this.#table },
    ...{ placement: this.#parts.placement, directory: this.#parts.directory, leaving: this.#parts.leaving },
    ...{ logger: undefined, observers: new Observers() },
  });
  readonly #publisher = new KeptChannel("P", "P");
  readonly #subscribed = new Set<string>();
  #names = 0;

  constructor() {
    for (const at of types.keys()) this.#subscribe(at);
    this.#open();
    this.#open();
    for (const channel of this.#channels.values()) for (const type of types) this.#claim(type, channel);
  }

  do([kind, at, keyAt]: Step): void {
    const type = types[at % types.length] ?? "";
    const key = keys[keyAt % keys.length] ?? "";
    const channel = [...this.#channels.values()][at % this.#channels.size];
    const shared = this.#owners.shared(type);
    const { directory, leaving, workers, placement } = this.#parts;
    switch (kind) {
      case "publish":
        return this.#publish(key);
      case "subscribe":
        return this.#subscribe(at % types.length);
      case "turn":
        this.#turns.turn();
        return;
      case "ask":
      case "left":
      case "stay": {
        const claim = shared && directory.find(shared, key);
        const holder = claim && workers.peerOf(claim.workerId);
        if (claim === undefined || holder === undefined) return;
        if (kind === "ask") return leaving.asked(holder, [claim], "idle");
        return kind === "left" ? leaving.left(holder, [claim]) : leaving.stayed(holder, [claim]);
      }
      case "join":
        return channel && this.#claim(type, channel);
      case "release":
        return channel && this.#owners.release(type, channel.id);
      case "turn-exclusive": {
        const one = types[at % 3] ?? "";
        for (const id of [...this.#owners.owners(one)]) this.#owners.release(one, id);
        if (channel !== undefined) this.#owners.claim(one, channel.id);
        return;
      }
      case "open":
        return this.#channels.size < 5 ? this.#open() : undefined;
      case "change":
        return channel && this.#channels.size < 5 ? this.#open(channel.worker.id) : undefined;
      case "end":
        if (channel === undefined || this.#channels.size < 2) return;
        channel.isOpen = false;
        this.#channels.delete(channel.id);
        placement.peerEnded(channel);
        for (const one of types) this.#owners.release(one, channel.id);
        return;
    }
  }

  #workerOf(id: string): string {
    return this.#channels.get(id)?.worker.id ?? "";
  }

  #open(workerId?: string): void {
    this.#names += 1;
    const id = `C${this.#names}`;
    const channel = new KeptChannel(id, workerId ?? id);
    this.#channels.set(id, channel);
    this.#parts.placement.peerOpened(channel);
    if (this.#names > 2) for (const [at, type] of types.entries()) if (at % 3 > 0) this.#claim(type, channel);
  }

  #claim(type: string, channel: KeptChannel): void {
    this.#owners.claim(type, channel.id, { sharing });
  }

  #subscribe(at: number): void {
    const agentType = types[at] ?? "";
    const pattern: WirePattern =
      at % 2 === 0
        ? { kind: "prefix", topicTypePrefix: "", agentType }
        : { kind: "type", topicType: "news", agentType };
    if (this.#subscribed.delete(agentType)) this.#topics.remove(pattern);
    else {
      this.#subscribed.add(agentType);
      this.#topics.add(pattern);
    }
  }

  /** Publishes an event; its frames must name what the tables say, and nothing else. */
  #publish(key: string): void {
    const { directory, leaving, workers } = this.#parts;
    for (const channel of this.#channels.values()) channel.arrived.length = 0;
    const moving = [...this.#subscribed].filter((name) => {
      const type = this.#owners.shared(name);
      return type !== undefined && leaving.find(type, key) !== undefined;
    });
    const heldBefore = leaving.heldCount;
    const payload = { typeName: "T", contentType: "application/json", data: new Uint8Array() };
    const event = { id: "E", topicType: "news", topicSource: key, sender: undefined, payload, attributes: {} };
    const peeked = peekFrame(encodeFrame({ kind: "event", event }));
    if (peeked.kind === "event") this.#events.route(this.#publisher, peeked);
    const expected = new Map<string, string[]>();
    const expectAt = (id: string, names: readonly string[]) =>
      expected.set(id, [...(expected.get(id) ?? []), ...names]);
    for (const name of this.#subscribed) {
      const type = this.#owners.shared(name);
      // A new agent comes to a worker by a channel that serves its type, later events by the newest one.
      if (type === undefined) for (const id of this.#owners.owners(name)) expectAt(this.#workerOf(id), []);
      else if (!moving.includes(name)) {
        const claim = directory.find(type, key);
        const peer = claim && workers.peerOf(claim.workerId);
        if (claim !== undefined && peer !== undefined)
          expectAt(peer.worker.id, [`${name}=${formatEpoch(claim.epoch)}`]);
      }
    }
    const exclusiveIds = new Set(
      [...this.#subscribed].flatMap((name) =>
        this.#owners.shared(name) === undefined ? [...this.#owners.owners(name)] : [],
      ),
    );
    const got = new Map<string, string[]>();
    for (const { id, worker, arrived } of this.#channels.values()) {
      const frames = arrived.flatMap(({ frame }) => (frame.kind === "event" ? [frame.event] : []));
      expect(frames.length, "events at one channel").toBeLessThanOrEqual(1);
      const isExclusiveElsewhere = [...exclusiveIds].some((one) => this.#workerOf(one) === worker.id);
      for (const { attributes } of frames) {
        const { agfor = "" } = attributes;
        // The worker's exclusive types get the event on another channel: this one is for the named agents alone.
        if (agfor !== "") expect(agfor.startsWith("!")).toBe(isExclusiveElsewhere && !exclusiveIds.has(id));
        const names = agfor === "" ? [] : agfor.replace("!", "").split(",");
        got.set(worker.id, [...(got.get(worker.id) ?? []), ...names]);
      }
    }
    expect(sorted(got)).toEqual(sorted(expected));
    expect(leaving.heldCount - heldBefore).toBe(moving.length);
  }
}

function sorted(places: ReadonlyMap<string, readonly string[]>) {
  return [...places].map(([id, names]) => [id, [...names].sort()] as const).sort(([a], [b]) => (a < b ? -1 : 1));
}

test("an event under many shared types reaches each agent once, while agents move and types, subscriptions and workers change", () => {
  const step = fc.tuple(fc.constantFrom(...kinds), fc.nat(100), fc.nat(10));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const play = new Play();
      for (const one of steps) {
        play.do(one);
        play.do(["publish", 0, one[2]]);
      }
    }),
    { numRuns: 120 },
  );
});
