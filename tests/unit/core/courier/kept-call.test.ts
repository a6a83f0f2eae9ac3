import { describe, expect, test } from "vitest";
import { decodeKeptCall, encodeKeptCall, type KeptCall } from "../../../../src/core/courier/kept-call.ts";
import { decodeFrame, encodeFrame } from "../../../../src/protocol/internal.ts";

const call: KeptCall = {
  requestId: "id-1",
  sender: { type: "order", key: "ä/7" },
  receiver: { type: "stock", key: "" },
  payload: { typeName: "Reserve", contentType: "application/json", data: new TextEncoder().encode('{"lines":[]}') },
  metadata: { agidempotency: "id-1", agdelivery: "durable", tenant: "" },
};

describe("a kept call", () => {
  test.each<[string, KeptCall]>([
    ["of an agent", call],
    ["of no agent", { ...call, sender: undefined }],
    ["without content", { ...call, payload: { ...call.payload, data: new Uint8Array() }, metadata: {} }],
    ["with long content", { ...call, payload: { ...call.payload, data: new Uint8Array(300_000).fill(7) } }],
  ])("%s is the bytes that a worker sends, and is read back", (_title, kept) => {
    const bytes = encodeKeptCall(kept);
    expect(decodeKeptCall(bytes)).toEqual({ ...kept, metadata: { ...kept.metadata } });
    const { requestId, sender: source, receiver: target, payload, metadata } = kept;
    const request = { kind: "request", requestId, source, target, payload, metadata } as const;
    expect(decodeFrame(bytes)).toMatchObject({ kind: "request", requestId, target, metadata });
    expect(decodeKeptCall(encodeFrame(request))).toEqual({ ...kept, metadata: { ...metadata } });
  });

  test("damaged bytes are refused as an invalid message", () => {
    const whole = encodeKeptCall(call);
    for (const bytes of [new Uint8Array(), whole.subarray(0, 40), Uint8Array.of(0x08, 1), Uint8Array.of(0x0a, 0xff)]) {
      expect(() => decodeKeptCall(bytes)).toThrow(expect.objectContaining({ code: "invalid-message" }));
    }
  });
});
