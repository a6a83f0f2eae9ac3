import { type Fault, ManualClock, startFaultProxy } from "troupe/testing";
import { describe, expect, test } from "vitest";
import { SocketPair } from "./socket-pair.ts";

describe("a fault proxy without faults", () => {
  test("passes bytes both ways, and counts them", async () => {
    await using pair = await SocketPair.start();
    const [client, target] = await pair.open();
    client.send("hello");
    expect(await target.receives(5)).toBe("hello");
    target.send("good day");
    expect(await client.receives(8)).toBe("good day");
    expect(pair.proxy.counters()).toMatchObject({
      connections: 1,
      openConnections: 1,
      bytesToTarget: 5,
      bytesToClient: 8,
      droppedBytes: 0,
    });
  });

  test("passes on the end of either side, while the other goes on", async () => {
    await using pair = await SocketPair.start();
    const [client, target] = await pair.open();
    client.socket.end("that was all");
    expect(await target.ended).toBe("end");
    expect(target.text).toBe("that was all");
    target.socket.end("and this is the answer");
    expect(await client.ended).toBe("end");
    expect(client.text).toBe("and this is the answer");
  });

  test("passes on a reset", async () => {
    await using pair = await SocketPair.start();
    const [client, target] = await pair.open();
    client.socket.resetAndDestroy();
    expect(await target.ended).toBe("ECONNRESET");
  });

  test("resets whoever dials it while nobody listens behind it", async () => {
    await using pair = await SocketPair.start();
    await using nobody = await startFaultProxy({ target: pair.proxy.address });
    pair.proxy.retarget(nobody.address);
    await nobody.close();
    expect(await pair.dial().ended).toBe("ECONNRESET");
  });

  test("holds many bytes in order, with little of them in memory", async () => {
    await using pair = await SocketPair.start();
    const [client, target] = await pair.open();
    const text = Array.from({ length: 200_000 }, (_, i) => String(i)).join(" ");
    client.send(text);
    expect(await target.receives(text.length)).toBe(text);
  });

  test("says what is wrong with an address", async () => {
    await expect(startFaultProxy({ target: "127.0.0.1:1", address: "nowhere" })).rejects.toThrow(/write host:port/);
  });
});

describe("a delay", () => {
  test("lets bytes arrive when their time has come, in their order", async () => {
    const clock = new ManualClock();
    await using pair = await SocketPair.start({
      clock,
      script: [{ fault: { kind: "delay", delayMs: 100, in: "to-target" } }],
    });
    const [client, target] = await pair.open();
    client.send("slow");
    target.send("quick");
    await client.receives(5);
    await until(() => clock.pendingTimers > 0);
    clock.advance(99);
    expect(pair.proxy.counters().bytesToTarget).toBe(0);
    clock.advance(1);
    expect(await target.receives(4)).toBe("slow");
  });
});

describe("a throttle", () => {
  test("passes no more bytes than its rate", async () => {
    const clock = new ManualClock();
    await using pair = await SocketPair.start({ clock });
    pair.proxy.apply({ kind: "throttle", bytesPerSecond: 1_000 });
    const [client, target] = await pair.open();
    client.send("x".repeat(2_000));
    await target.receives(20);
    for (let ms = 20; ms < 1_000; ms += 20) {
      clock.advance(20);
      await target.receives(20 + ms);
      expect(pair.proxy.counters().bytesToTarget).toBe(20 + ms);
    }
    pair.proxy.heal();
    await target.receives(2_000);
  });
});

describe("a stall", () => {
  test("is felt by the sender, loses nothing, and leaves the other direction alone", async () => {
    await using pair = await SocketPair.start();
    const [client, target] = await pair.open();
    pair.proxy.apply({ kind: "stall", in: "to-target" });
    const chunk = "x".repeat(1 << 20);
    let sent = 0;
    while (client.socket.write(chunk) || client.socket.writableLength < 1 << 24) sent += chunk.length;
    target.send("still here");
    await client.receives(10);
    expect(client.socket.writableLength).toBeGreaterThan(0);
    expect(target.length).toBe(0);
    pair.proxy.heal();
    await target.receives(sent);
  });

  test("ends by itself after its time", async () => {
    const clock = new ManualClock();
    await using pair = await SocketPair.start({ clock });
    const [client, target] = await pair.open();
    pair.proxy.apply({ kind: "stall", forMs: 50 });
    client.send("later");
    clock.advance(49);
    target.send("back");
    expect(pair.proxy.counters()).toMatchObject({ bytesToTarget: 0, bytesToClient: 0 });
    clock.advance(1);
    expect(await target.receives(5)).toBe("later");
    expect(await client.receives(4)).toBe("back");
  });
});

