import { describe, expect, it } from "vitest";
import type { CallContext } from "../../../../src/transport/index.ts";
import { clusterTransports } from "../../../support/cluster-rig.ts";
import { connection, status, statusOf } from "../../../support/cluster-worker.ts";
import { RawWorker, textOf } from "../../../support/raw-worker.ts";
import { StalledCoordination } from "../../../support/stalled-coordination.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

describe.each(clusterTransports)("two hosts of a cluster over $name", ({ start }) => {
  it("carry a call from a worker of one to a worker of the other, and the answer back", async () => {
    await using rig = await start();
    const target = await new RawWorker(rig.two.dial(), "T").join();
    await target.register("echo");
    const caller = await new RawWorker(rig.one.dial(), "C").join();
    caller.request("7", "echo/k");
    const request = await target.nextRequest();
    target.respond(request.requestId, "hello");
    const answer = await caller.nextResponse();
    expect([answer.requestId, textOf(answer)]).toEqual(["7", "hello"]);
  });

  it("carry events from a publisher of one to subscribers of both", async () => {
    await using rig = await start();
    const workers = await Promise.all(
      [rig.one, rig.two].map((host, index) => new RawWorker(host.dial(), `W${index}`).join()),
    );
    for (const [index, worker] of workers.entries()) {
      await worker.register(`type-${index}`);
      await worker.subscribe(`s${index}`, { kind: "type", topicType: "news", agentType: `type-${index}` });
    }
    const publisher = await new RawWorker(rig.one.dial(), "P").join();
    publisher.publish("news", "default", "e1");
    for (const worker of workers) expect((await worker.nextEvent()).id).toBe("e1");
  });

  it("let one worker of the cluster serve a type, and another one as soon as it has left", async () => {
    await using rig = await start();
    const first = await new RawWorker(rig.one.dial(), "F").join();
    await first.register("writer");
    const second = await new RawWorker(rig.two.dial(), "S").join();
    await expect(second.register("writer")).rejects.toThrow("Agent type writer already registered with client F.");
    first.stream.cancel();
    await second.takeOver("writer");
    const caller = await new RawWorker(rig.one.dial(), "C").join();
    caller.request("1", "writer/k");
    expect(await second.nextRequest()).toMatchObject({ target: { type: "writer", key: "k" } });
  });
});

const [memory] = clusterTransports;
if (memory === undefined) throw new Error("There are memory links.");
const { start } = memory;

describe("a registration at a host of a cluster", () => {
  /** Two hosts, of which the second one knows that the channel of the worker with the type has ended. */
  async function whereOneHasLeft(rejoinGraceMs: number) {
    const rig = await start({ cluster: { rejoinGraceMs } });
    const metadata = (session: number) => ({ agcaps: "claims,turns", agworker: "W", agsession: String(session) });
    const join = (session: number) =>
      new RawWorker(rig.one.dial(), `W-${session}`, { isAnnounced: true, metadata: metadata(session) }).join();
    const worker = await join(1);
    await worker.register("writer");
    const next = await new RawWorker(rig.two.dial(), "S").join();
    next.request("1", "writer/k");
    await worker.nextRequest();
    worker.stream.cancel();
    // The other host says that the channel has ended before it answers the call.
    expect(await next.nextResponse()).toMatchObject({ metadata: { agerrorcode: "disconnected" } });
    return { rig, next, join };
  }

  it("waits while the worker that has the type leaves another host", async () => {
    const { rig, next } = await whereOneHasLeft(100);
    await using _ = rig;
    await next.register("writer");
    const caller = await new RawWorker(rig.one.dial(), "C").join();
    caller.request("2", "writer/k");
    expect(await next.nextRequest()).toMatchObject({ target: { type: "writer", key: "k" } });
  });

  it("is refused when the worker that has the type comes back", async () => {
    const { rig, next, join } = await whereOneHasLeft(60_000);
    await using _ = rig;
    const registered = next.register("writer");
    await join(2);
    await expect(registered).rejects.toThrow("Agent type writer already registered with client");
  });
});

