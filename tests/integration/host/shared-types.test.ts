import { Buffer } from "node:buffer";
import { describe, expect, it } from "vitest";
import type { HostOccurrence, HostOptions } from "../../../src/host/index.ts";
import { encodeFrame, joinFrame, peekFrame, spliceRecipients } from "../../../src/protocol/internal.ts";
import type { Metadata } from "../../../src/transport/index.ts";
import { type HostRig, hostTransports } from "../../support/host-transports.ts";
import { exact, RawWorker, textPayload } from "../../support/raw-worker.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const shared = { agshared: "1" };

/** A Troupe worker that knows claims. */
function troupeWorker(rig: HostRig, clientId: string, metadata: Metadata = {}): Promise<RawWorker> {
  const words = { agcaps: "claims", agworker: `worker-${clientId}`, ...metadata };
  return new RawWorker(rig.dial(), clientId, { isAnnounced: true, metadata: words }).join();
}

/** Two workers that share the type `room`, and a caller. */
async function twoWorkers(rig: HostRig, terms: Metadata = shared, identities: readonly Metadata[] = []) {
  const workers = [await troupeWorker(rig, "A", identities[0]), await troupeWorker(rig, "B", identities[1])] as const;
  for (const worker of workers) {
    await worker.register("room", terms);
    await worker.register(`here-${worker.clientId}`);
  }
  const caller = await new RawWorker(rig.dial(), "C", { isAnnounced: true }).join();
  return { workers, caller };
}

/** Cuts a worker of `twoWorkers` off; resolves when the host has noticed. */
async function cutOff(worker: RawWorker, caller: RawWorker): Promise<void> {
  worker.stream.cancel();
  await caller.takeOver(`here-${worker.clientId}`);
}

/** Calls agents one after the other; returns which worker each call reached, and under which epoch. */
async function callEach(caller: RawWorker, workers: readonly RawWorker[], targets: readonly string[]) {
  const reached: { by: string | undefined; epoch: string | undefined }[] = [];
  for (const target of targets) {
    caller.request("call", target);
    await caller.settled();
    for (const worker of workers) {
      for (const frame of await worker.settled()) {
        if (frame.kind !== "request") continue;
        reached.push({ by: worker.clientId, epoch: frame.metadata.agepoch });
        worker.respond(frame.requestId, "done");
      }
    }
    await caller.nextResponse();
  }
  return reached;
}

const keys = Array.from({ length: 12 }, (_, at) => `room/${at}`);

