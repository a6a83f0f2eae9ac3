import { expect, test } from "vitest";
import { LimitedLog } from "../../../../src/core/internal.ts";
import { decodeFrame, encodeFrame } from "../../../../src/protocol/internal.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { StatusCode, type StreamEnd, type StreamReceiver } from "../../../../src/transport/internal.ts";
import { SideStream } from "../../../../src/worker/connection/side-stream.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";

const status = (code: StatusCode): StreamEnd => ({ by: "status", status: { code, details: "" }, origin: "peer" });

function openSide() {
  const clock = new ManualClock();
  const streams: { readonly receiver: StreamReceiver; readonly sent: Uint8Array[] }[] = [];
  const settings = { clock, random: () => 0, logger: new LimitedLog(new RecordingLogger(), clock) };
  const side = new SideStream({
    ...{ settings, onNotice: () => undefined, onAnswer: () => undefined, onChange: () => undefined },
    openStream: (_name, receiver) => {
      const sent: Uint8Array[] = [];
      streams.push({ receiver, sent });
      return {
        send: (bytes) => bytes instanceof Uint8Array && sent.push(bytes) > 0,
        maxSendBytes: Number.POSITIVE_INFINITY,
        ...{
          queuedBytes: 0,
          queuedFrames: 0,
          unsentFrames: 0,
          unconfirmedFrames: 0,
          unreadFrames: 0,
          receivedBytes: 0,
        },
        ...{ beforeAsking: () => () => undefined, pause: () => undefined, resume: () => undefined },
        ...{ end: () => undefined, cancel: () => undefined, flushed: () => Promise.resolve() },
      };
    },
  });
  side.open();
  const end = (how: StreamEnd) => streams.at(-1)?.receiver.onEnd(how);
  const accept = () => streams.at(-1)?.receiver.onMetadata?.({});
  return { clock, streams, side, end, accept };
}

test("a side stream that ends alone opens again, after a delay that doubles up to 30 s", () => {
  const { clock, streams, side, end, accept } = openSide();
  const delays = [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000];
  for (const [index, delayMs] of delays.entries()) {
    accept();
    expect(side.isOpen).toBe(true);
    end({ by: "peer" });
    expect(side.isOpen).toBe(false);
    clock.advance(delayMs - 1);
    expect(streams).toHaveLength(index + 1);
    clock.advance(1);
    expect(streams).toHaveLength(index + 2);
  }
});

test("a side stream that lived for 30 s opens again soon", () => {
  const { clock, streams, end, accept } = openSide();
  for (let index = 0; index < 5; index += 1) {
    accept();
    clock.advance(30_000);
    end({ by: "peer" });
    clock.advance(100);
    expect(streams).toHaveLength(index + 2);
  }
});

test.each([
  ["that serves none", StatusCode.unimplemented],
  ["that keeps the worker out", StatusCode.permissionDenied],
  ["that does not know the worker", StatusCode.unauthenticated],
])("a worker asks a host %s for a side stream once", (_which, code) => {
  const { clock, streams, end } = openSide();
  end(status(code));
  clock.advance(3_600_000);
  expect(streams).toHaveLength(1);
});

test("a side stream does not open again after the end of the data channel", () => {
  const { clock, streams, side, end, accept } = openSide();
  accept();
  end({ by: "peer" });
  side.close();
  clock.advance(3_600_000);
  expect(streams).toHaveLength(1);
});

test("a worker answers a host that asks for a sign of life on the side stream", () => {
  const { streams, accept } = openSide();
  accept();
  streams[0]?.receiver.onFrame(encodeFrame({ kind: "heartbeat", seq: 7, isAnswer: false, leaseMs: 0 }));
  streams[0]?.receiver.onFrame(encodeFrame({ kind: "heartbeat", seq: 8, isAnswer: true, leaseMs: 0 }));
  const answer = { kind: "heartbeat", seq: 7, isAnswer: true, leaseMs: 0 };
  expect(streams[0]?.sent.map(decodeFrame)).toEqual([answer]);
});
