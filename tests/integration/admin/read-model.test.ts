import { describe, expect, test } from "vitest";
import type { CallRow, FailurePage, SessionRow, TopicRow, TypeRow } from "../../../src/admin/internal.ts";
import { operationsOf } from "../../../src/host/internal.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import { AdminRig } from "./admin-rig.ts";

interface Rows<Row> {
  readonly rows: readonly Row[];
  readonly next: string | null;
}

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/** A host with a worker of two types and a caller. */
async function rigWithWorkers(clock?: ManualClock) {
  const rig = await AdminRig.open({
    ...(clock && { clock }),
    authorize: ({ metadata }) => ({ name: metadata["client-id"] ?? "" }),
  });
  const link = rig.dial();
  const worker = await new RawWorker(link, "worker", { isAnnounced: true }).join();
  for (const type of ["writer", "editor"]) await worker.register(type);
  await worker.subscribe("s1", { kind: "type", topicType: "news", agentType: "writer" });
  await worker.subscribe("s2", { kind: "prefix", topicTypePrefix: "audit.", agentType: "editor" });
  const caller = await new RawWorker(link, "caller", { isAnnounced: true }).join();
  const page = <Row>(path: string, query = {}) => rig.client.ask<Rows<Row>>("GET", path, query);
  return { rig, link, worker, caller, page };
}

describe("an operator sees", () => {
  test("sessions with principal, address and queues, types with their owners, and subscriptions, each filtered", async () => {
    const { rig, link, page } = await rigWithWorkers();
    await using _rig = rig;
    const { rows: sessions } = await page<SessionRow>("/v1/sessions", { limit: 1 });
    expect(sessions).toMatchObject([{ clientId: "caller", principal: "caller", queuedBytes: 0, types: [] }]);
    const { rows: later, next } = await page<SessionRow>("/v1/sessions", {
      after: (await page("/v1/sessions", { limit: 1 })).next ?? "",
    });
    expect([later.map(({ clientId }) => clientId), next]).toEqual([["worker"], null]);
    const named = await page<SessionRow>("/v1/sessions", { principal: "worker", type: "writer" });
    expect(named.rows).toMatchObject([{ clientId: "worker", address: expect.any(String), subscriptionCount: 2 }]);
    expect((await page("/v1/sessions", { principal: "nobody" })).rows).toEqual([]);
    expect((await page<TypeRow>("/v1/types")).rows).toEqual([
      { type: "editor", owners: ["worker"], host: null },
      { type: "writer", owners: ["worker"], host: null },
    ]);
    const topics = await page<TopicRow>("/v1/topics");
    expect(topics.rows).toMatchObject([
      { id: "s1", type: "writer", topic: "news", clientId: "worker", principal: "worker" },
      { id: "s2", type: "editor", topic: "audit.*", clientId: "worker", principal: "worker" },
    ]);
    expect((await page<TopicRow>("/v1/topics", { topic: "audit.*" })).rows).toHaveLength(1);
    expect(await rig.client.ask("GET", "/v1/counters")).toMatchObject({ counters: { channels: 2, agentTypes: 2 } });
    expect(await rig.client.ask("GET", "/v1/configuration")).toEqual({ settings: { callTimeoutMs: 300_000 } });
    await link.close();
  });

  test("calls under way with their age, path and trace, oldest first, page after page", async () => {
    const clock = new ManualClock();
    const { rig, link, worker, caller, page } = await rigWithWorkers(clock);
    await using _rig = rig;
    const metadata = { traceparent, agpath: "t1@outer/a,t2@inner/b" };
    caller.request("1", "writer/x", { metadata });
    await worker.nextRequest();
    clock.advance(1_000);
    for (const id of ["2", "3"]) {
      caller.request(id, "editor/y");
      await worker.nextRequest();
    }
    const first = await page<CallRow>("/v1/calls", { limit: 2 });
    expect(first.rows).toMatchObject([
      {
        ...{ type: "writer", key: "x", callerId: "caller", principal: "caller", targetId: "worker", ageMs: 1_000 },
        ...{ path: ["outer/a", "inner/b"], traceId: "0af7651916cd43dd8448eb211c80319c", isStuck: false },
      },
      { type: "editor", key: "y", ageMs: 0, path: [], traceId: null },
    ]);
    const rest = await page<CallRow>("/v1/calls", { limit: 2, after: first.next ?? "" });
    expect([rest.rows.length, rest.next]).toEqual([1, null]);
    expect((await page<CallRow>("/v1/calls", { minAgeMs: 500 })).rows).toHaveLength(1);
    expect((await page<CallRow>("/v1/calls", { type: "editor", key: "y", client: "worker" })).rows).toHaveLength(2);
    await link.close();
  });

  test("recent failures, newest first, with the trace that the caller records", async () => {
    const { rig, link, worker, caller, page } = await rigWithWorkers();
    await using _rig = rig;
    caller.request("1", "nobody-serves/x");
    await caller.nextResponse();
    caller.request("2", "writer/x", { metadata: { traceparent } });
    await worker.nextRequest();
    worker.stream.end();
    await caller.nextResponse();
    const { rows, forgotten } = await rig.client.ask<FailurePage>("GET", "/v1/failures", { kind: "call" });
    // Before them, both workers have called an agent that is not there.
    expect(rows.slice(0, 2)).toMatchObject([
      { type: "writer", key: "x", clientId: "caller", traceId: "0af7651916cd43dd8448eb211c80319c" },
      { type: null, clientId: "caller", detail: expect.stringMatching(/nobody-serves$/) },
    ]);
    expect(forgotten).toBe(0);
    const [newest] = rows;
    const older = await page("/v1/failures", { kind: "call", limit: 1 });
    expect(older.rows).toEqual([newest]);
    expect((await page("/v1/failures", { kind: "call", limit: 1, after: older.next ?? "" })).rows).toEqual([rows[1]]);
    expect((await page("/v1/failures", { type: "editor" })).rows).toEqual([]);
    await link.close();
  });
});

test("a host whose admin entry is open makes nothing for calls and events that succeed", async () => {
  const { rig, link, worker, caller } = await rigWithWorkers();
  await using _rig = rig;
  const operations = operationsOf(rig.host.servicer);
  const [seen, heard]: [string[], string[]] = [[], []];
  const succeed = async (): Promise<void> => {
    caller.request("1", "writer/x");
    worker.respond((await worker.nextRequest()).requestId, "fine");
    await caller.nextResponse();
    caller.publish("news", "s");
    await worker.nextEvent();
  };
  const end = operations.observe((what) => void seen.push(what.at), "failures");
  await succeed();
  // Nor does it hear of them because another one wants to.
  const endOther = operations.observe((what) => void heard.push(what.at));
  await succeed();
  endOther();
  end();
  expect([seen, heard]).toEqual([[], ["call", "event"]]);
  await link.close();
});