describe.each(hostTransports)("shared agent types at the host over $name", ({ start }) => {
  it("are served by several workers, and each agent by one of them, under one epoch", async () => {
    await using rig = await start();
    const { workers, caller } = await twoWorkers(rig);
    const first = await callEach(caller, workers, keys);
    expect(await callEach(caller, workers, keys)).toEqual(first);
    expect(new Set(first.map(({ by }) => by))).toEqual(new Set(["A", "B"]));
    expect(new Set(first.map(({ epoch }) => epoch)).size).toBe(keys.length);
    for (const { epoch } of first) expect(epoch).toMatch(/^[1-9]\d*\.1\.[1-9]\d*$/);
    expect(rig.host.counters()).toMatchObject({ claims: keys.length, agentTypes: 3 });
  });

  it("are placed anew when their worker is gone, under a higher epoch; the other's agents stay", async () => {
    const lost: HostOccurrence[] = [];
    const observer = (what: HostOccurrence) => {
      if (what.at === "claim" && what.what === "lost") lost.push(what);
    };
    await using rig = await start({ observer });
    const { workers, caller } = await twoWorkers(rig);
    const before = await callEach(caller, workers, keys);
    const [a, b] = workers;
    await cutOff(a, caller);
    const count = before.filter(({ by }) => by === "A").length;
    const after = await callEach(caller, [b], keys);
    expect(after.every(({ by }) => by === "B")).toBe(true);
    for (const [at, { by, epoch }] of before.entries()) {
      if (by === "B") expect(after[at]?.epoch).toBe(epoch);
      else expect(Number(after[at]?.epoch?.split(".")[2])).toBeGreaterThan(keys.length);
    }
    expect(lost).toEqual([{ at: "claim", what: "lost", workerId: "worker-A", clientId: "A", count }]);
    expect(rig.host.counters().claims).toBe(keys.length);
  });

  it("fail the calls that a lost worker had, and hold those for a worker whose channel is to come", async () => {
    await using rig = await start();
    const { workers, caller } = await twoWorkers(rig, shared);
    caller.request("1", "room/k");
    await caller.settled();
    const holder = (await workers[0].settled()).length > 0 ? workers[0] : workers[1];
    holder.stream.cancel();
    expect((await caller.nextResponse()).metadata.agerrorcode).toBe("disconnected");
    await cutOff(holder === workers[0] ? workers[1] : workers[0], caller);
    const late = new RawWorker(rig.dial(), "L", { isAnnounced: true, metadata: { agcaps: "claims" } });
    await late.register("room", shared);
    caller.request("2", "room/k");
    await caller.settled();
    late.open();
    const { requestId, metadata } = await late.nextRequest();
    expect(metadata.agepoch).toBeDefined();
    late.respond(requestId, "here");
    expect((await caller.nextResponse()).requestId).toBe("2");
  });

  it("refuse an owner that does not share the type, and an exclusive type refuses one that does", async () => {
    await using rig = await start();
    const { workers } = await twoWorkers(rig);
    const stock = await new RawWorker(rig.dial(), "S").join();
    await expect(stock.register("room")).rejects.toThrow("Agent type room already registered with client A.");
    await stock.register("desk");
    await expect(workers[0].register("desk", shared)).rejects.toThrow("already registered with client S.");
  });

  it("take equal subscriptions of their workers, and deliver an event once, to the worker of its agent", async () => {
    await using rig = await start();
    const { workers, caller } = await twoWorkers(rig);
    await workers[0].register("audit");
    await workers[0].subscribe("s-audit", exact("news", "audit"));
    for (const worker of workers) await worker.subscribe("s", exact("news", "room"));
    const seen = new Map<string, string[]>();
    for (const source of ["x", "y", "z", "x"]) {
      caller.publish("news", source);
      await caller.settled();
      for (const worker of workers) {
        for (const frame of await worker.settled()) {
          if (frame.kind !== "event") throw new Error(`a ${frame.kind} came`);
          const { agfor } = frame.event.attributes;
          if (worker === workers[1]) expect(agfor).toBeDefined();
          if (agfor !== undefined) seen.set(source, [...(seen.get(source) ?? []), `${worker.clientId} ${agfor}`]);
        }
      }
    }
    expect([...seen].map(([source, got]) => [source, got.length])).toEqual([
      ["x", 2],
      ["y", 1],
      ["z", 1],
    ]);
    expect(new Set(seen.get("x")).size).toBe(1);
    const [{ by, epoch } = { by: "", epoch: "" }] = await callEach(caller, workers, ["room/x"]);
    expect(seen.get("x")?.[0]).toBe(`${by} room=${epoch}`);
  });

  it("never pass on an epoch or recipients that a caller or publisher has written", async () => {
    await using rig = await start();
    const { workers, caller } = await twoWorkers(rig);
    for (const worker of workers) {
      await worker.register(`own-${worker.clientId}`);
      await worker.subscribe(`s-${worker.clientId}`, exact("news", `own-${worker.clientId}`));
    }
    caller.request("1", "room/k", { metadata: { agepoch: "9.9.9", tenant: "acme" } });
    const payload = { typeName: "M", contentType: "application/json", data: new TextEncoder().encode("1") };
    const attributes = { tenant: "acme" };
    const event = { id: "E", topicType: "news", topicSource: "k", sender: undefined, payload, attributes };
    // Our encoder writes no such attribute.
    const peeked = peekFrame(encodeFrame({ kind: "event", event }));
    if (peeked.kind === "event") caller.sendBytes(joinFrame(spliceRecipients(peeked, "room=9.9.9")));
    await caller.settled();
    const frames = [...(await workers[0].settled()), ...(await workers[1].settled())];
    const calls = frames.flatMap((frame) => (frame.kind === "request" ? [frame.metadata] : []));
    expect(calls).toMatchObject([{ tenant: "acme", agepoch: expect.not.stringContaining("9.9.9") }]);
    const events = frames.flatMap((frame) => (frame.kind === "event" ? [frame.event.attributes] : []));
    expect(events).toEqual([{ tenant: "acme" }, { tenant: "acme" }]);
  });

  it("are told a worker in a frame of bounded length, however many and however long their names are", async () => {
    await using rig = await start();
    const worker = await troupeWorker(rig, "A");
    const names = Array.from({ length: 1_100 }, (_, index) => `${index}-`.padEnd(1_000, "x"));
    for (const name of names) {
      await worker.register(name, shared);
      await worker.subscribe(`s-${name.slice(0, 6)}`, exact("news", name));
    }
    worker.publish("news", "k");
    const [event] = (await worker.settled()).flatMap((frame) =>
      frame.kind === "event" ? [frame.event.attributes] : [],
    );
    const told = event?.agfor?.split(",") ?? [];
    expect(event?.agfor?.length).toBeLessThanOrEqual(1024 * 1024);
    expect(told.length).toBeGreaterThan(1_000);
    expect(rig.host.counters().skippedEvents).toBe(names.length - told.length);
  });

  it("belong to the principal of their first worker", async () => {
    const authorize: HostOptions["authorize"] = ({ metadata }) => ({ name: metadata.tenant ?? "acme" });
    await using rig = await start({ authorize });
    const { workers } = await twoWorkers(rig);
    const other = await new RawWorker(rig.dial(), "X", {
      ...{ isAnnounced: true, metadata: { agcaps: "claims", tenant: "other" } },
    }).join();
    await expect(other.register("room", { ...shared, tenant: "other" })).rejects.toThrow(
      "Agent type room already registered.",
    );
    expect(workers).toHaveLength(2);
  });

  it.each([
    ["under its worker id", "X", { agworker: "worker-A" }],
    ["with its worker id for a client id", "worker-A", {}],
    ["with its worker id for both", "worker-A", { agworker: "worker-A" }],
  ])("stay with their worker when another principal's worker comes %s", async (_how, clientId, said) => {
    const authorize: HostOptions["authorize"] = ({ metadata }) => ({ name: metadata.tenant ?? "acme" });
    await using rig = await start({ authorize });
    const { workers, caller } = await twoWorkers(rig);
    const before = await callEach(caller, workers, keys);
    const metadata = { agcaps: "claims", tenant: "other", ...said };
    const impostor = await new RawWorker(rig.dial(), clientId, { isAnnounced: true, metadata }).join();
    expect(await callEach(caller, [impostor, ...workers], keys)).toEqual(before);
    impostor.stream.cancel();
    await impostor.ended;
    expect(await callEach(caller, workers, keys)).toEqual(before);
  });

  it("tell what their labels can't be when a registration is malformed", async () => {
    await using rig = await start();
    const worker = await troupeWorker(rig, "A");
    await expect(worker.register("room", { ...shared, agplacement: "nearest" })).rejects.toThrow('"nearest"');
    await expect(worker.register("room", { ...shared, agrequires: "=x" })).rejects.toThrow("agrequires");
  });
});

