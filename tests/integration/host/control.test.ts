import { describe, expect, it } from "vitest";
import { limits } from "../../../src/host/limits.ts";
import type { ControlBody, ControlEnvelope } from "../../../src/protocol/internal.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { StatusCode } from "../../../src/transport/index.ts";
import { hostTransports } from "../../support/host-transports.ts";
import { RawControl } from "../../support/raw-control.ts";
import { RawWorker } from "../../support/raw-worker.ts";

const agentId = { type: "a", key: "k" };
const saveRequest: ControlBody = { kind: "save-request", agentId };
const loadRequest: ControlBody = { kind: "load-request", agentId, state: "{}" };

describe.each(hostTransports)("the control channel over $name", ({ start }) => {
  it("carries a request to the worker that serves the agent's type, and the answer back, unchanged [§8.106]", async () => {
    await using rig = await start();
    await (await new RawWorker(rig.dial(), "T").join()).register("a");
    const target = await RawControl.open(rig.dial(), "T");
    const asker = await RawControl.open(rig.dial(), "C1");
    // Captured envelopes of protocol.md §9, with the type that is registered here.
    const request = Buffer.from(
      "0a0137120b6167656e7469643d612f6b1a0b636c69656e7469643d4331223a0a2b747970652e676f6f676c65617069732e636f6d2f6167656e74732e53617665537461746552657175657374120b0a090a046563686f12016b",
      "hex",
    );
    asker.stream.send(request);
    expect(Buffer.from(await target.nextBytes()).equals(request)).toBe(true);
    const answer = Buffer.from(
      "0a0137120b636c69656e7469643d43311a0022390a2c747970652e676f6f676c65617069732e636f6d2f6167656e74732e536176655374617465526573706f6e736512090a077b226e223a317d",
      "hex",
    );
    target.stream.send(answer);
    const bytes = await asker.nextBytes();
    expect(Buffer.from(bytes).equals(answer)).toBe(true);
    expect(rig.host.counters()).toMatchObject({ controlChannels: 2, unroutableControlMessages: 0 });
  });

  it("carries a request to a client by its id", async () => {
    await using rig = await start();
    const target = await RawControl.open(rig.dial(), "T");
    const asker = await RawControl.open(rig.dial(), "R");
    asker.send({ rpcId: "1", destination: "clientid=T", respondTo: "clientid=R", body: saveRequest });
    expect(await target.next()).toMatchObject({ rpcId: "1", body: saveRequest });
  });

  it.each([
    ["an agent nobody serves", "agentid=nobody/k"],
    ["an agent whose worker has no control channel", "agentid=a/k"],
    ["an unknown client", "clientid=X"],
    ["a malformed agent id", "agentid=a"],
    ["an invalid agent type", "agentid=a b/k"],
    ["no known form", "elsewhere"],
    ["nothing", ""],
  ])(
    "answers requests to %s in the target's stead, and the stream lives [§8.108] [§8.109]",
    async (_name, destination) => {
      await using rig = await start();
      await (await new RawWorker(rig.dial(), "T").join()).register("a");
      const asker = await RawControl.open(rig.dial(), "R");
      asker.send({ rpcId: "1", destination, respondTo: "clientid=R", body: saveRequest });
      asker.send({ rpcId: "2", destination, respondTo: "clientid=R", body: loadRequest });
      const failed = { destination: "clientid=R", respondTo: "" };
      const error = expect.stringMatching(/./);
      expect(await asker.next()).toEqual({ ...failed, rpcId: "1", body: { kind: "save-response", state: "", error } });
      expect(await asker.next()).toEqual({ ...failed, rpcId: "2", body: { kind: "load-response", error } });
      expect(await asker.settled()).toEqual([]);
      expect(rig.host.counters().unroutableControlMessages).toBe(2);
    },
  );

  it("answers the sender itself when a request says nowhere, or nowhere known, to answer to", async () => {
    await using rig = await start();
    const asker = await RawControl.open(rig.dial(), "R");
    asker.send({ rpcId: "1", destination: "agentid=a/k", respondTo: undefined, body: saveRequest });
    asker.send({ rpcId: "2", destination: "agentid=a/k", respondTo: "clientid=gone", body: saveRequest });
    expect((await asker.next()).rpcId).toBe("1");
    expect((await asker.next()).rpcId).toBe("2");
  });

  it("drops and counts an answer that nobody can be found for, and bytes that are no envelope [§8.109]", async () => {
    await using rig = await start();
    const asker = await RawControl.open(rig.dial(), "R");
    const body: ControlBody = { kind: "load-response", error: undefined };
    asker.send({ rpcId: "1", destination: "clientid=gone", respondTo: "", body });
    asker.stream.send(Buffer.from("ffffff", "hex"));
    expect(await asker.settled()).toEqual([]);
    expect(rig.host.counters()).toMatchObject({ unroutableControlMessages: 1, badFrames: 1 });
  });

  it.each(["cancel", "end"] as const)(
    "tells the asker when the target's channel ends by %s before the answer",
    async (leave) => {
      await using rig = await start();
      const target = await RawControl.open(rig.dial(), "T");
      const asker = await RawControl.open(rig.dial(), "R");
      for (const rpcId of ["1", "2"])
        asker.send({ rpcId, destination: "clientid=T", respondTo: "clientid=R", body: saveRequest });
      await target.next();
      await target.next();
      const answer: ControlBody = { kind: "save-response", state: "{}", error: undefined };
      target.send({ rpcId: "1", destination: "clientid=R", respondTo: "", body: answer });
      expect(await asker.next()).toMatchObject({ rpcId: "1", body: answer });
      target.stream[leave]();
      const error = "The control channel to clientid=T ended before the answer.";
      expect(await asker.next()).toMatchObject({ rpcId: "2", body: { kind: "save-response", error } });
      expect(await asker.settled()).toEqual([]);
    },
  );

  it("refuses a control channel without a client id", async () => {
    await using rig = await start();
    expect(await new RawControl(rig.dial(), undefined).ended).toMatchObject({
      by: "status",
      status: { code: StatusCode.invalidArgument, details: "client-id metadata not found." },
    });
  });

  it("ends the older of two control channels with one client id", async () => {
    await using rig = await start();
    const first = await RawControl.open(rig.dial(), "R");
    const second = await RawControl.open(rig.dial(), "R");
    expect(await first.ended).toMatchObject({ by: "status", status: { code: StatusCode.aborted } });
    expect(await second.settled()).toEqual([]);
    expect(rig.host.counters().controlChannels).toBe(1);
  });
});

