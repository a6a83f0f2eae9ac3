import { Buffer } from "node:buffer";
import { describe, expect, test } from "vitest";
import { type AgentRow, deleteState, formatCursor, putState, type WorkerRow } from "../../../src/admin/internal.ts";
import { shownMessage } from "../../../src/admin/kept-frames.ts";
import { AgentId } from "../../../src/core/index.ts";
import type { StateStore } from "../../../src/core/internal.ts";
import { encodeFrame } from "../../../src/protocol/index.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { commitOf, committed, putOf } from "../../../src/testing/contracts/state-store/store-case.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { jsonPayload } from "../../support/worker/frames.ts";
import { AdminRig } from "./admin-rig.ts";

const MiB = 1024 * 1024;
const invalid = { code: "invalid-argument" };

describe("the admin entry refuses", () => {
  test("names, numbers and lists that are too long", async () => {
    await using rig = await AdminRig.open();
    const { client } = rig;
    const long = "x".repeat(1_025);
    for (const agent of [
      { type: long, key: "k" },
      { type: "t", key: long },
    ]) {
      await expect(client.ask("GET", "/v1/agent", agent)).rejects.toMatchObject({
        ...invalid,
        message: expect.stringMatching(/has at most 1024 characters\.$/),
      });
    }
    for (const path of ["/v1/agents", "/v1/workers", "/v1/states", "/v1/dead"]) {
      expect(await client.ask("GET", path, { limit: 500 })).toMatchObject({ rows: [] });
      await expect(client.ask("GET", path, { limit: 501 })).rejects.toMatchObject(invalid);
    }
    await expect(client.ask("GET", "/v1/reminders", { limit: 101 })).rejects.toMatchObject(invalid);
    await expect(client.ask("POST", "/v1/worker/drain", { id: "w", graceMs: 86_400_001 })).rejects.toMatchObject(
      invalid,
    );
    const letters = Array.from({ length: 101 }, (_, index) => String(index + 1));
    for (const letter of [letters, []]) {
      await expect(client.ask("DELETE", "/v1/dead", { letter })).rejects.toMatchObject(invalid);
      await expect(client.ask("POST", "/v1/dead/replay", { letter })).rejects.toMatchObject(invalid);
    }
    expect(await client.ask("DELETE", "/v1/dead", { letter: [...letters.slice(1), "2"] })).toEqual({
      ...{ asked: 100, dropped: 0 },
    });
    // A host whose store nobody has opened to write yet.
    await using fresh = await AdminRig.open();
    expect(await fresh.client.ask("POST", "/v1/dead/replay", { letter: "1" })).toEqual({ asked: 1, replayed: 0 });
  });

  test("a place of another list", async () => {
    await using rig = await AdminRig.open();
    const [text, agent] = [formatCursor("w"), formatCursor({ type: "t", key: "k" })];
    const wrong = new Map([
      ["/v1/agents", [text, agent, formatCursor({ claim: -1 }), formatCursor({ stored: "k" }), "no place"]],
      ["/v1/states", [text, formatCursor({ claim: 1 }), formatCursor(null)]],
      ["/v1/workers", [agent, formatCursor(7)]],
      ["/v1/dead", [agent, formatCursor(7)]],
    ]);
    for (const [path, places] of wrong) {
      for (const after of places) {
        await expect(rig.client.ask("GET", path, { after })).rejects.toMatchObject({
          ...invalid,
          message: "The parameter after is not the next of a page of this list.",
        });
      }
    }
  });

  test("a reminder and an agent that are not there, and takes no agent for another whose key begins so", async () => {
    await using rig = await AdminRig.open();
    const agent = { type: "t", key: "k" };
    await rig.client.ask("PUT", "/v1/state", { ...agent, key: "kk" }, { body: Buffer.from("{}") });
    await expect(rig.client.ask("GET", "/v1/agent", agent)).rejects.toMatchObject({ code: "not-found" });
    await expect(rig.client.ask("GET", "/v1/state", agent)).rejects.toMatchObject({ code: "not-found" });
    for (const name of ["none", "x".repeat(2_000)]) {
      await expect(rig.client.ask("DELETE", "/v1/reminder", { ...agent, name })).rejects.toMatchObject({
        ...{ code: "not-found", message: expect.stringMatching(/no such reminder/) },
      });
    }
  });

  test("states that are no JSON objects, and takes other content as it is", async () => {
    await using rig = await AdminRig.open();
    const agent = { type: "t", key: "k" };
    for (const text of ["", "7", "null", "[]", "{"]) {
      const body = Buffer.from(text);
      await expect(rig.client.ask("PUT", "/v1/state", { ...agent }, { body })).rejects.toMatchObject(invalid);
    }
    const body = Buffer.from("[]");
    await rig.client.ask("PUT", "/v1/state", { ...agent, contentType: "x/y" }, { body });
    expect(await rig.client.ask("GET", "/v1/state", agent)).toMatchObject({ text: "[]", contentType: "x/y" });
  });
});

