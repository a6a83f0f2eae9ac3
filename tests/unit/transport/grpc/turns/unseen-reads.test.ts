import { describe, expect, it } from "vitest";
import { FairTurns } from "../../../../../src/transport/grpc/turns/fair-turns.ts";

const readBytes = 2 * 1024 * 1024;

/** A listener's turns, and connections of which Node reads 2 MiB in each turn of the event loop in which they are read. */
class Loop {
  readonly turns = new FairTurns({ now: () => 0, later: (act) => this.#planned.push(act) });
  readonly #planned: (() => void)[] = [];
  readonly #clients: { isRead: boolean; bytesRead: number }[] = [];

  client(party: string, messageBytes = 0) {
    const client = { isRead: true, bytesRead: 0 };
    const lane = this.turns.join(party);
    lane.setGate({
      get bytesRead() {
        if (messageBytes > 0) lane.see(client.bytesRead - seen);
        seen = client.bytesRead;
        return client.bytesRead;
      },
      stop: () => {
        client.isRead = false;
      },
      start: () => {
        client.isRead = true;
      },
    });
    let seen = 0;
    this.#clients.push(client);
    return lane;
  }

  /** Returns the connections that were read in this turn. */
  turn(): number {
    const read = this.#clients.filter(({ isRead }) => isRead);
    for (const client of read) client.bytesRead += readBytes;
    for (const act of this.#planned.splice(0)) act();
    return read.length;
  }
}

describe("frames that Node handles by itself", () => {
  it("are read of one connection after the other once the event loop is late, not of all in one turn", () => {
    const loop = new Loop();
    for (let count = 0; count < 20; count += 1) loop.client("flood");
    loop.turns.noteReads(true);
    expect(loop.turn()).toBe(20);
    loop.turns.noteReads(false);
    const read = Array.from({ length: 100 }, () => loop.turn());
    expect(Math.max(...read)).toBeLessThanOrEqual(2);
    expect(read.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(40);
  });

  it("keep no client from its turn that uses little", () => {
    const loop = new Loop();
    for (let count = 0; count < 20; count += 1) loop.client("flood");
    const honest = loop.turns.join("flood");
    loop.turns.noteReads(true);
    loop.turn();
    loop.turns.noteReads(false);
    let done = 0;
    for (let count = 0; count < 40; count += 1) {
      honest.run(() => {
        done += 1;
      });
      loop.turn();
    }
    expect(done).toBeGreaterThanOrEqual(10);
  });

  it("are none where all that was read are messages, or was read long ago", () => {
    const loop = new Loop();
    loop.client("worker", readBytes);
    const old = loop.client("old");
    loop.turn();
    loop.turns.noteReads(true);
    loop.turns.noteReads(false);
    expect(old.isHeld).toBe(false);
    expect(loop.turns.waiting).toBe(0);
  });
});