describe("faults that overlap", () => {
  test("a stall goes on after a shorter one before it has ended", async () => {
    const clock = new ManualClock();
    await using pair = await SocketPair.start({ clock });
    const [client, target] = await pair.open();
    pair.proxy.apply({ kind: "stall", forMs: 100 });
    pair.proxy.apply({ kind: "stall" });
    client.send("held");
    target.send("held, too");
    clock.advance(1_000);
    await turns();
    expect(pair.proxy.counters()).toMatchObject({ bytesToTarget: 0, bytesToClient: 0 });
    pair.proxy.heal();
    expect(await target.receives(4)).toBe("held");
  });

  test("a stall of the whole proxy goes on after one of a single connection has ended, also for those that come", async () => {
    const clock = new ManualClock();
    await using pair = await SocketPair.start({ clock });
    const [client, target] = await pair.open();
    pair.proxy.apply({ kind: "stall", in: "to-target" });
    pair.proxy.apply({ kind: "stall", in: "to-target", forMs: 50 }, { connection: 0 });
    pair.proxy.apply({ kind: "stall", in: "to-target", forMs: 50 });
    client.send("held");
    clock.advance(50);
    const [second, secondTarget] = await pair.open();
    second.send("held, too");
    clock.advance(1_000);
    await turns();
    expect(pair.proxy.counters().bytesToTarget).toBe(0);
    pair.proxy.heal();
    expect(await target.receives(4)).toBe("held");
    expect(await secondTarget.receives(9)).toBe("held, too");
  });

  test("a shorter delay gives way to the longer one that it had covered", async () => {
    const clock = new ManualClock();
    await using pair = await SocketPair.start({ clock });
    const [client, target] = await pair.open();
    pair.proxy.apply({ kind: "delay", delayMs: 500, in: "to-target" });
    pair.proxy.apply({ kind: "delay", delayMs: 0, forMs: 10, in: "to-target" });
    client.send("quick");
    await target.receives(5);
    clock.advance(10);
    client.send("slow");
    await until(() => clock.pendingTimers > 0);
    clock.advance(499);
    await turns();
    expect(pair.proxy.counters().bytesToTarget).toBe(5);
    clock.advance(1);
    expect(await target.receives(9)).toBe("quickslow");
  });
});

describe("a black hole", () => {
  test("takes bytes and ends of one direction, and counts what it took", async () => {
    await using pair = await SocketPair.start();
    const [client, target] = await pair.open();
    client.send("seen");
    await target.receives(4);
    pair.proxy.apply({ kind: "drop", in: "to-target" });
    client.socket.end("never seen");
    target.send("but I am");
    expect(await client.receives(8)).toBe("but I am");
    await until(() => pair.proxy.counters().droppedBytes === 10);
    expect(target.text).toBe("seen");
    expect(target.socket.readableEnded).toBe(false);
  });

  test("hides that a side has gone", async () => {
    await using pair = await SocketPair.start();
    const [client, target] = await pair.open();
    pair.proxy.apply({ kind: "drop" });
    client.socket.resetAndDestroy();
    const [, second] = await pair.open();
    second.send("a barrier");
    expect(target.socket.destroyed).toBe(false);
    expect(pair.proxy.counters().faults.drop).toBe(2);
  });
});

