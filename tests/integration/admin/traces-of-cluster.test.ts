import { expect, test } from "vitest";
import * as z from "zod";
import type { StoryAnswer, TracePage } from "../../../src/admin/internal.ts";
import { AgentId, defineMessage, RoutedAgent, rpc } from "../../../src/core/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { clusterTransports } from "../../support/cluster-rig.ts";
import { Opened } from "../../support/opened.ts";
import { recordedTracing, tracesGoOn } from "../../support/page/traced.ts";
import { EntryRig } from "./admin-rig.ts";

const Plan = defineMessage("PlanOfCluster", z.object({}));
const Write = defineMessage("WriteOfCluster", z.object({}));
const Check = defineMessage("CheckOfCluster", z.object({}));

class Planner extends RoutedAgent {
  @rpc(Plan)
  async plan() {
    await this.sendMessage(Write({}), new AgentId("writer", "7"));
  }
}

class Writer extends RoutedAgent {
  @rpc(Write)
  async write() {
    await this.sendMessage(Check({}), new AgentId("checker", "1"));
  }
}

class Checker extends RoutedAgent {
  @rpc(Check)
  check() {}
}

tracesGoOn();

const [transport] = clusterTransports;

test("a trace that crosses hosts is told whole by each of them, and a call from host to host once", async () => {
  await using opened = new Opened();
  if (transport === undefined) throw new Error("There are memory links.");
  const rig = opened.use(await transport.start({}));
  const entries = [opened.use(await EntryRig.open(rig.one.host)), opened.use(await EntryRig.open(rig.two.host))];
  const workerAt = async (address: string) => {
    const worker = opened.use(new WorkerRuntime({ dialer: rig.dialer, address, tracing: recordedTracing() }));
    await worker.start();
    return worker;
  };
  const [first, second] = [await workerAt(rig.one.host.address), await workerAt(rig.two.host.address)];
  await Planner.register(first, "planner", () => new Planner("planner"));
  await Writer.register(second, "writer", () => new Writer("writer"));
  await Checker.register(first, "checker", () => new Checker("checker"));
  const list = (entry: EntryRig | undefined) => entry?.client.ask<TracePage>("GET", "/v1/traces");
  // The question begins the keeping at all hosts.
  expect(await list(entries[0])).toEqual({ rows: [], next: null, unanswered: [] });
  await first.sendMessage(Plan({}), new AgentId("planner", "p"));
  for (const entry of entries) {
    const rows = (await list(entry))?.rows ?? [];
    expect(rows).toMatchObject([{ calls: 3, events: 0, failed: 0 }]);
    expect(new Set(rows[0]?.hosts.map(({ hostId }) => hostId)).size).toBe(2);
    const story = await entry.client.ask<StoryAnswer>("GET", "/v1/trace", { id: rows[0]?.traceId ?? "" });
    expect(story).toMatchObject({ isCut: false, unanswered: [] });
    expect(story.hops.map((hop) => [hop.parent, hop.sender, hop.type, hop.outcome])).toEqual([
      [null, null, "planner", "answered"],
      [0, "planner/p", "writer", "answered"],
      [1, "writer/7", "checker", "answered"],
    ]);
    const [one, , other] = story.hops.map(({ host }) => host?.hostId);
    expect(one).not.toBe(other);
  }
});
