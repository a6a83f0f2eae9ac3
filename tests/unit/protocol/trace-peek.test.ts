import { describe, expect, it } from "vitest";
import { encodeFrame } from "../../../src/protocol/index.ts";
import { peekFrame, sampledTraceOf } from "../../../src/protocol/internal.ts";

const context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
const sampled = `${context}-01`;

function ofCall(metadata: Readonly<Record<string, string>>) {
  const peeked = peekFrame(
    encodeFrame({
      ...{ kind: "request", requestId: "1", source: undefined, target: { type: "a", key: "k" }, metadata },
      payload: { typeName: "M", contentType: "application/json", data: new TextEncoder().encode(sampled) },
    }),
  );
  if (peeked.kind !== "request") throw new Error(`It is a ${peeked.kind}.`);
  return sampledTraceOf(peeked);
}

function ofEvent(attributes: Readonly<Record<string, string>>) {
  const payload = { typeName: "M", contentType: "application/json", data: new TextEncoder().encode("{}") };
  const event = { id: "1", topicType: "t", topicSource: "s", sender: undefined, payload, attributes };
  const peeked = peekFrame(encodeFrame({ kind: "event", event }));
  if (peeked.kind !== "event") throw new Error(`It is a ${peeked.kind}.`);
  return sampledTraceOf(peeked);
}

describe.each([
  ["a call", ofCall],
  ["an event", ofEvent],
])("the trace context of %s", (_what, of) => {
  it("is read with its state, whatever stands beside it", () => {
    expect(of({ traceparent: sampled })).toEqual({ traceparent: sampled });
    const around = { tracings: "x", zzz: "y", tracestatf: "w", traceparens: "v" };
    expect(of({ ...around, tracestate: "a=1", traceparent: sampled })).toEqual({
      ...{ traceparent: sampled, tracestate: "a=1" },
    });
  });

  it("is none if its sender does not record it, and none without one", () => {
    for (const flags of ["00", "02", "0a", "fe"]) expect(of({ traceparent: `${context}-${flags}` })).toBeUndefined();
    for (const flags of ["01", "03", "0b", "ff"])
      expect(of({ traceparent: `${context}-${flags}` })?.traceparent).toBe(`${context}-${flags}`);
    expect(of({})).toBeUndefined();
    expect(of({ tracestate: "a=1" })).toBeUndefined();
  });

  it("is none if it has another length, and has no state that is too long", () => {
    expect(of({ traceparent: `${sampled}-more` })).toBeUndefined();
    expect(of({ traceparent: "" })).toBeUndefined();
    expect(of({ traceparent: sampled, tracestate: "x".repeat(513) })).toEqual({ traceparent: sampled });
  });
});
