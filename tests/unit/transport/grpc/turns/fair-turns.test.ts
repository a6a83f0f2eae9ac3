import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../../../src/testing/seeded-random.ts";
import { SHARE_MS, TURN_MS } from "../../../../../src/transport/grpc/turns/costs.ts";
import { LoopRig, type RigClient } from "./rig.ts";

/** A client that has worked for a while and costs little. */
function honestClient(rig: LoopRig, party = "honest") {
  const honest = rig.client(party);
  for (let count = 0; count < 20; count += 1) {
    honest.send([0.1]);
    rig.turn();
    rig.nowMs += 1;
  }
  return honest;
}

const tenths = (count: number) => new Array<number>(count).fill(0.1);

describe("turns", () => {
  it("are not taken where nothing waits: work runs at once, and no next turn is planned", () => {
    const rig = new LoopRig();
    const client = rig.client("a").send([0.1, 0.1]);
    client.poll();
    expect(client.done).toEqual([0, 1]);
    expect(rig.isPlanned).toBe(false);
  });

  it("end inside a read: what goes beyond the connection's share waits, and the connection is not read meanwhile", () => {
    const rig = new LoopRig();
    const client = rig.client("a").send(tenths(1_000)).send([0.1]);
    rig.turn();
    expect(client.done.length).toBeLessThanOrEqual(SHARE_MS / 0.1 + 2);
    expect(client.isStopped).toBe(true);
    expect(client.unread).toBe(1);
  });

  it("have a total, however many connections have work", () => {
    const rig = new LoopRig();
    for (let count = 0; count < 300; count += 1) rig.client(`party ${count % 3}`).send(tenths(100));
    for (let count = 0; count < 50; count += 1) rig.turn();
    expect(Math.max(...rig.turnsMs)).toBeLessThanOrEqual(2 * TURN_MS + SHARE_MS);
  });

  it("waste no time: while work waits, each turn does some", () => {
    const rig = new LoopRig();
    const clients = ["a", "a", "b"].map((party) => rig.client(party).send(tenths(300)));
    let turns = 0;
    while (clients.some(({ done }) => done.length < 300)) {
      const before = rig.nowMs;
      rig.turn();
      turns += 1;
      expect(rig.nowMs).toBeGreaterThan(before);
    }
    expect(turns).toBeLessThan(90 / SHARE_MS);
  });

  it.each([
    ["600 connections with more than their share in each read", 600, tenths(30), 1],
    ["600 connections with short reads", 600, tenths(5), 0.2],
    ["20 connections whose reads take 50 ms and can't be stopped", 20, [], 50],
  ] as const)("come quickly to a client that uses little, of the same address as %s", (_, count, pieces, fixedMs) => {
    const rig = new LoopRig();
    const honest = honestClient(rig, "crowd");
    const crowd = Array.from({ length: count }, () => rig.client("crowd"));
    let waited = 0;
    for (let turn = 0; turn < 600; turn += 1) {
      for (const one of crowd) if (one.unread === 0) one.send(pieces, fixedMs);
      if (turn % 5 === 0) honest.send([0.3], 0.03);
      rig.turn();
      waited = honest.done.length === honest.sent ? 0 : waited + 1;
      // The read that was under way, and the one behind it.
      expect(waited).toBeLessThanOrEqual(2);
    }
  });

  // Dear reads of honest clients stand for collections of garbage, which the clock measures too.
  it.each([
    ["its own address", ["honest"], 0.05],
    ["another address", ["crowd"], 0.15],
    ["29 addresses", Array.from({ length: 29 }, (_, at) => `crowd ${at}`), 0.05],
  ] as const)(
    "come quickly to clients that call now and then, when 600 connections from %s begin at once",
    (_, parties, dear) => {
      const { next: draw } = seededRandom(7);
      const rig = new LoopRig();
      const callers = Array.from({ length: 3 }, () => ({ client: honestClient(rig), sentTurn: -1, nextMs: 0 }));
      const crowd = Array.from({ length: 600 }, (__, at) => ({
        client: rig.client(parties[at % parties.length] ?? "", { isNew: true }),
        nextTurn: 0,
      }));
      const waits: number[] = [];
      for (let turn = 0; turn < 4_000; turn += 1) {
        for (const one of crowd) {
          const { isOpen, done, sent } = one.client;
          if (!isOpen || done.length < sent || turn < one.nextTurn) continue;
          one.client.send(new Array<number>(182).fill(0.03), 0.2);
          one.nextTurn = turn + 20 * draw();
        }
        for (const one of callers) {
          const { done, sent } = one.client;
          if (one.sentTurn >= 0 && done.length === sent) {
            waits.push(turn - one.sentTurn);
            one.sentTurn = -1;
            one.nextMs = rig.nowMs + 2 + 10 * draw();
          }
          if (one.sentTurn >= 0 || rig.nowMs < one.nextMs) continue;
          one.client.send([draw() < dear ? 10 : 0.05 + 0.2 * draw()], 0.02);
          one.sentTurn = turn;
        }
        rig.turn();
      }
      expect(waits.length).toBeGreaterThan(1_000);
      expect(Math.max(...waits)).toBeLessThanOrEqual(20);
    },
  );

  it("are shared by addresses first: one connection gets a third of what a crowd of 50 gets, or more", () => {
    const rig = new LoopRig();
    const crowd = Array.from({ length: 50 }, () => rig.client("crowd"));
    const single = rig.client("single");
    for (let turn = 0; turn < 1_000; turn += 1) {
      for (const one of [...crowd, single]) if (one.unread === 0) one.send(tenths(30));
      rig.turn();
    }
    const crowdDone = crowd.reduce((sum, { done }) => sum + done.length, 0);
    expect(single.done.length).toBeGreaterThan(crowdDone / 3);
  });

  it("are shared evenly by connections that have the same to do", () => {
    const rig = new LoopRig();
    const crowd = Array.from({ length: 60 }, () => rig.client("crowd"));
    for (let turn = 0; turn < 2_000; turn += 1) {
      for (const one of crowd) if (one.unread === 0) one.send(tenths(7), 0.2);
      rig.turn();
    }
    const counts = crowd.map(({ done }) => done.length);
    expect(Math.min(...counts)).toBeGreaterThan(0.6 * Math.max(...counts));
  });

  it("come to a dear connection at last, beside any number of new ones", () => {
    const rig = new LoopRig();
    const old = rig.client("crowd").send(tenths(300)).send(tenths(300));
    for (let turn = 0; turn < 3_000; turn += 1) {
      rig.client("crowd").send(tenths(30));
      rig.turn();
    }
    expect(old.done.length).toBe(600);
  });

  it("come to a dear connection again and again, though 60 new ones of its address always wait", () => {
    const rig = new LoopRig();
    const old = rig.client("crowd").send(tenths(300)).send(tenths(300));
    let crowd: RigClient[] = [];
    for (let turn = 0; turn < 800; turn += 1) {
      for (const one of crowd) if (one.done.length === one.sent) one.lane.close();
      crowd = crowd.filter(({ lane }) => !lane.isClosed);
      while (crowd.length < 60) crowd.push(rig.client("crowd").send(tenths(15)));
      rig.turn();
    }
    expect(old.done.length).toBeGreaterThan(150);
  });
});

