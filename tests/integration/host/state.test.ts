import { describe, expect, it } from "vitest";
import type { StoredState } from "../../../src/protocol/index.ts";
import {
  decodeGetStateAnswer,
  decodeSaveStateAnswer,
  encodeAgentId,
  encodeStoredState,
} from "../../../src/protocol/internal.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
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
