import { connect } from "node:net";
import { expect, test } from "vitest";
import { message } from "../integration/poison/raw-http2.ts";
import { BesiegedHost, MiB } from "./support/besieged-host.ts";
import { callFrame, errorOf, tellingFrames } from "./support/frames.ts";

/** The first `bytes` of a message that says it has `announced`. */
const beginning = (bytes: number, announced: number) => message(new Uint8Array(bytes), announced);

test("unfinished messages of 28 connections take no room from a worker's call of 300 kB", async () => {
  await using host = await BesiegedHost.start({ maxMemoryBytes: 64 * MiB });
  for (let nr = 0; nr < 28; nr += 1) {
    const call = (await host.offender(`hog-${nr}`)).open("OpenChannel");
    await call.pour(message(callFrame(`hog-${nr}`, { bytes: 4 * MiB }).subarray(0, 3 * MiB), 4 * MiB));
  }
  await host.until(
    ({ heldBytes, gaveWay, transport }) => heldBytes > 20 * MiB && gaveWay + transport.refusedMessages > 0,
  );
  for (let count = 0; count < 5; count += 1) expect(await host.honestCall(300_000)).toBe("");
  await host.expectBounded("unfinished messages of 28 connections", 40 * MiB);
});

test("a call that finds no room is answered as overloaded, and the text says who holds too much", async () => {
  await using host = await BesiegedHost.start({ channelOptions: { maxHeldBytes: 4 * MiB } });
  const offender = await host.offender();
  await offender.open("OpenChannel", { "client-id": "full" }).pour(beginning(2 * MiB, 3 * MiB));
  await host.until(({ heldBytes }) => heldBytes > 2 * MiB);
  const call = offender.open("OpenChannel", { "client-id": "late" });
  await call.pour(message(callFrame("late", { bytes: 4 * MiB })));
  expect(errorOf(await call.messages.take())).toMatchObject({
    requestId: "late",
    code: "overloaded",
    error: expect.stringContaining("This connection makes the host keep"),
  });
});

test("a message that stops coming is given up in time, and its caller gets an error", async () => {
  await using host = await BesiegedHost.start({ channelOptions: { messageTimeoutMs: 200 } });
  const offender = await host.offender();
  const call = offender.open("OpenChannel");
  await call.pour(message(callFrame("slow", { bytes: 2 * MiB }).subarray(0, MiB), 2 * MiB));
  await host.until(({ heldBytes }) => heldBytes > MiB);
  expect(errorOf(await call.messages.take())).toMatchObject({ requestId: "slow" });
  const { heldBytes, transport } = await host.counters();
  expect(transport.unfinishedMessages).toBe(1);
  expect(heldBytes).toBeLessThan(MiB / 2);
  // The rest is skipped, and the next message is read.
  await call.pour(new Uint8Array(MiB));
  await call.pour(message(callFrame("after")));
  expect(errorOf(await call.messages.take())).toMatchObject({ requestId: "after" });
});

test("headers of 60 KiB of thousands of channels are counted", async () => {
  await using host = await BesiegedHost.start();
  const padding = "x".repeat(60_000);
  for (let connection = 0; connection < 6; connection += 1) {
    const offender = await host.offender(`padded-${connection}`);
    for (let nr = 0; nr < 800; nr += 1)
      offender.open("OpenChannel", { "client-id": `padded-${connection}-${nr}`, padding: `${nr}${padding}` });
    const last = offender.open("GetSubscriptions");
    last.stream.end(message(new Uint8Array(0)));
    await last.ended;
  }
  await host.until(({ transport }) => transport.overloadedStreams > 1_000);
  expect(await host.honestCall()).toBe("");
  await host.expectBounded("headers of 4,800 channels");
});

test("what Node buffers for 200 streams that wait for authorize is counted", async () => {
  await using host = await BesiegedHost.start({ neverAdmitted: "held" });
  const offender = await host.offender("held");
  const calls = Array.from({ length: 200 }, (_, nr) => offender.open("OpenChannel", { "client-id": `held-${nr}` }));
  for (const call of calls) call.stream.write(beginning(3 * MiB, 3 * MiB));
  const end = await Promise.race(calls.map(({ ended }) => ended));
  expect(end).toMatchObject({ status: "8", text: expect.stringContaining("of them for this connection") });
  await host.until(({ transport }) => transport.streams < 50);
  expect(await host.honestCall()).toBe("");
  await host.expectBounded("200 streams that wait for authorize");
});

