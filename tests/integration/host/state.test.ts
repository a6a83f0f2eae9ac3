import { describe, expect, it } from "vitest";
import type { StoredState } from "../../../src/protocol/index.ts";
import {
  decodeGetStateAnswer,
  decodeSaveStateAnswer,
  encodeAgentId,
  encodeStoredState,
} from "../../../src/protocol/internal.ts";
import { MemoryStateStore, StoreError } from "../../../src/storage/index.ts";
import { StatusCode } from "../../../src/transport/index.ts";
import { hostTransports } from "../../support/host-transports.ts";
import { RawWorker } from "../../support/raw-worker.ts";

const agentId = { type: "a", key: "k" };
const mismatch = "The provided ETag does not match the current ETag. The state has been modified by another request.";

function state(text: string, eTag = ""): StoredState {
  return { agentId, eTag, data: { kind: "text", text } };
}

async function get(worker: RawWorker, id = agentId) {
  return decodeGetStateAnswer(await worker.unary("GetState", encodeAgentId(id)));
}

async function save(worker: RawWorker, stored: StoredState) {
  return decodeSaveStateAnswer(await worker.unary("SaveState", encodeStoredState(stored)));
}

describe.each(hostTransports)("GetState and SaveState over $name", ({ start }) => {
  it.each(["W", undefined])("keeps a state by type and key for a worker with client id %s [§8.3]", async (clientId) => {
    await using rig = await start();
    const worker = new RawWorker(rig.dial(), clientId);
    expect(await save(worker, state("one"))).toEqual({ success: true, error: undefined });
    await save(worker, { agentId: { type: "b", key: "k" }, eTag: "", data: { kind: "text", text: "of b" } });
    const answer = await get(worker);
    expect(answer).toMatchObject({
      success: true,
      error: undefined,
      state: { agentId, data: { kind: "text", text: "one" } },
    });
    expect(answer.state?.eTag).not.toBe("");
  });

  it("answers with the id alone for an agent without a state", async () => {
    await using rig = await start();
    expect(await get(new RawWorker(rig.dial()))).toEqual({
      success: true,
      error: undefined,
      state: { agentId, eTag: "", data: undefined },
    });
  });

  it("refuses a stale eTag in the answer for generation 1, and takes an equal or empty one [§8.111]", async () => {
    await using rig = await start();
    const worker = new RawWorker(rig.dial());
    await save(worker, state("one"));
    const first = (await get(worker)).state?.eTag ?? "";
    expect(await save(worker, state("two", first))).toEqual({ success: true, error: undefined });
    expect(await save(worker, state("three", first))).toEqual({ success: false, error: mismatch });
    expect((await get(worker)).state?.data).toEqual({ kind: "text", text: "two" });
    expect(await save(worker, state("four"))).toEqual({ success: true, error: undefined });
  });

  it("refuses a stale eTag with a status for generation 2, whose answer has no place for it", async () => {
    await using rig = await start();
    const worker = new RawWorker(rig.dial(), "W");
    await save(worker, state("one"));
    await expect(save(worker, state("two", "stale"))).rejects.toMatchObject({
      status: { code: StatusCode.aborted, details: mismatch },
    });
  });

  it("gives back each kind of data as it was saved, and none as none", async () => {
    await using rig = await start();
    const worker = new RawWorker(rig.dial());
    const any = Uint8Array.of(10, 1, 120);
    const kinds: readonly StoredState["data"][] = [
      { kind: "text", text: "\ufeffa text, één" },
      { kind: "text", text: "" },
      { kind: "binary", bytes: Uint8Array.of(0, 255) },
      { kind: "binary", bytes: new Uint8Array(0) },
      { kind: "proto", any },
      undefined,
    ];
    for (const data of kinds) {
      await save(worker, { agentId, eTag: "", data });
      const { data: found } = (await get(worker)).state ?? {};
      // Over gRPC the bytes are a Buffer.
      expect(found?.kind === "binary" ? { ...found, bytes: new Uint8Array(found.bytes) } : found).toEqual(data);
    }
  });

  it("takes any eTag while nothing is stored, also after the state was deleted", async () => {
    await using rig = await start();
    const worker = new RawWorker(rig.dial(), "W");
    await save(worker, state("one", "whatever"));
    await expect(save(worker, state("two", "whatever"))).rejects.toMatchObject({ status: { details: mismatch } });
    const { eTag } = (await get(worker)).state ?? {};
    const deletions = await Promise.all([1, 2, 3].map(() => rig.host.servicer.deleteState(agentId)));
    expect(deletions.filter((isDeleted) => isDeleted)).toHaveLength(1);
    expect((await get(worker)).state).toEqual({ agentId, eTag: "", data: undefined });
    await save(worker, state("three", eTag));
    expect((await get(worker)).state?.data).toEqual({ kind: "text", text: "three" });
  });

  it("keeps what was saved beside a host for the next host on the same store", async () => {
    const stateStore = new MemoryStateStore();
    await using first = await start({ stateStore });
    await save(new RawWorker(first.dial()), state("one"));
    await first.host.stop();
    await using second = await start({ stateStore: stateStore.reopen() });
    expect((await get(new RawWorker(second.dial()))).state?.data).toEqual({ kind: "text", text: "one" });
  });

  it("shows a persistent agent's JSON as text, under its eTag", async () => {
    const stateStore = new MemoryStateStore();
    await stateStore.open();
    const write = { at: "put", contentType: "application/json", schemaVersion: 3, data: Buffer.from("{}") } as const;
    const parts = { epoch: undefined, expected: { at: "nothing" }, reminders: [], mail: [], remembered: [] } as const;
    const [outcome] = await stateStore.commit([{ agent: agentId, write, ...parts }]);
    await using rig = await start({ stateStore });
    const { state: shown } = await get(new RawWorker(rig.dial()));
    expect(shown).toMatchObject({ data: { kind: "text", text: "{}" } });
    expect(outcome).toMatchObject({ at: "committed", eTag: shown?.eTag });
  });

  it("answers UNAVAILABLE while the store can't be used, without the store's own text, and logs it", async () => {
    const stateStore = new MemoryStateStore();
    const lines: unknown[] = [];
    const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: (...line: unknown[]) => lines.push(line) };
    await using rig = await start({ stateStore, logger });
    const worker = new RawWorker(rig.dial());
    await save(worker, state("one"));
    await stateStore.close();
    const text = "The state store of this host can't be used now.";
    expect(await save(worker, state("two"))).toEqual({ success: false, error: text });
    await expect(get(worker)).rejects.toMatchObject({ status: { code: StatusCode.unavailable, details: text } });
    expect(lines).toHaveLength(2);
    expect(lines[0]).toEqual(["the state store of GetState and SaveState failed", { error: "This store is closed." }]);
  });

  it.each([
    ["full", "The state store is full."],
    ["overloaded", "The state store has too much to do."],
  ] as const)("answers RESOURCE_EXHAUSTED when the store says %s", async (storeCode, details) => {
    class BusyStore extends MemoryStateStore {
      override commit(): never {
        throw new StoreError(storeCode, "agents.db has no space");
      }
    }
    await using rig = await start({ stateStore: new BusyStore() });
    expect(await save(new RawWorker(rig.dial()), state("one"))).toEqual({ success: false, error: details });
    await expect(save(new RawWorker(rig.dial(), "W"), state("one"))).rejects.toMatchObject({
      status: { code: StatusCode.resourceExhausted, details },
    });
  });

  it("says so when the store is full", async () => {
    await using rig = await start({ stateStore: new MemoryStateStore({ maxBytes: 10 }) });
    expect(await save(new RawWorker(rig.dial()), state("far too long"))).toEqual({
      success: false,
      error: "The state store is full: 10 bytes of agent state.",
    });
    await expect(save(new RawWorker(rig.dial(), "W"), state("far too long"))).rejects.toMatchObject({
      status: { code: StatusCode.resourceExhausted },
    });
  });
});
