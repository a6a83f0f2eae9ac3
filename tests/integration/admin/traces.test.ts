import { describe, expect, test } from "vitest";
import * as z from "zod";
import type { StoryAnswer, TraceRow } from "../../../src/admin/internal.ts";
import { AgentId, defineMessage, RoutedAgent, rpc, TopicId } from "../../../src/core/index.ts";
import { accessRules, tokenAuthenticator } from "../../../src/security/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { httpsGet } from "../../support/http/https-get.ts";
import { recordedTracing, tracesGoOn } from "../../support/page/traced.ts";
import { TestAuthority } from "../../support/security/authority.ts";
import { AdminRig } from "./admin-rig.ts";

const Plan = defineMessage("TracedPlan", z.object({}));
const Write = defineMessage("TracedWrite", z.object({}));

/** Has something written, and publishes that it is done. */
class Planner extends RoutedAgent {
  @rpc(Plan)
  async plan() {
    await this.sendMessage(Write({}), new AgentId("writer", "7"));
    await this.publishMessage(Write({}), new TopicId("done", "here"));
  }
}

class Writer extends RoutedAgent {
  readonly #gate: Gate;

  constructor(gate: Gate) {
    super("writer");
    this.#gate = gate;
  }

  @rpc(Write)
  async write() {
    await this.#gate.opened;
  }
}

tracesGoOn();

interface TracePage {
  readonly rows: readonly TraceRow[];
}

async function open(entry: Parameters<typeof AdminRig.open>[1] = {}) {
  const rig = await AdminRig.open({}, entry);
  const gate = new Gate();
  const options = { dialer: rig.dialer, address: "host:1", tracing: recordedTracing() };
  const worker = new WorkerRuntime(options);
  await worker.start();
  await Planner.register(worker, "planner", () => new Planner("planner"));
  await Writer.register(worker, "writer", () => new Writer(gate));
  return { rig, gate, worker };
}

describe("/v1/trace", () => {
  test("tells the calls and events of one trace as a tree, those under way among them", async () => {
    const { rig, gate, worker } = await open();
    await using _rig = rig;
    await using _worker = worker;
    const list = async () => (await rig.client.ask<TracePage>("GET", "/v1/traces")).rows;
    const story = (id: string) => rig.client.ask<StoryAnswer>("GET", "/v1/trace", { id });
    expect(await list()).toEqual([]);
    const planned = worker.sendMessage(Plan({}), new AgentId("planner", "p"));
    let calls = await rig.client.ask<{ rows: { traceId: string }[] }>("GET", "/v1/calls", { type: "writer" });
    while (calls.rows.length === 0)
      calls = await rig.client.ask<{ rows: { traceId: string }[] }>("GET", "/v1/calls", { type: "writer" });
    const id = calls.rows[0]?.traceId ?? "";
    const about = ({ hops }: StoryAnswer) =>
      hops.map((hop) => [hop.parent, hop.sender, hop.type ?? hop.topic, hop.outcome]);
    expect(about(await story(id))).toEqual([
      [null, null, "planner", "under way"],
      [0, "planner/p", "writer", "under way"],
    ]);
    gate.open();
    await planned;
    expect(about(await story(id))).toEqual([
      [null, null, "planner", "answered"],
      [0, "planner/p", "writer", "answered"],
      [0, "planner/p", "done", "delivered"],
    ]);
    expect(await list()).toMatchObject([{ traceId: id, calls: 2, events: 1, failed: 0, first: "planner/p" }]);
    await expect(story("0")).rejects.toMatchObject({ code: "not-found" });
  });

  test("tells nothing that was not asked for, and nothing of senders that record no trace", async () => {
    const { rig, gate, worker } = await open();
    await using _rig = rig;
    await using _worker = worker;
    gate.open();
    await using silent = new WorkerRuntime({ dialer: rig.dialer, address: "host:1" });
    await silent.start();
    await worker.sendMessage(Plan({}), new AgentId("planner", "p"));
    const list = async () => (await rig.client.ask<TracePage>("GET", "/v1/traces")).rows;
    expect(await list()).toEqual([]);
    await silent.sendMessage(Write({}), new AgentId("writer", "1"));
    expect(await list()).toEqual([]);
    await worker.sendMessage(Write({}), new AgentId("writer", "2"));
    expect(await list()).toMatchObject([{ first: "writer/2" }]);
  });

  test("tells a principal nothing of agents and topics that it may not see", async () => {
    const authority = await TestAuthority.create();
    const authenticator = tokenAuthenticator({ text: "viewer token-of-viewer-0123456789" });
    const rules = accessRules([{ principal: "*", allow: "see", types: "writer" }]);
    const tls = await authority.server();
    const { rig, gate, worker } = await open({ open: { host: "127.0.0.1", port: 0, tls, authenticator, rules } });
    await using _rig = rig;
    await using _worker = worker;
    gate.open();
    const headers = { authorization: "Bearer token-of-viewer-0123456789" };
    const ask = async (path: string) =>
      JSON.parse((await httpsGet(`${rig.entry.openUrl}${path}`, authority.ca, headers)).text);
    expect(await ask("/v1/traces")).toEqual({ rows: [], next: null, unanswered: [] });
    await worker.sendMessage(Plan({}), new AgentId("planner", "p"));
    const { rows } = await ask("/v1/traces");
    expect(rows).toMatchObject([{ calls: 1, events: 0, first: "writer/7" }]);
    const { hops } = await ask(`/v1/trace?id=${rows[0].traceId}`);
    expect(hops).toMatchObject([{ type: "writer", key: "7", parent: null, sender: "hidden", startMs: 0 }]);
    expect(JSON.stringify(hops)).not.toMatch(/planner|done/);
  });
});