describe.each(hostTransports)("a control channel that ends while thousands wait for it, over $name", ({ start }) => {
  it("is answered for in batches, and each request once", async () => {
    const clock = new ManualClock();
    await using rig = await start({ clock });
    const askers = await Promise.all(["A", "B", "C"].map((id) => RawControl.open(rig.dial(), id)));
    const target = await RawControl.open(rig.dial(), "T");
    const each = limits.controlWaitsPerAsker;
    for (const [index, asker] of askers.entries()) {
      const respondTo = `clientid=${["A", "B", "C"][index]}`;
      for (let count = 0; count < each; count += 1) {
        asker.send({ rpcId: `${count}`, destination: "clientid=T", respondTo, body: loadRequest });
      }
      await asker.settled();
    }
    target.stream.cancel();
    const answersNow = async () => (await Promise.all(askers.map((asker) => asker.settled()))).flat();
    const first: ControlEnvelope[] = [];
    while (rig.host.counters().controlChannels > askers.length) first.push(...(await answersNow()));
    first.push(...(await answersNow()));
    expect(first).toHaveLength(limits.batchSize);
    clock.advance(0);
    const all = [...first, ...(await answersNow())];
    expect(new Set(all.map(({ rpcId, destination }) => `${destination} ${rpcId}`)).size).toBe(3 * each);
    expect(all).toHaveLength(3 * each);
  });
});

it("forgets the requests of a client whose control channel ends in batches", async () => {
  const [inMemory] = hostTransports;
  if (inMemory === undefined) throw new Error("there is a memory link");
  const clock = new ManualClock();
  await using rig = await inMemory.start({ clock });
  const target = await RawControl.open(rig.dial(), "T");
  const asker = await RawControl.open(rig.dial(), "A");
  const held = () => rig.host.counters().heldBytes;
  const before = held();
  const count = limits.controlWaitsPerAsker;
  for (let index = 0; index < count; index += 1) {
    const rpcId = String(index).padStart(4, "0");
    asker.send({ rpcId, destination: "clientid=T", respondTo: "clientid=A", body: loadRequest });
  }
  await asker.settled();
  const each = (held() - before) / count;
  asker.stream.cancel();
  while (rig.host.counters().controlChannels > 1) await target.settled();
  const left = held();
  clock.advance(0);
  expect(left - held()).toBe((count - limits.batchSize) * each);
});

describe.each(hostTransports)("a control channel that nobody reads, over $name", ({ start }) => {
  it.each(["is replaced", "is half-closed"] as const)("is cut off after a while when it %s", async (how) => {
    const clock = new ManualClock();
    await using rig = await start({ clock });
    const asker = await RawControl.open(rig.dial(), "A");
    const link = rig.dial();
    const lazy = await RawControl.open(link, "lazy");
    lazy.stream.pause();
    const body = { ...loadRequest, state: "x".repeat(500_000) };
    // More than any window and kernel buffer between the host and a client that does not read.
    for (let count = 0; count < 40; count += 1) {
      asker.send({ rpcId: `${count}`, destination: "clientid=lazy", respondTo: "clientid=A", body });
      await asker.settled();
    }
    if (how === "is replaced") await RawControl.open(link, "lazy");
    else lazy.stream.end();
    // Each request without an answer has one now: the channel is out of the host's tables.
    for (let answers = 0; answers < 1; answers += (await asker.settled()).length);
    clock.advance(0);
    expect(clock.pendingTimers).toBe(1);
    clock.advance(5_000);
    await lazy.ended;
    expect(clock.pendingTimers).toBe(0);
  });
});