describe("a worker that opens its data channel at a host of a cluster", () => {
  it("is heard when it has joined: what it sent and registered before waits", async () => {
    const stores: StalledCoordination[] = [];
    await using rig = await start({
      storeOf: (store) => {
        const own = new StalledCoordination(store);
        stores.push(own);
        return own;
      },
    });
    const target = await new RawWorker(rig.two.dial(), "T").join();
    await target.register("echo");
    const goOn = stores[0]?.hold();
    const caller = new RawWorker(rig.one.dial(), "C").open();
    caller.request("1", "echo/k");
    const registered = caller.register("own").then(() => rig.one.host.counters().channels);
    const other = await new RawWorker(rig.two.dial(), "O").join();
    expect(await target.settled()).toEqual([]);
    expect(rig.one.host.counters()).toMatchObject({ channels: 0, calls: 0 });
    goOn?.();
    expect(await target.nextRequest()).toMatchObject({ target: { type: "echo", key: "k" } });
    expect(await registered).toBe(1);
    other.request("2", "own/k");
    expect(await caller.nextRequest()).toMatchObject({ target: { type: "own", key: "k" } });
  });

  it("is refused as unavailable when it can't join within 10 s, and so is what it registers", async () => {
    const clock = new SteppedClock();
    const stores: StalledCoordination[] = [];
    await using rig = await start({
      host: { clock },
      storeOf: (store) => {
        const own = new StalledCoordination(store);
        stores.push(own);
        return own;
      },
    });
    stores[0]?.hold();
    const worker = new RawWorker(rig.one.dial(), "W").open();
    const registered = worker.register("own").catch((error: unknown) => error);
    // The host has both by then.
    await worker.subscriptions();
    clock.advance(9_999);
    expect(rig.one.host.counters().channels).toBe(0);
    clock.advance(1);
    expect(await statusOf(worker)).toMatchObject({ code: status.unavailable });
    expect(await registered).toMatchObject({ message: expect.stringContaining("data channel did not come in time") });
  });

  it("joins under its next session number at another host, and the channel before is ended", async () => {
    await using rig = await start();
    const first = await connection(rig.one, { workerId: "w", session: 1 }).join();
    await connection(rig.two, { workerId: "w", session: 2 }).join();
    expect(await statusOf(first)).toMatchObject({ code: status.aborted, details: "replaced by a newer channel" });
  });

  it("keeps its agent type when it goes to another host", async () => {
    await using rig = await start();
    const first = await connection(rig.one, { workerId: "w", session: 1 }).join();
    await first.register("writer");
    const next = await connection(rig.two, { workerId: "w", session: 2 }).join();
    await statusOf(first);
    const other = await new RawWorker(rig.one.dial(), "O").join();
    await expect(other.register("writer")).rejects.toThrow("Agent type writer already registered with client w-");
    await next.register("writer");
    other.request("1", "writer/k");
    expect(await next.nextRequest()).toMatchObject({ target: { type: "writer", key: "k" } });
  });

  it("keeps its older channel at the same host, for the answers that it owes there", async () => {
    await using rig = await start();
    const first = await connection(rig.one, { workerId: "w", session: 1 }).join();
    await first.register("writer");
    const caller = await new RawWorker(rig.two.dial(), "C").join();
    caller.request("1", "writer/k");
    const { requestId } = await first.nextRequest();
    await connection(rig.one, { workerId: "w", session: 2 }).join();
    first.respond(requestId, "late");
    expect(textOf(await caller.nextResponse())).toBe("late");
  });

  it("is refused when it has a newer channel, and when it is gone", async () => {
    await using rig = await start();
    await connection(rig.one, { workerId: "w", session: 3, clientId: "never" }).open().ended;
    await connection(rig.one, { workerId: "w", session: 1 }).join();
    await connection(rig.one, { workerId: "w", session: 2 }).join();
    const old = connection(rig.two, { workerId: "w", session: 2, clientId: "old" }).open();
    expect(await statusOf(old)).toMatchObject({ code: status.aborted, details: "replaced by a newer channel" });
    const gone = connection(rig.two, { workerId: "x", session: 2 }).open();
    expect(await statusOf(gone)).toMatchObject({ code: status.aborted, details: expect.stringMatching(/^void: /) });
  });

  it("is refused under the worker id of another principal", async () => {
    const authorize = ({ metadata }: CallContext) => ({ name: metadata.authorization ?? "nobody" });
    await using rig = await start({ host: { authorize } });
    await connection(rig.one, { workerId: "w", session: 1, metadata: { authorization: "alice" } }).join();
    const thief = connection(rig.two, { workerId: "w", session: 2, metadata: { authorization: "bob" } }).open();
    expect(await statusOf(thief)).toMatchObject({
      code: status.permissionDenied,
      details: expect.stringContaining("A worker of another principal"),
    });
  });

  it("ends the channel that a stock worker of the same client id has at another host", async () => {
    await using rig = await start();
    const first = await new RawWorker(rig.one.dial(), "W").join();
    const second = await new RawWorker(rig.two.dial(), "W").join();
    expect(await statusOf(first)).toMatchObject({ code: status.aborted, details: "replaced by a newer channel" });
    await second.register("writer");
  });

  it("registers a type at once that a worker had which has just left the same host", async () => {
    const stores: StalledCoordination[] = [];
    await using rig = await start({
      storeOf: (store) => {
        const own = new StalledCoordination(store);
        stores.push(own);
        return own;
      },
    });
    const first = await new RawWorker(rig.one.dial(), "F").join();
    await first.register("writer");
    const second = await new RawWorker(rig.one.dial(), "S").join();
    // The cluster does not know yet that the first one is gone.
    const goOn = stores[0]?.hold({ writesOnly: true });
    first.stream.end();
    await first.ended;
    const registered = second.register("writer");
    await second.settled();
    goOn?.();
    await registered;
  });
});