describe.each(hostTransports)("the choice of a worker at the host over $name", ({ start }) => {
  it("goes to workers with the required labels only, and says which nobody has", async () => {
    await using rig = await start();
    const terms = { ...shared, agrequires: "gpu=true" };
    const { workers, caller } = await twoWorkers(rig, terms, [{ aglabels: "zone=a" }, { aglabels: "zone=a,gpu=true" }]);
    const reached = await callEach(caller, workers, keys);
    expect(reached.every(({ by }) => by === "B")).toBe(true);
    await cutOff(workers[1], caller);
    caller.request("2", "room/other");
    const { error, metadata } = await caller.nextResponse();
    expect(error).toBe("None of the 1 workers of agent type room has the labels that it requires: gpu=true.");
    expect(metadata).toMatchObject({ agerrorcode: "undeliverable", agnothandled: "1" });
  });

  it.each([
    ["to the newest version alone", "newest", ["B"]],
    ["to every version if the host's option says so", "any", ["A", "B"]],
  ] as const)("goes %s", async (_what, versionPolicy, expected) => {
    await using rig = await start({ versionPolicy });
    const { workers, caller } = await twoWorkers(rig, shared, [{ agversion: "1.9" }, { agversion: "1.10" }]);
    const reached = await callEach(caller, workers, keys);
    expect([...new Set(reached.map(({ by }) => by))].sort()).toEqual(expected);
  });

  it("by hash finds the same worker again after a restart under its name", async () => {
    await using rig = await start();
    const names = [{ agname: "one" }, { agname: "two" }];
    const { workers, caller } = await twoWorkers(rig, shared, names);
    const before = await callEach(caller, workers, keys);
    for (const worker of workers) await cutOff(worker, caller);
    const again = [await troupeWorker(rig, "A2", names[0]), await troupeWorker(rig, "B2", names[1])];
    for (const worker of again) await worker.register("room", shared);
    const after = await callEach(caller, again, keys);
    expect(after.map(({ by }) => by)).toEqual(before.map(({ by }) => `${by}2`));
  });

  it("takes turns, or stays with the caller, as the first worker of the type says", async () => {
    const logger = new RecordingLogger();
    await using rig = await start({ logger, placement: "least-loaded" });
    const { workers, caller } = await twoWorkers(rig, { ...shared, agplacement: "round-robin" });
    const reached = await callEach(caller, workers, keys.slice(0, 4));
    expect(reached.map(({ by }) => by)).toEqual(["A", "B", "A", "B"]);
    for (const worker of workers) await worker.register("near", { ...shared, agplacement: "prefer-local" });
    for (const target of ["near/1", "near/2"]) {
      workers[1].request("own", target);
      workers[1].respond((await workers[1].nextRequest()).requestId, "here");
      await workers[1].nextResponse();
    }
    const third = await troupeWorker(rig, "D");
    await third.register("room", { ...shared, agplacement: "hash" });
    const lines = logger.lines.filter(({ text }) => text.startsWith("a worker shares an agent type under other terms"));
    expect(lines).toMatchObject([{ level: "warn", fields: { agentType: "room", clientId: "D" } }]);
  });

  it("refuses agents beyond maxClaims as overloaded, and leaves a third to other addresses", async () => {
    await using rig = await start({ maxClaims: 6 });
    const { workers, caller } = await twoWorkers(rig);
    await callEach(caller, workers, keys.slice(0, 4));
    caller.request("5", "room/5");
    const { metadata, error } = await caller.nextResponse();
    expect(metadata).toMatchObject({ agerrorcode: "overloaded", agnothandled: "1" });
    expect(error).toContain("maxClaims: 6");
    expect(rig.host.counters()).toMatchObject({ claims: 4, refusedClaims: 1 });
    await cutOff(workers[0], caller);
    expect((await callEach(caller, [workers[1]], ["room/0"])).map(({ by }) => by)).toEqual(["B"]);
  });

  it("keeps a worker's agents while it changes its connection", async () => {
    await using rig = await start();
    const { workers, caller } = await twoWorkers(rig);
    const before = await callEach(caller, workers, keys);
    const next = await troupeWorker(rig, "A2", { agworker: "worker-A" });
    await next.register("room", shared);
    workers[0].send({ kind: "leaving", graceMs: 0 });
    await workers[0].settled();
    const after = await callEach(caller, [next, workers[1]], keys);
    expect(after).toEqual(before.map(({ by, epoch }) => ({ by: by === "A" ? "A2" : by, epoch })));
  });
});

