import { expect, test } from "vitest";
import { type HostOccurrence, Observers } from "../../../src/host/observer.ts";
import { MessagePayloads, payloadLimits } from "../../../src/host/sessions/message-payloads.ts";
import { encodeFrame } from "../../../src/protocol/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";

const target = { type: "writer", key: "1" };

function frameOf(data: string | Uint8Array, contentType = "application/json"): Uint8Array {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  const payload = { typeName: "Draft", contentType, data: bytes };
  return encodeFrame({ kind: "request", requestId: "1", source: undefined, target, payload, metadata: {} });
}

const occurrence = (): HostOccurrence => ({ at: "event", topicType: "t", delivered: 1, missed: 0 });

function rig() {
  const [observers, clock] = [new Observers(), new ManualClock()];
  const payloads = new MessagePayloads(observers, clock);
  const of = (frame: Uint8Array) => {
    const [call, what] = [{}, occurrence()];
    observers.payloads?.callOpened(call, frame);
    observers.payloads?.callEnded(call, what);
    return payloads.of(what);
  };
  return { observers, clock, payloads, of };
}

test("nothing is read while nobody watches, and nothing is kept when the last one has left", () => {
  const { observers, payloads, of } = rig();
  expect(of(frameOf("{}"))).toBeUndefined();
  const [one, other] = [payloads.watch(), payloads.watch()];
  observers.payloads?.callOpened({}, frameOf("{}"));
  expect(of(frameOf('{"a":1}'))).toEqual({
    ...{ messageType: "Draft", contentType: "application/json", bytes: 7, text: '{"a":1}' },
  });
  one();
  one();
  expect(observers.payloads).toBe(payloads);
  expect(payloads.keptBytes).toBeGreaterThan(0);
  other();
  expect([observers.payloads, payloads.keptBytes]).toEqual([undefined, 0]);
});

test("a content is cut between two characters, and bytes that are no text are not shown", () => {
  const { payloads, of } = rig();
  payloads.watch();
  const long = of(frameOf(`"${"ü".repeat(payloadLimits.shownBytes)}"`));
  expect(long?.bytes).toBe(2 * payloadLimits.shownBytes + 2);
  // The last byte that is read halves a character.
  expect(long?.text).toBe(`"${"ü".repeat(payloadLimits.shownBytes / 2 - 1)}`);
  expect(of(frameOf(Uint8Array.of(1, 2), "application/x-protobuf"))).toMatchObject({ bytes: 2, text: null });
  expect(of(Uint8Array.of(0xff, 0xff))).toBeUndefined();
});

test("what is kept of calls under way is bounded, and the oldest are forgotten; so many in a second are read", () => {
  const { observers, clock, payloads, of } = rig();
  payloads.watch();
  const calls = Array.from({ length: payloadLimits.perSecond + 1 }, () => ({}));
  for (const call of calls) observers.payloads?.callOpened(call, frameOf(`"${"x".repeat(5_000)}"`));
  expect(payloads.keptBytes).toBeLessThanOrEqual(payloadLimits.keptBytes);
  const of_ = (call: object | undefined) => {
    const what = occurrence();
    observers.payloads?.callEnded(call ?? {}, what);
    return payloads.of(what);
  };
  expect([of_(calls[0]), of_(calls.at(-1))]).toEqual([undefined, undefined]);
  expect(of_(calls.at(-2))?.text?.length).toBe(payloadLimits.shownBytes);
  expect(of(frameOf("{}"))).toBeUndefined();
  clock.advance(1_000);
  expect(of(frameOf("{}"))?.text).toBe("{}");
});