test("whole requests of unary calls that never end, and wait for authorize, are counted", async () => {
  await using host = await BesiegedHost.start({ neverAdmitted: "held" });
  const request = message(new Uint8Array(MiB));
  for (let connection = 0; connection < 8; connection += 1) {
    const offender = await host.offender(`held-${connection}`);
    for (let nr = 0; nr < 40; nr += 1) offender.open("GetSubscriptions").stream.end(request);
  }
  await host.until(({ gaveWay, transport }) => transport.refusedMessages > 50 || gaveWay > 4);
  expect(await host.honestCall()).toBe("");
  await host.expectBounded("320 unary requests of 1 MiB");
});

test("metadata of unary calls whose requests never come is counted", async () => {
  await using host = await BesiegedHost.start();
  const padding = "x".repeat(60_000);
  for (let connection = 0; connection < 10; connection += 1) {
    const offender = await host.offender(`padded-${connection}`);
    for (let nr = 0; nr < 300; nr += 1) offender.open("RegisterAgent", { padding: `${nr}${padding}` });
    const last = offender.open("GetSubscriptions");
    last.stream.end(message(new Uint8Array(0)));
    await last.ended;
  }
  await host.until(({ transport }) => transport.overloadedStreams > 1_000);
  expect(await host.honestCall()).toBe("");
  await host.expectBounded("metadata of 3,000 unary calls");
});

test("answers that nobody reads are counted", async () => {
  await using host = await BesiegedHost.start();
  const subscriber = await host.worker("subscriber");
  for (let nr = 0; nr < 300; nr += 1)
    await subscriber.subscribe(`${nr}`, { kind: "type", topicType: `t-${nr}-${"x".repeat(900)}`, agentType: "a" });
  for (let connection = 0; connection < 10; connection += 1) {
    const offender = await host.offender(`reader-${connection}`, { windowBytes: 0 });
    for (let nr = 0; nr < 100; nr += 1) offender.open("GetSubscriptions").stream.end(message(new Uint8Array(0)));
  }
  await host.until(({ transport }) => transport.refusedMessages > 300);
  expect(await host.honestCall()).toBe("");
  await host.expectBounded("1,000 answers of 300 kB");
});

test("connections that say nothing are counted from the start", async () => {
  await using host = await BesiegedHost.start({ channelOptions: { handshakeTimeoutMs: 600_000 } });
  const port = Number(host.address.split(":").at(-1));
  const sockets = [];
  for (let nr = 0; nr < 2_000; nr += 1) {
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("error", () => undefined);
    sockets.push(socket);
    await new Promise((resolve) => socket.once("connect", resolve));
  }
  await host.until(({ transport }) => transport.overloadedConnections > 500);
  expect(await host.honestCall()).toBe("");
  await host.expectBounded("2,000 silent connections");
  for (const socket of sockets) socket.destroy();
});

test("a message beyond the limit, cut behind its prefix, still gives its caller an error, plain or compressed", async () => {
  await using host = await BesiegedHost.start({ channelOptions: { maxReceiveMessageBytes: MiB } });
  for (const cut of [1, 4, 5, 6, 9, 20]) {
    const offender = await host.offender(`cut-${cut}`);
    const call = offender.open("OpenChannel");
    const whole = message(callFrame("big", { bytes: 2 * MiB }));
    await call.pour(whole.subarray(0, cut));
    await tellingFrames(offender);
    await call.pour(whole.subarray(cut));
    expect(errorOf(await call.messages.take())).toMatchObject({ requestId: "big" });
  }
});

test("the account of a connection is empty when its calls have ended", async () => {
  await using host = await BesiegedHost.start();
  const before = (await host.counters()).heldBytes;
  const offender = await host.offender();
  const calls = Array.from({ length: 20 }, (_, nr) => offender.open("OpenChannel", { "client-id": `o-${nr}` }));
  for (const call of calls) await call.pour(beginning(100_000, 200_000));
  await host.until(({ heldBytes }) => heldBytes > before + MiB);
  offender.destroy();
  await host.until(({ heldBytes }) => heldBytes === before);
});
