import { expect, test } from "vitest";
import { decodeFrame, encodeFrame, type Frame } from "../../../../src/protocol/index.ts";
import { createMemoryNetwork, type FrameStream } from "../../../../src/transport/index.ts";
// Inside the room: users see only what it does to their calls.
import { Outbox } from "../../../../src/worker/connection/outbox.ts";
import { StateStream } from "../../../../src/worker/connection/streams/state-stream.ts";
import { workerSettings } from "../../../../src/worker/worker-options.ts";

function signals() {
  const sent: Frame[] = [];
  const stream: FrameStream = {
    send: (bytes) => {
      sent.push(decodeFrame(bytes as Uint8Array));
      return true;
    },
    ...{
      maxSendBytes: 1_000,
      queuedBytes: 0,
      queuedFrames: 0,
      unsentFrames: 0,
      unconfirmedFrames: 0,
      unreadFrames: 0,
      receivedBytes: 0,
    },
    beforeAsking: () => () => {},
    ...{ pause: () => {}, resume: () => {}, end: () => {}, cancel: () => {}, flushed: async () => {} },
  };
  const limits = { maxMessageBytes: 1_000, stockHostMaxBytes: 1_000, maxKeptMessages: 1, maxKeptBytes: 1_000 };
  const bounds = { ...limits, expectsAnnouncement: false };
  const states = new StateStream({
    settings: workerSettings({ dialer: createMemoryNetwork(), address: "memory:1" }),
    ...{ openStream: () => stream, onFullness: () => {} },
  });
  return { sent, to: new Outbox({ stream, states, onCall: () => {}, ...bounds }) };
}

const first: Frame = { kind: "cancel", requestId: "1", reason: "cancelled" };
const second: Frame = { kind: "cancel", requestId: "2", reason: "timed-out" };

test("a host that has announced itself is told at once", () => {
  const { sent, to } = signals();
  to.host.take(true);
  to.cancelCall("1", "cancelled");
  expect(sent).toEqual([first]);
});

test("what happens before a host's headers are here waits for them", () => {
  const { sent, to } = signals();
  to.cancelCall("1", "cancelled");
  to.cancelCall("2", "timed-out");
  expect(sent).toEqual([]);
  to.host.take(true);
  expect(sent).toEqual([first, second]);
});

test("a stock host is told nothing, whatever happened before", () => {
  const { sent, to } = signals();
  to.cancelCall("1", "cancelled");
  to.host.take(false);
  to.cancelCall("2", "timed-out");
  expect(sent).toEqual([]);
});

test("what waits for a host's headers is bounded", () => {
  const { sent, to } = signals();
  for (let call = 0; call < 5_000; call += 1) to.cancelCall(String(call), "cancelled");
  to.host.take(true);
  expect(sent).toHaveLength(1_000);
});

test("events that a refused channel had taken are in doubt beyond the bound, though pings were answered", () => {
  const { to } = signals();
  to.host.take(true);
  const event: Frame = {
    kind: "event",
    event: {
      ...{ id: "E", topicType: "t", topicSource: "s", sender: undefined, attributes: {} },
      payload: { typeName: "T", contentType: "application/json", data: new Uint8Array(2) },
    },
  };
  const bytes = encodeFrame(event);
  for (let count = 0; count < 3; count += 1) {
    to.write(bytes, "event");
    to.keep({ kind: "event", bytes, onFailed: () => {} });
  }
  expect(to.takeKept(false)).toEqual([]);
  expect(to.unconfirmedEvents).toBe(3);
});