describe.each(hostTransports)("stock workers that share types at the host over $name", ({ start }) => {
  const sharedTypes = ["writer", "editor*"];

  async function twoStock(rig: HostRig, types: readonly string[]) {
    const workers = [await new RawWorker(rig.dial(), "P").join(), await new RawWorker(rig.dial(), "Q").join()] as const;
    for (const worker of workers) {
      for (const type of types) {
        await worker.register(type);
        await worker.subscribe(`${worker.clientId}-${type}`, exact("news", type));
      }
      await worker.register(`here-${worker.clientId}`);
    }
    const caller = await new RawWorker(rig.dial(), "C").join();
    return { workers, caller };
  }

  it("have all agents of one key in one worker, also those of an event, which has its own bytes", async () => {
    await using rig = await start({ sharedTypes });
    const { workers, caller } = await twoStock(rig, ["writer", "editor-1"]);
    for (let key = 0; key < 8; key += 1) {
      const reached = await callEach(caller, workers, [`writer/${key}`, `editor-1/${key}`]);
      expect(reached[0]).toEqual(reached[1]);
      expect(reached[0]?.epoch).toBeUndefined();
      caller.publish("news", String(key));
      await caller.settled();
      const holder = workers.find(({ clientId }) => clientId === reached[0]?.by) ?? caller;
      const { bytes } = await holder.nextArrived();
      const event = {
        id: "E",
        topicType: "news",
        topicSource: String(key),
        sender: undefined,
        payload: textPayload("E"),
      };
      expect(Buffer.from(bytes)).toEqual(
        Buffer.from(encodeFrame({ kind: "event", event: { ...event, attributes: {} } })),
      );
      for (const worker of workers) expect(await worker.settled()).toEqual([]);
    }
    expect(rig.host.counters()).toMatchObject({ claims: 0, splitUnits: 0 });
  });

  it("stay where they are when another worker comes, and go on elsewhere when theirs leaves", async () => {
    await using rig = await start({ sharedTypes });
    const { workers, caller } = await twoStock(rig, ["writer"]);
    const agents = keys.map((key) => key.replace("room", "writer"));
    const before = await callEach(caller, workers, agents);
    const third = await new RawWorker(rig.dial(), "R").join();
    await third.register("writer");
    expect(await callEach(caller, [...workers, third], agents)).toEqual(before);
    await cutOff(workers[0], caller);
    const after = await callEach(caller, [workers[1], third], agents);
    for (const [at, { by }] of before.entries()) if (by === "Q") expect(after[at]?.by).toBe("Q");
  });

  it("are warned of where no worker serves all types of a unit", async () => {
    const logger = new RecordingLogger();
    await using rig = await start({ sharedTypes, logger });
    const p = await new RawWorker(rig.dial(), "P").join();
    const q = await new RawWorker(rig.dial(), "Q").join();
    for (const type of ["writer", "editor-1"]) await p.register(type);
    for (const type of ["editor-1", "editor-2"]) await q.register(type);
    const caller = await new RawWorker(rig.dial(), "C").join();
    expect(await callEach(caller, [p, q], ["writer/k", "editor-2/k", "editor-1/k"])).toHaveLength(3);
    expect(rig.host.counters().splitUnits).toBe(1);
    expect(logger.lines.filter(({ text }) => text.includes("an agent may live in two workers"))).toHaveLength(1);
  });

  it("are warned of once where one serves an exclusive type beside shared ones", async () => {
    const logger = new RecordingLogger();
    await using rig = await start({ sharedTypes, logger });
    const p = await new RawWorker(rig.dial(), "P").join();
    for (const type of ["desk", "writer", "table", "editor-1"]) await p.register(type);
    const lines = logger.lines.filter(({ text }) => text.includes("beside exclusive ones"));
    expect(lines).toMatchObject([{ level: "warn", fields: { clientId: "P", shared: ["writer"] } }]);
  });

  it("share a type with a Troupe worker, which is told the epoch", async () => {
    await using rig = await start({ sharedTypes });
    const p = await new RawWorker(rig.dial(), "P").join();
    await p.register("writer");
    const t = await troupeWorker(rig, "T");
    await t.register("writer", shared);
    const caller = await new RawWorker(rig.dial(), "C").join();
    const agents = keys.map((key) => key.replace("room", "writer"));
    const reached = await callEach(caller, [p, t], agents);
    for (const { by, epoch } of reached) expect(epoch === undefined).toBe(by === "P");
    expect(new Set(reached.map(({ by }) => by)).size).toBe(2);
    expect(await callEach(caller, [p, t], agents)).toEqual(reached);
  });
});

it("shared types exclude several owners of whole types", async () => {
  const [transport] = hostTransports;
  const options = { sharedTypes: ["a"], allowMultipleOwners: true };
  await expect(async () => transport?.start(options)).rejects.toThrow("sharedTypes and allowMultipleOwners");
});
