import { describe, expect, it } from "vitest";
import { compareEpochs } from "../../../../src/core/internal.ts";
import { type SeededRandom, seededRandom } from "../../../../src/testing/index.ts";
import { clientOf, clusterWorker, startAcross } from "../../../support/across-rooms.ts";
import type { ClusterRig } from "../../../support/cluster-rig.ts";
import { type Handled, HonestRoom } from "../../../support/honest-room.ts";
import type { RawWorker } from "../../../support/raw-worker.ts";

const keys = ["0", "1", "2", "3", "4", "5"] as const;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** What each sender has sent to each agent, and what workers have handled. */
class History {
  readonly handled: Handled[] = [];
  readonly sent = new Map<string, number[]>();
  readonly answers = new Map<string, string>();
  #last = 0;
  #calls = 0;
  #onChange: () => void = () => undefined;

  readonly onHandled = (handled: Handled): void => {
    this.handled.push(handled);
    this.#onChange();
  };

  /** Sends a call or an event, numbered. */
  send(from: RawWorker, sender: string, key: string, isCall: boolean): void {
    this.#last += 1;
    const id = `${sender}#${this.#last}`;
    const name = `${sender} to ${key}`;
    this.sent.set(name, [...(this.sent.get(name) ?? []), this.#last]);
    if (isCall) this.#calls += 1;
    if (isCall) from.request(id, `room/${key}`, { metadata: { n: id } });
    else from.publish("news", key, id);
  }

  listen(to: RawWorker): void {
    void (async () => {
      for (;;) {
        const frame = await to.next();
        if (frame.kind === "response") this.answers.set(frame.requestId, frame.error);
        this.#onChange();
      }
    })();
  }

  /** Messages that were sent, and calls among them. */
  get count(): number {
    return this.#last;
  }

  get calls(): number {
    return this.#calls;
  }

  /** Agents that were handled under an epoch below an earlier one. */
  epochsThatGoBack(): readonly string[] {
    const newest = new Map<string, Handled>();
    const back: string[] = [];
    for (const handled of this.handled) {
      const before = newest.get(handled.key);
      if (before !== undefined && compareEpochs(handled.epoch, before.epoch) < 0) back.push(handled.key);
      else newest.set(handled.key, handled);
    }
    return back;
  }

  /** Resolves when a condition holds. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
    }
  }

  /** What was handled, by sender and agent, in its order. */
  get received(): Map<string, number[]> {
    const received = new Map<string, number[]>();
    for (const { sender, key, number } of this.handled) {
      const name = `${sender} to ${key}`;
      received.set(name, [...(received.get(name) ?? []), number]);
    }
    return received;
  }
}

function sorted(map: ReadonlyMap<string, readonly number[]>): unknown {
  return Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
}

interface World extends AsyncDisposable {
  readonly rig: ClusterRig;
  readonly history: History;
  readonly rooms: HonestRoom[];
  readonly random: SeededRandom;
  /** One sender sends a message to one agent. */
  send(): void;
}

/** Three hosts, each with a worker and a sender. */
async function openWorld(seed: number): Promise<World> {
  const rig = await startAcross({ count: 3 });
  const history = new History();
  const random = seededRandom(seed);
  const rooms: HonestRoom[] = [];
  const senders: RawWorker[] = [];
  for (const [at, host] of rig.hosts.entries()) {
    rooms.push(new HonestRoom(await clusterWorker(host, `W${at}`), `W${at}`, history.onHandled));
    const sender = await clientOf(host, `S${at}`);
    history.listen(sender);
    senders.push(sender);
  }
  const send = (): void => {
    const at = random.between(0, senders.length - 1);
    const from = senders[at];
    if (from !== undefined) history.send(from, `S${at}`, random.pick(keys), random.next() < 0.6);
  };
  return { rig, history, rooms, random, send, [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]() };
}

describe("messages of several hosts to agents that move between workers of several hosts", () => {
  it.each([1, 2, 3, 110, 145])(
    "are each handled once, in the order of their senders, none lost: seed %i",
    async (seed) => {
      await using world = await openWorld(seed);
      const { history, rooms, random, send } = world;
      let stopped: HonestRoom | undefined;
      for (let step = 0; step < 250; step += 1) {
        send();
        const room = rooms[random.between(0, rooms.length - 1)];
        if (random.next() < 0.15) room?.ask([random.pick(keys), random.pick(keys)], random.pick(["idle", "asked"]));
        if (step === 120) {
          stopped = rooms[random.between(0, rooms.length - 1)];
          stopped?.stop();
        }
        if (random.next() < 0.4) await turn();
      }
      await stopped?.handedOver;
      await history.until(() => history.handled.length >= history.count && history.answers.size >= history.calls);
      expect(sorted(history.received)).toEqual(sorted(history.sent));
      expect([...history.answers.values()].filter((error) => error !== "")).toEqual([]);
      expect(stopped?.held.size).toBe(0);
    },
  );

  it.each([1, 2, 3])(
    "keep their order and are handled at most once when links and workers are lost: seed %i",
    async (seed) => {
      await using world = await openWorld(seed);
      const { rig, history, rooms, random, send } = world;
      for (let step = 0; step < 250; step += 1) {
        send();
        const room = rooms[random.between(0, rooms.length - 1)];
        if (random.next() < 0.1) room?.ask([random.pick(keys)], random.pick(["idle", "asked"]));
        if (step % 60 === 40) rig.cutLinks();
        if (step === 130) rooms[random.between(0, rooms.length - 1)]?.die();
        if (random.next() < 0.4) await turn();
      }
      await history.until(() => history.answers.size >= history.calls);
      for (const [name, numbers] of history.received) {
        expect([name, numbers]).toEqual([name, [...new Set(numbers)].sort((a, b) => a - b)]);
        for (const number of numbers) expect(history.sent.get(name)).toContain(number);
      }
      expect(history.epochsThatGoBack()).toEqual([]);
      for (const { host } of rig.hosts) expect(host.counters()).toMatchObject({ pendingCalls: 0, heldMessages: 0 });
    },
  );
});
