import { expect, test } from "vitest";
import { LimitedLog } from "../../../../src/core/internal.ts";
import { decodeFrame, encodeFrame } from "../../../../src/protocol/internal.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { StatusCode, type StreamEnd } from "../../../../src/transport/internal.ts";
import { SideStream } from "../../../../src/worker/connection/streams/side-stream.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";
import { FakeStreams } from "../../../support/worker/fake-streams.ts";

const status = (code: StatusCode): StreamEnd => ({ by: "status", status: { code, details: "" }, origin: "peer" });

function openSide({ isServed = false } = {}) {
  const clock = new ManualClock();
  const lines = new RecordingLogger();
  const { streams, openStream, end, accept } = new FakeStreams();
  const settings = { clock, random: () => 0, logger: new LimitedLog(lines, clock) };
  const side = new SideStream({
    ...{ settings, openStream, onNotice: () => undefined, onAnswer: () => undefined, onChange: () => undefined },
  });
  side.open({ isServed });
  return { clock, streams, side, end, accept, lines };
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

test.each([
  ["a proxy", "proxy", StatusCode.unimplemented],
  ["a proxy", "proxy", StatusCode.permissionDenied],
  ["a proxy", "proxy", StatusCode.unauthenticated],
  ["the worker's own transport", "local", StatusCode.unimplemented],
] as const)(
  "the answer of %s in the place of the host does not cost the worker its side stream (%s, %i)",
  (_which, origin, code) => {
    const { clock, streams, side, end, accept, lines } = openSide();
    end({ by: "status", status: { code, details: "HTTP status 404" }, origin });
    expect(lines.texts("warn")).toEqual([expect.stringContaining("HTTP status 404")]);
    clock.advance(100);
    expect(streams).toHaveLength(2);
    accept();
    expect(side.isOpen).toBe(true);
  },
);

test("a gRPC status of a proxy does not cost a worker the side stream of a host that serves them", () => {
  const { clock, streams, side, end, accept } = openSide({ isServed: true });
  end(status(StatusCode.unimplemented));
  clock.advance(100);
  expect(streams).toHaveLength(2);
  accept();
  expect(side.isOpen).toBe(true);
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
