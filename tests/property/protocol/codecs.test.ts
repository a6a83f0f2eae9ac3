import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeAddSubscriptionRequest,
  decodeFrame,
  decodeGetSubscriptionsResponse,
  encodeAddSubscriptionRequest,
  encodeFrame,
  encodeGetSubscriptionsResponse,
  type Frame,
  peekFrame,
  requestIdText,
  type StoredState,
  type WirePattern,
} from "../../../src/protocol/index.ts";
import {
  type ControlEnvelope,
  decodeControl,
  decodeGetStateAnswer,
  decodeStoredState,
  encodeControl,
  encodeGetStateAnswer,
  encodeStoredState,
} from "../../../src/protocol/internal.ts";

const text = fc.string({ unit: "grapheme", maxLength: 40 });
const bytes = fc.uint8Array({ maxLength: 200 });
const absent = fc.constant(undefined);
const agentId = fc.record({ type: text, key: text });
const maybeId = fc.option(agentId, { nil: undefined });
const contentType = fc.constantFrom("application/json", "application/json; charset=utf-8", "text/plain");
const payload = fc.record({ typeName: text, contentType, data: bytes });
const maybePayload = fc.option(payload, { nil: undefined });

/** Names that `__proto__` is not among: plain objects can't hold it, and no peer writes it. */
const name = text.filter((value) => value !== "__proto__");
const metadata = fc.dictionary(name, text, { noNullPrototype: true });
/** The five attributes that an event's own fields become are not free to choose. */
const attributes = fc.dictionary(fc.constantFrom("traceparent", "tracestate", "x", "é"), text, {
  noNullPrototype: true,
});

const pattern: fc.Arbitrary<WirePattern> = fc.oneof(
  fc.record({ kind: fc.constant("type" as const), topicType: text, agentType: text }),
  fc.record({ kind: fc.constant("prefix" as const), topicTypePrefix: text, agentType: text }),
);
const maybePattern = fc.option(pattern, { nil: undefined });

const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    kind: fc.constant("request" as const),
    requestId: text,
    source: maybeId,
    target: maybeId,
    payload: maybePayload,
    metadata,
  }),
  fc.record({
    kind: fc.constant("response" as const),
    requestId: text,
    payload: maybePayload,
    error: text,
    metadata,
  }),
  fc.record({
    kind: fc.constant("event" as const),
    event: fc.record({
      id: text,
      topicType: text,
      topicSource: text,
      // Nobody is written as `unknown/unknown`, which a reader of the wire leaves as it stands.
      sender: agentId,
      payload,
      attributes,
    }),
  }),
  fc.record({ kind: fc.constant("register-type" as const), requestId: text, agentType: text }),
  fc.record({ kind: fc.constant("subscribe" as const), requestId: text, pattern: maybePattern }),
  fc.record({
    kind: fc.constant("ack" as const),
    of: fc.constantFrom("register-type" as const, "subscribe" as const),
    requestId: text,
    success: fc.boolean(),
    error: fc.option(text, { nil: undefined }),
  }),
);

const maybeText = fc.option(text, { nil: undefined });
const envelope: fc.Arbitrary<ControlEnvelope> = fc.record({
  rpcId: text,
  destination: text,
  respondTo: maybeText,
  body: fc.oneof(
    absent,
    fc.record({ kind: fc.constant("save-request" as const), agentId: maybeId }),
    fc.record({ kind: fc.constant("metadata-request" as const), agentId: maybeId, onlyIfServed: fc.boolean() }),
    fc
      .record({ type: text, key: text, description: text, error: maybeText, messages: text })
      .map(({ messages, ...told }) => ({ kind: "metadata-response" as const, ...told, ...(messages && { messages }) })),
    fc.record({ kind: fc.constant("load-request" as const), agentId: maybeId, state: text }),
    fc.record({ kind: fc.constant("save-response" as const), state: text, error: maybeText }),
    fc.record({ kind: fc.constant("load-response" as const), error: maybeText }),
    fc.record({ kind: fc.constantFrom("deactivate-request" as const, "destroy-request" as const), agentId: maybeId }),
    fc.record({ kind: fc.constantFrom("deactivate-response" as const, "destroy-response" as const), error: maybeText }),
  ),
});

const stored: fc.Arbitrary<StoredState> = fc.record({
  agentId: maybeId,
  eTag: text,
  data: fc.oneof(
    absent,
    fc.record({ kind: fc.constant("binary" as const), bytes }),
    fc.record({ kind: fc.constant("text" as const), text }),
  ),
});

describe("whatever is written", () => {
  it("a frame reads as it was", () => {
    fc.assert(
      fc.property(frame, (one) => {
        expect(decodeFrame(encodeFrame(one))).toEqual(one);
      }),
    );
  });

  it("a frame is peeked at as it reads", () => {
    fc.assert(
      fc.property(frame, (one) => {
        const peeked = peekFrame(encodeFrame(one));
        switch (one.kind) {
          case "request":
            expect(peeked).toMatchObject({ kind: "request", targetType: one.target?.type });
            if (peeked.kind === "request") expect(requestIdText(peeked)).toBe(one.requestId);
            break;
          case "response":
            expect(peeked.kind).toBe("response");
            if (peeked.kind === "response") expect(requestIdText(peeked)).toBe(one.requestId);
            break;
          case "event":
            expect(peeked).toMatchObject({ kind: "event", topicType: one.event.topicType, hasProtoData: false });
            break;
          default:
            expect(peeked).toEqual(one);
        }
      }),
    );
  });

  it("a subscription reads as it was, alone and in a list", () => {
    fc.assert(
      fc.property(fc.array(fc.record({ id: text, pattern: maybePattern })), (list) => {
        expect(decodeGetSubscriptionsResponse(encodeGetSubscriptionsResponse(list))).toEqual(list);
        for (const one of list) expect(decodeAddSubscriptionRequest(encodeAddSubscriptionRequest(one))).toEqual(one);
      }),
    );
  });

  it("an envelope of the control channel reads as it was: an empty return address is not an absent one", () => {
    fc.assert(
      fc.property(envelope, (one) => {
        expect(decodeControl(encodeControl(one))).toEqual(one);
      }),
    );
  });

  it("a stored state reads as it was", () => {
    fc.assert(
      fc.property(stored, fc.boolean(), maybeText, (state, success, error) => {
        expect(decodeStoredState(encodeStoredState(state))).toEqual(state);
        const answer = { state, success, error };
        expect(decodeGetStateAnswer(encodeGetStateAnswer(answer))).toEqual(answer);
      }),
    );
  });
});

describe("whatever arrives", () => {
  it("is a frame or an error that says what could not be read", () => {
    fc.assert(
      fc.property(bytes, (noise) => {
        try {
          decodeFrame(noise);
        } catch (error) {
          expect(error).toMatchObject({ code: "invalid-message" });
        }
      }),
    );
  });

  it("is peeked at without a throw", () => {
    fc.assert(
      fc.property(bytes, (noise) => {
        expect(peekFrame(noise).kind).toBeTypeOf("string");
      }),
    );
  });
});
