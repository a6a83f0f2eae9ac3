import { describe, expect, test } from "vitest";
import { AgentId } from "../../../src/core/index.ts";
import type { Suite } from "./world.ts";

const id = new AgentId("counter", "k");

export function describeState({ openStage }: Suite): void {
  describe("state and metadata", () => {
    test("an agent tells what it is, from anywhere", async () => {
      await using stage = await openStage();
      await stage.host("counter");
      expect(await stage.caller.agentMetadata(id)).toEqual({ type: "counter", key: "k", description: "a probe" });
    });

    test("an agent saves and loads its state, from anywhere", async () => {
      await using stage = await openStage();
      const probes = await stage.host("counter");
      await stage.caller.agentLoadState(id, { count: 3, deep: { list: [1, "é", null] } });
      expect(probes[0]?.state).toEqual({ count: 3, deep: { list: [1, "é", null] } });
      expect(await stage.caller.agentSaveState(id)).toEqual({ count: 3, deep: { list: [1, "é", null] } });
    });

    test("asking for an agent of a type that lives nowhere is an error", async () => {
      await using stage = await openStage();
      const nobody = new AgentId("nowhere", "k");
      await expect(stage.caller.agentSaveState(nobody)).rejects.toThrow();
      await expect(stage.caller.agentLoadState(nobody, {})).rejects.toThrow();
      await expect(stage.caller.agentMetadata(nobody)).rejects.toThrow();
    });

    test("an agent that fails to save or load tells its text", async () => {
      await using stage = await openStage();
      const probes = await stage.host("counter");
      await stage.callee.get(id, undefined, { lazy: false });
      const [probe] = probes;
      if (probe === undefined) throw new Error("no probe was made");
      probe.saveState = () => {
        throw new Error("disk is full");
      };
      await expect(stage.caller.agentSaveState(id)).rejects.toThrow("disk is full");
    });

    test("a runtime saves all its live agents, and loads them into another [§8.112]", async () => {
      await using first = await openStage();
      await first.host("counter");
      for (const key of ["a", "b"]) await first.callee.agentLoadState(new AgentId("counter", key), { key });
      const saved = await first.callee.saveState();
      expect(saved).toEqual({ "counter/a": { key: "a" }, "counter/b": { key: "b" } });

      await using second = await openStage();
      const probes = await second.host("counter");
      await second.callee.loadState({ ...saved, "unknown/x": { lost: true } });
      expect(probes.map((probe) => [probe.id.toString(), probe.state])).toEqual([
        ["counter/a", { key: "a" }],
        ["counter/b", { key: "b" }],
      ]);
    });
  });
}
