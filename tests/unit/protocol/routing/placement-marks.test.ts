import { Buffer } from "node:buffer";
import { describe, expect, it } from "vitest";
import {
  decodeFrame,
  encodeFrame,
  epochEntry,
  epochOf,
  formatLoneRecipient,
  formatRecipient,
  isForRecipientsAlone,
  joinFrame,
  type PeekedEvent,
  type PeekedRequest,
  peekFrame,
  recipientsIn,
  spliceRecipients,
  spliceRequestId,
  topicSourceOf,
  withoutEpoch,
  withoutRecipients,
} from "../../../../src/protocol/internal.ts";

const epoch = { generation: 1_764_466_000, era: 3, number: 70_000 };
const payload = { typeName: "M", contentType: "application/json", data: new TextEncoder().encode('"agfor agepoch"') };

function call(metadata: Readonly<Record<string, string>> = {}): PeekedRequest {
  const frame = { kind: "request", requestId: "7", source: undefined, target: { type: "a", key: "k" } } as const;
  return peekedCall(encodeFrame({ ...frame, payload, metadata }));
}

function peekedCall(bytes: Uint8Array): PeekedRequest {
  const peeked = peekFrame(bytes);
  if (peeked.kind !== "request") throw new Error(`a ${peeked.kind}`);
  return peeked;
}

function event(attributes: Readonly<Record<string, string>> = {}, topicSource = "s"): PeekedEvent {
  const wire = { id: "E", topicType: "t", topicSource, sender: undefined, payload, attributes };
  return peekedEvent(encodeFrame({ kind: "event", event: wire }));
}

function peekedEvent(bytes: Uint8Array): PeekedEvent {
  const peeked = peekFrame(bytes);
  if (peeked.kind !== "event") throw new Error(`a ${peeked.kind}`);
  return peeked;
}

describe("the epoch of a call", () => {
  it("goes behind the new request id, and all other bytes stay", () => {
    const frame = decodeFrame(
      joinFrame(spliceRequestId(call({ tenant: "acme" }), Buffer.from("host-1"), epochEntry(epoch))),
    );
    if (frame.kind !== "request") throw new Error(`a ${frame.kind}`);
    expect(frame).toMatchObject({ requestId: "host-1", metadata: { tenant: "acme" } });
    expect(epochOf(frame.metadata)).toEqual(epoch);
    expect(new Uint8Array(frame.payload?.data ?? [])).toEqual(payload.data);
  });

  it("is taken out where a caller has written it, also in a form that no encoder writes", () => {
    const bare = call({ tenant: "acme" });
    expect(withoutEpoch(bare)).toBe(bare);
    const forged = withoutEpoch(call({ tenant: "acme", agepoch: "9.9.9" }));
    expect(forged.bytes).toEqual(bare.bytes);
    // The length of the key takes two bytes, where one would do.
    const entry = Buffer.from("0a870061676570 6f6368 1205392e392e39".replaceAll(" ", ""), "hex");
    const odd = Buffer.concat([bare.bytes.subarray(bare.bodyStart), Buffer.from([0x32, entry.length]), entry]);
    const bytes = Buffer.concat([Buffer.from([0x0a, odd.length]), odd]);
    expect(decodeFrame(bytes)).toMatchObject({ metadata: { agepoch: "9.9.9" } });
    expect(decodeFrame(withoutEpoch(peekedCall(bytes)).bytes)).toMatchObject({ metadata: { tenant: "acme" } });
    expect(withoutEpoch(peekedCall(bytes)).bytes).toEqual(bare.bytes);
  });

  it("counts as not said where it can't be read", () => {
    expect([epochOf({}), epochOf({ agepoch: "1.2" }), epochOf({ agepoch: "01.2.3" })]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe("the recipients of an event", () => {
  it("go before its other fields, which stay", () => {
    const text = `${formatRecipient("room", epoch)},${formatRecipient("desk", { ...epoch, number: 1 })}`;
    const frame = decodeFrame(joinFrame(spliceRecipients(event({ tenant: "acme" }), text)));
    if (frame.kind !== "event") throw new Error(`a ${frame.kind}`);
    expect(frame.event).toMatchObject({ id: "E", topicType: "t", topicSource: "s" });
    expect(new Uint8Array(frame.event.payload.data)).toEqual(payload.data);
    expect(frame.event.attributes).toEqual({ tenant: "acme", agfor: text });
    expect([...recipientsIn(frame.event.attributes)]).toEqual([
      ["room", epoch],
      ["desk", { ...epoch, number: 1 }],
    ]);
  });

  it("are taken out where a publisher has written them", () => {
    const bare = event({ tenant: "acme" });
    expect(withoutRecipients(bare)).toBe(bare);
    const forged = peekedEvent(joinFrame(spliceRecipients(bare, "room=9.9.9")));
    expect(decodeFrame(forged.bytes)).toMatchObject({ event: { attributes: { agfor: "room=9.9.9" } } });
    expect(Buffer.from(withoutRecipients(forged).bytes)).toEqual(Buffer.from(bare.bytes));
  });

  it("may be the only ones, so that agents of exclusive types are not meant", () => {
    const attributes = { agfor: formatLoneRecipient("room", { generation: 1, era: 2, number: 4 }) };
    expect(attributes.agfor).toBe("!room=1.2.4");
    expect([...recipientsIn(attributes)]).toEqual([["room", { generation: 1, era: 2, number: 4 }]]);
    expect([attributes, { agfor: "room=1.2.4" }, {}].map(isForRecipientsAlone)).toEqual([true, false, false]);
  });

  it("count as not said where they can't be read", () => {
    expect([...recipientsIn({ agfor: "room=1.2,=1.2.3,desk=1.2.3,,x" })]).toEqual([
      ["desk", { generation: 1, era: 2, number: 3 }],
    ]);
  });
});

it("both have the bytes that the protocol shows", () => {
  const small = { generation: 1, era: 2, number: 3 };
  expect(Buffer.from(epochEntry(small)).toString("hex")).toBe("32100a07616765706f63681205312e322e33");
  const { head } = spliceRecipients(event(), formatRecipient("room", small));
  expect(Buffer.from(head).toString("hex")).toMatch(/2a150a056167666f72120c1a0a726f6f6d3d312e322e33$/);
});

it("the topic source of an event is read from its bytes", () => {
  expect(topicSourceOf(event({ tenant: "acme" }, "häufig"))).toBe("häufig");
  expect(topicSourceOf(event({}, ""))).toBe("");
});