describe("what the admin entry shows", () => {
  test("takes space of the host first, and a state beyond 16 MiB is not read", async () => {
    await using rig = await AdminRig.open({ maxMemoryBytes: 8 * MiB });
    await rig.store.open();
    for (const [key, bytes] of [
      ["short", MiB / 2],
      ["long", 3 * MiB],
      ["too long", 16 * MiB + 1],
    ] as const) {
      await committed(rig.store, putOf("x".repeat(bytes), { agent: { type: "t", key } }));
    }
    const loads: string[] = [];
    const load = rig.store.load.bind(rig.store);
    rig.store.load = (agent, options) => {
      loads.push(agent.key);
      return load(agent, options);
    };
    const show = (key: string) => rig.client.ask("GET", "/v1/state", { type: "t", key });
    expect(await show("short")).toMatchObject({ text: "x".repeat(MiB / 2) });
    await expect(show("long")).rejects.toMatchObject({
      ...{ code: "overloaded", message: expect.stringMatching(/of them for this request\. Try again later\.$/) },
    });
    await expect(show("too long")).rejects.toMatchObject({ code: "state-too-large" });
    expect(loads).toEqual(["short"]);
  });

  test("has 4 MiB of dead letters on a page", async () => {
    await using rig = await AdminRig.open();
    await rig.store.open();
    const letter = {
      kind: "call",
      frame: new Uint8Array(1.5 * MiB),
      sentAtMs: 0,
      priorTakeovers: 0,
      place: 0,
    } as const;
    for (let id = 1; id <= 5; id += 1) {
      const message = { ...letter, id: String(id), mailbox: { type: "t", key: "k" } };
      await rig.store.log.bury(message, { code: "handler-failed", text: "it threw", attempts: 1 });
    }
    const page = await rig.client.ask<{ rows: unknown[]; next: string | null }>("GET", "/v1/dead");
    expect([page.rows.length < 5, page.next === null]).toEqual([true, false]);
  });

  test("is no dead letter where the store has no mailboxes, which it says", async () => {
    const stateStore = Object.defineProperty(new MemoryStateStore(), "log", { value: undefined });
    await using rig = await AdminRig.open({ stateStore });
    await expect(rig.client.ask("GET", "/v1/dead")).rejects.toMatchObject({
      ...{ code: "wrong-state", message: expect.stringMatching(/has no mailboxes/) },
    });
  });

  test("are the agents of one worker, without those of others and those that no worker has", async () => {
    await using rig = await AdminRig.open();
    const ids: string[] = [];
    const workers: WorkerRuntime[] = [];
    for (const type of ["one", "other"]) {
      const runtime = new WorkerRuntime({ dialer: rig.dialer, address: "host:1", name: type });
      await runtime.start();
      await runtime.registerFactory(type, () => {
        throw new Error("no message comes");
      });
      workers.push(runtime);
    }
    const { rows } = await rig.client.ask<{ rows: WorkerRow[] }>("GET", "/v1/workers");
    for (const name of ["one", "other"]) ids.push(rows.find((row) => row.name === name)?.workerId ?? "");
    await rig.store.open();
    for (const type of ["one", "other", "nobody's"])
      await committed(rig.store, putOf("{}", { agent: { type, key: "k" } }));
    const agentsOf = async (worker: string): Promise<string[]> => {
      const types: string[] = [];
      let after: string | undefined;
      do {
        const page = await rig.client.ask<{ rows: AgentRow[]; next: string | null }>("GET", "/v1/agents", {
          ...{ worker, after },
        });
        types.push(...page.rows.map(({ type }) => type));
        after = page.next ?? undefined;
      } while (after !== undefined);
      return types;
    };
    expect([await agentsOf(ids[0] ?? ""), await agentsOf(ids[1] ?? "")]).toEqual([["one"], ["other"]]);
    await Promise.all(workers.map((runtime) => runtime.stop()));
  });
});

test("workers are listed by their ids, page after page", async () => {
  await using rig = await AdminRig.open();
  const workers = [];
  for (let count = 0; count < 5; count += 1) {
    const runtime = new WorkerRuntime({ dialer: rig.dialer, address: "host:1" });
    await runtime.start();
    workers.push(runtime);
  }
  const seen: string[] = [];
  let after: string | undefined;
  do {
    const page = await rig.client.ask<{ rows: { workerId: string }[]; next: string | null }>("GET", "/v1/workers", {
      ...{ after, limit: 2 },
    });
    seen.push(...page.rows.map(({ workerId }) => workerId));
    after = page.next ?? undefined;
  } while (after !== undefined);
  expect(seen.length).toBe(5);
  expect(seen).toEqual([...new Set(seen)].sort());
  await Promise.all(workers.map((runtime) => runtime.stop()));
});

describe("a state that an operator changes", () => {
  const agent = { type: "a", key: "k" };

  /** A store that another writer writes to between an operator's look and the change. */
  async function racedStore(write: (store: StateStore) => Promise<unknown>) {
    const store = new MemoryStateStore();
    await store.open();
    const load = store.load.bind(store);
    return Object.assign(store, {
      load: async (...asked: Parameters<typeof load>) => {
        const record = await load(...asked);
        await write(store);
        return record;
      },
    });
  }

  test("is not written over one that an agent has saved meanwhile", async () => {
    const data = Buffer.from("{}");
    const conflict = { code: "state-conflict", message: expect.stringMatching(/was written meanwhile/) };
    const store = await racedStore((one) => committed(one, putOf("of the agent", { agent })));
    await expect(putState(store, agent, { data })).rejects.toMatchObject(conflict);
    await expect(putState(store, agent, { data })).rejects.toMatchObject(conflict);
    await expect(deleteState(store, agent)).rejects.toMatchObject(conflict);
    const deleted = await racedStore((one) => committed(one, commitOf({ agent, write: { at: "delete" } })));
    await committed(deleted, putOf("x", { agent }));
    await expect(putState(deleted, agent, { data })).rejects.toMatchObject(conflict);
  });
});

test("a long kept message is shown as far as 64 KiB, also if that is in the middle of a character", () => {
  const frame = encodeFrame({
    ...{ kind: "request", requestId: "r", source: undefined, target: new AgentId("t", "k"), metadata: {} },
    payload: { ...jsonPayload("T", {}), data: Buffer.from(`x${"ä".repeat(64 * 1_024)}`) },
  });
  const shown = shownMessage(frame);
  expect([shown?.isCut, shown?.text?.length, shown?.text?.at(-1)]).toEqual([true, 32 * 1_024, "ä"]);
});