describe("new connections", () => {
  it("are opened at once while nothing waits", () => {
    const rig = new LoopRig();
    expect(rig.client("a", { isNew: true }).isOpen).toBe(true);
  });

  it("wait for their turn while others wait, and all of them get it", () => {
    const rig = new LoopRig();
    const busy = rig.client("a").send(tenths(1_000));
    rig.turn();
    const crowd = Array.from({ length: 200 }, () => rig.client("a", { isNew: true }));
    expect(crowd.filter(({ isOpen }) => isOpen)).toEqual([]);
    for (let turn = 0; turn < 2_000; turn += 1) {
      if (busy.unread === 0) busy.send(tenths(50));
      rig.turn();
    }
    expect(crowd.every(({ isOpen }) => isOpen)).toBe(true);
  });

  it("come quickly behind a crowd of others that came first, and the oldest of the crowd as well", () => {
    const rig = new LoopRig();
    rig.client("a").send(tenths(1_000));
    rig.turn();
    const crowd = Array.from({ length: 600 }, () => rig.client("a", { isNew: true }));
    const newcomer = rig.client("a", { isNew: true });
    for (let turn = 0; turn < 20; turn += 1) rig.turn();
    expect(newcomer.isOpen).toBe(true);
    expect(crowd[0]?.isOpen).toBe(true);
    expect(crowd.filter(({ isOpen }) => !isOpen).length).toBeGreaterThan(500);
  });

  it("that end while they wait are forgotten", () => {
    const rig = new LoopRig();
    rig.client("a").send(tenths(1_000));
    rig.turn();
    const first = rig.client("a", { isNew: true });
    const { party } = first.lane;
    for (let count = 0; count < 1_000; count += 1) {
      const stays = rig.client("a", { isNew: true });
      const leaves = rig.client("a", { isNew: true });
      leaves.lane.close();
      if (count > 10) stays.lane.close();
    }
    expect(party.dear.newcomers).toBe(11);
    for (let turn = 0; turn < 2_000; turn += 1) rig.turn();
    expect(party.dear.newcomers).toBe(0);
    expect(rig.clients.filter(({ lane, isOpen }) => !lane.isClosed && !isOpen)).toEqual([]);
  });

  it.each(["before", "after"] as const)(
    "of a party that was cut for flooding several times, told %s each connection closes, are opened one in a turn",
    (when) => {
      const rig = new LoopRig();
      for (let count = 0; count < 3; count += 1) {
        const { lane } = rig.client("flooder", { isNew: true });
        if (when === "after") lane.close();
        rig.turns.noteFlood(lane);
        lane.close();
      }
      const crowd = Array.from({ length: 20 }, () => rig.client("flooder", { isNew: true }));
      expect(crowd.filter(({ isOpen }) => isOpen)).toEqual([]);
      const other = rig.client("other", { isNew: true });
      for (let turn = 0; turn < 21; turn += 1) {
        const before = crowd.filter(({ isOpen }) => isOpen).length;
        rig.turn();
        expect(crowd.filter(({ isOpen }) => isOpen).length - before).toBeLessThanOrEqual(1);
        if (turn === 1) expect(other.isOpen).toBe(true);
      }
      expect(crowd.every(({ isOpen }) => isOpen)).toBe(true);
      // Two minutes later nothing is held against it.
      rig.nowMs += 121_000;
      expect(rig.client("flooder", { isNew: true }).isOpen).toBe(true);
    },
  );
});

