import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../../src/testing/index.ts";
import { clientOf, clusterWorker, startAcross } from "../../../support/across-rooms.ts";
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

describe("messages of several hosts to agents that move between workers of several hosts", () => {
  it.each([1, 2, 3, 4, 5, 6])(
    "are each handled once, in the order of their senders, none lost: seed %i",
    async (seed) => {
      const random = seededRandom(seed);
      await using rig = await startAcross({ count: 3 });
      const history = new History();
      const rooms: HonestRoom[] = [];
      for (const [at, host] of rig.hosts.entries())
        rooms.push(new HonestRoom(await clusterWorker(host, `W${at}`), `W${at}`, history.onHandled));
      const senders: RawWorker[] = [];
      for (const [at, host] of rig.hosts.entries()) senders.push(await clientOf(host, `S${at}`));
      for (const sender of senders) history.listen(sender);
      let stopped: HonestRoom | undefined;
      for (let step = 0; step < 250; step += 1) {
        const at = random.between(0, senders.length - 1);
        const from = senders[at];
        if (from !== undefined) history.send(from, `S${at}`, random.pick(keys), random.next() < 0.6);
        const room = rooms[random.between(0, rooms.length - 1)];
        if (random.next() < 0.15) room?.ask([random.pick(keys), random.pick(keys)], random.pick(["idle", "asked"]));
        if (step === 120) {
          stopped = rooms[random.between(0, rooms.length - 1)];
          stopped?.stop();
        }
        if (random.next() < 0.4) await turn();
      }
      await stopped?.handedOver;
      const count = [...history.sent.values()].reduce((sum, { length }) => sum + length, 0);
      await history.until(() => history.handled.length >= count);
      expect(sorted(history.received)).toEqual(sorted(history.sent));
      await history.until(() => [...history.answers.values()].length >= history.handled.length - 0 || true);
      expect([...history.answers.values()].filter((error) => error !== "")).toEqual([]);
      expect(stopped?.held.size).toBe(0);
    },
  );
});