describe("the end of a connection", () => {
  test.each<[string, Fault, string]>([
    ["a close", { kind: "close" }, "end"],
    ["a reset", { kind: "reset" }, "ECONNRESET"],
  ])("%s is seen by both sides", async (_name, fault, seen) => {
    await using pair = await SocketPair.start();
    const [client, target] = await pair.open();
    pair.proxy.apply(fault);
    expect(await Promise.all([client.ended, target.ended])).toEqual([seen, seen]);
  });

  test("a half-close ends one direction and leaves the other", async () => {
    await using pair = await SocketPair.start();
    const [client, target] = await pair.open();
    pair.proxy.apply({ kind: "half-close", in: "to-client" });
    expect(await client.ended).toBe("end");
    client.send("can you hear me?");
    expect(await target.receives(16)).toBe("can you hear me?");
  });

  test("comes after exactly so many bytes", async () => {
    await using pair = await SocketPair.start({
      script: [{ fault: { kind: "close" }, connection: 1, afterBytes: 7 }],
    });
    const [first, firstTarget] = await pair.open();
    const [second, secondTarget] = await pair.open();
    for (const client of [first, second]) client.send("0123456789");
    expect(await secondTarget.ended).toBe("end");
    expect(secondTarget.text).toBe("0123456");
    expect(await second.ended).toBe("end");
    expect(await firstTarget.receives(10)).toBe("0123456789");
  });

  test("comes after exactly so many bytes of the other direction", async () => {
    await using pair = await SocketPair.start({
      script: [{ fault: { kind: "half-close", in: "to-client" }, afterBytes: 3, of: "to-client" }],
    });
    const [client, target] = await pair.open();
    target.send("01");
    await client.receives(2);
    target.send("23456");
    expect(await client.ended).toBe("end");
    expect(client.text).toBe("012");
  });

  test("comes at its time after the connection was accepted", async () => {
    const clock = new ManualClock();
    await using pair = await SocketPair.start({
      clock,
      script: [{ fault: { kind: "reset" }, connection: 0, afterMs: 30 }],
    });
    const [client] = await pair.open();
    clock.advance(29);
    expect(pair.proxy.counters().faults.reset).toBe(0);
    clock.advance(1);
    expect(await client.ended).toBe("ECONNRESET");
  });
});

describe("refusing", () => {
  test("resets connections that come, and leaves those that stand", async () => {
    await using pair = await SocketPair.start();
    const [client, target] = await pair.open();
    pair.proxy.apply({ kind: "refuse" });
    expect(await pair.dial().ended).toBe("ECONNRESET");
    expect(await pair.dial().ended).toBe("ECONNRESET");
    client.send("me too?");
    expect(await target.receives(7)).toBe("me too?");
    pair.proxy.heal();
    await pair.open();
    expect(pair.proxy.counters()).toMatchObject({ connections: 4, openConnections: 2, faults: { refuse: 2 } });
  });

  test("can be for one connection of the script", async () => {
    await using pair = await SocketPair.start({ script: [{ fault: { kind: "refuse" }, connection: 1 }] });
    await pair.open();
    expect(await pair.dial().ended).toBe("ECONNRESET");
    await pair.open();
  });
});

test("faults of the whole proxy hit what is open and what comes, and a time of its own after the start", async () => {
  const clock = new ManualClock();
  await using pair = await SocketPair.start({ clock, script: [{ fault: { kind: "reset" }, afterMs: 10 }] });
  const [first] = await pair.open();
  clock.advance(5);
  const [second] = await pair.open();
  clock.advance(5);
  await pair.proxy.faulted("reset", 2);
  expect(await Promise.all([first.ended, second.ended])).toEqual(["ECONNRESET", "ECONNRESET"]);
});

test("a seed breaks the same connections in the same way, run after run", async () => {
  const outcomes: string[][] = [];
  for (let run = 0; run < 2; run++) {
    await using pair = await SocketPair.start({
      seed: 5,
      randomFaults: { kinds: ["close", "half-close"], maxFaults: 1, withinBytes: 20 },
    });
    const seen: string[] = [];
    for (let number = 0; number < 12; number++) {
      const [client, target] = await pair.open();
      client.socket.end("x".repeat(20));
      target.socket.end("y".repeat(20));
      await Promise.all([client.ended, target.ended]);
      seen.push(`${target.length} there, ${client.length} back`);
    }
    outcomes.push(seen);
  }
  expect(outcomes[0]).toEqual(outcomes[1]);
  expect(new Set(outcomes[0]).size).toBeGreaterThan(3);
});

test("a seed can be given and taken away while it runs", async () => {
  await using pair = await SocketPair.start({ randomFaults: { kinds: ["refuse"], maxFaults: 20 } });
  await pair.open();
  pair.proxy.reseed(1);
  expect(await pair.dial().ended).toBe("ECONNRESET");
  pair.proxy.reseed(undefined);
  await pair.open();
});

test("closing cuts what is open, ends all waiting, and twice is fine", async () => {
  await using pair = await SocketPair.start();
  const [client] = await pair.open();
  const never = expect(pair.proxy.faulted("reset")).rejects.toThrow(/closed/);
  await pair.proxy.close();
  await pair.proxy.close();
  await never;
  expect(await client.ended).toBeDefined();
  expect(pair.proxy.counters().openConnections).toBe(0);
});

/** Lets I/O go on for a while: what would pass has passed then. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets I/O go on until the condition holds; the test's own timeout is the limit. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
