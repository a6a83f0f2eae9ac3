import { describe, expect, it } from "vitest";
import { clusterTransports } from "../../../support/cluster-rig.ts";
import { connection, status, statusOf } from "../../../support/cluster-worker.ts";
import { RawWorker } from "../../../support/raw-worker.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

const [memory] = clusterTransports;
if (memory === undefined) throw new Error("There are memory links.");
const { start } = memory;

/** Asks for a lease; returns the milliseconds of the answer. */
async function askForLease(worker: RawWorker, seq: number): Promise<number> {
  worker.send({ kind: "heartbeat", seq, isAnswer: false, leaseMs: 0 });
  for (;;) {
    const frame = await worker.next();
    if (frame.kind === "heartbeat" && frame.isAnswer && frame.seq === seq) return frame.leaseMs;
  }
}

describe("a host of a cluster", () => {
  it("names the capability lease, and a lone host does not", async () => {
    await using rig = await start();
    const worker = connection(rig.one, { workerId: "w", session: 1 }).open();
    expect((await worker.responseMetadata()).agcaps?.split(",")).toContain("lease");
  });

  it("gives a worker a lease that ends before its own", async () => {
    const clock = new SteppedClock();
    await using rig = await start({ host: { clock } });
    const worker = await connection(rig.one, { workerId: "w", session: 1 }).join();
    expect(await askForLease(worker, 1)).toBe(3_000);
    // No renewal of the host's own lease is answered any more.
    const stores = rig.store;
    const write = stores.write.bind(stores);
    stores.write = async (...args) => (args[0].startsWith("host.") ? { at: "unknown" } : await write(...args));
    await clock.pass(17_000);
    const left = await askForLease(worker, 2);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(3_000);
  });

  it("gives none to a worker whose newer channel is at another host, nor to one that knows no leases", async () => {
    await using rig = await start();
    const first = await connection(rig.one, { workerId: "w", session: 1 }).join();
    first.send({ kind: "leaving", graceMs: 1_000 });
    const next = await connection(rig.two, { workerId: "w", session: 2 }).join();
    expect(await askForLease(next, 1)).toBe(3_000);
    expect(await askForLease(first, 1)).toBe(0);
    const plain = new RawWorker(rig.one.dial(), "P", { isAnnounced: true, metadata: { agcaps: "heartbeat" } });
    expect(await askForLease(await plain.join(), 1)).toBe(0);
  });

  it("tells a worker to which hosts it may connect, when it has joined and when that changes", async () => {
    await using rig = await start();
    const worker = await connection(rig.one, { workerId: "w", session: 1 }).open();
    const known = new Set<string>();
    const heard = async (): Promise<void> => {
      const frame = await worker.next();
      if (frame.kind !== "hosts") return;
      known.clear();
      for (const address of frame.addresses) known.add(address);
    };
    while (known.size < 2) await heard();
    expect(known).toEqual(new Set([rig.one.host.address, rig.two.host.address]));
    const three = await rig.add();
    while (!known.has(three.host.address)) await heard();
    await three.host.stop();
    while (known.has(three.host.address)) await heard();
  });

  it("says void to a worker that is gone for its cluster", async () => {
    await using rig = await start();
    const worker = await connection(rig.one, { workerId: "w", session: 1 }).join();
    const entry = await rig.store.read("worker.w");
    if (entry === undefined || entry === "unknown") throw new Error("The worker has no record.");
    const record = JSON.parse(new TextDecoder().decode(entry.value));
    await rig.store.write(
      "worker.w",
      new TextEncoder().encode(JSON.stringify({ ...record, state: "gone" })),
      entry.revision,
    );
    for (;;) if ((await worker.next()).kind === "void") break;
    expect(await statusOf(worker)).toMatchObject({ code: status.aborted, details: expect.stringMatching(/^void: /) });
  });
});

describe("a worker that moves to another host", () => {
  it("hears last behind what it was sent, and answers on its old channel", async () => {
    await using rig = await start();
    const old = await connection(rig.one, { workerId: "w", session: 1, capabilities: "" }).join();
    await old.register("writer");
    const moving = connection(rig.one, { workerId: "m", session: 1 });
    await moving.join();
    await moving.register("editor");
    const caller = await new RawWorker(rig.two.dial(), "C").join();
    caller.request("1", "editor/k");
    const { requestId } = await moving.nextRequest();
    moving.send({ kind: "moving" });
    for (;;) if ((await moving.next()).kind === "last") break;
    caller.request("2", "editor/k");
    const next = await connection(rig.two, { workerId: "m", session: 2 }).join();
    await next.register("editor");
    expect(await next.nextRequest()).toMatchObject({ target: { type: "editor" } });
    moving.respond(requestId, "from the old channel");
    expect(await caller.nextResponse()).toMatchObject({ requestId: "1", error: "" });
  });

  it("gets each call that was on its way when it moved, at its next host", async () => {
    await using rig = await start({ count: 3 });
    const [, , third] = rig.hosts;
    if (third === undefined) throw new Error("There are three hosts.");
    let worker = await connection(rig.one, { workerId: "m", session: 1 }).join();
    await worker.register("editor");
    const caller = await new RawWorker(third.dial(), "C").join();
    let sent = 0;
    const answered = new Set<string>();
    const call = (): void => {
      sent += 1;
      caller.request(String(sent), "editor/k");
    };
    for (let session = 2; session <= 6; session += 1) {
      for (let number = 0; number < 20; number += 1) call();
      worker.send({ kind: "moving" });
      for (let number = 0; number < 20; number += 1) call();
      const old = worker;
      for (;;) {
        const frame = await old.next();
        if (frame.kind === "last") break;
        if (frame.kind === "request") old.respond(frame.requestId, "answer");
      }
      worker = await connection(session % 2 === 0 ? rig.two : rig.one, { workerId: "m", session }).join();
      await worker.register("editor");
    }
    const serve = (async () => {
      for (;;) {
        const frame = await worker.next();
        if (frame.kind === "request") worker.respond(frame.requestId, "answer");
      }
    })();
    while (answered.size < sent) {
      const { requestId, error } = await caller.nextResponse();
      expect(error).toBe("");
      answered.add(requestId);
    }
    caller.stream.cancel();
    void serve;
  });
});