const step = fc.record({
  client: fc.nat(7),
  action: fc.constantFrom("send", "send", "send", "turn", "turn", "close", "arrive"),
  pieces: fc.array(fc.constantFrom(0, 0.1, 1, 7), { maxLength: 12 }),
  fixedMs: fc.constantFrom(0, 0.1, 3, 40),
});

describe("whatever clients do", () => {
  it("nothing is lost and nobody stays stopped; the order of each connection is kept, and what has ended is forgotten", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const rig = new LoopRig();
        const at = Array.from({ length: 8 }, (_, index) => rig.client(`party ${index % 3}`));
        for (const { client, action, pieces, fixedMs } of steps) {
          const one = at[client];
          if (one === undefined) continue;
          if (action === "send") one.send(pieces, fixedMs);
          else if (action === "turn") rig.turn();
          else if (action === "close") one.lane.close();
          else if (one.lane.isClosed) at[client] = rig.client(`party ${client % 3}`, { isNew: true });
        }
        for (let turn = 0; turn < 3_000 && (rig.isPlanned || rig.clients.some(hasUnread)); turn += 1) rig.turn();
        expect(rig.isPlanned).toBe(false);
        expect(rig.turns.waiting).toBe(0);
        for (const one of rig.clients) {
          expect(one.done).toEqual([...one.done].sort((a, b) => a - b));
          if (!one.lane.isClosed) {
            expect(one.isOpen).toBe(true);
            expect(one.done.length).toBe(one.sent);
          }
          expect(one.isStopped).toBe(false);
          one.lane.close();
        }
        expect(rig.turns.size).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});

function hasUnread({
  unread,
  lane,
}: {
  readonly unread: number;
  readonly lane: { readonly isClosed: boolean };
}): boolean {
  return unread > 0 && !lane.isClosed;
}
