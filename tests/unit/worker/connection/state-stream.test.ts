import { expect, test } from "vitest";
import { LimitedLog } from "../../../../src/core/internal.ts";
import { decodeStatesAsk, encodeStatesAnswer } from "../../../../src/protocol/internal.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { StatusCode, type StreamEnd } from "../../../../src/transport/internal.ts";
import { type HostAsk, StateStream } from "../../../../src/worker/connection/streams/state-stream.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";
import { FakeStreams } from "../../../support/worker/fake-streams.ts";

const maxOutboxBytes = 10_000;
const agent = { type: "counter", key: "1" };
const load: HostAsk = { kind: "load", agent, epoch: undefined, unless: undefined };
const notGrpc = { code: StatusCode.unimplemented, details: "HTTP status 404" };

function commitOf(bytes: number): HostAsk {
  const data = new Uint8Array(bytes);
  return {
    ...{ kind: "commit", agent, epoch: undefined, expected: { at: "anything" } },
    ...{ write: { at: "put", contentType: "application/json", schemaVersion: 1, data } },
    ...{ answers: [], events: [], mail: [], reminders: [], remembered: [], runs: [] },
  };
}

function openStates() {
  const clock = new ManualClock();
  const lines = new RecordingLogger();
  const { streams, openStream, end } = new FakeStreams();
  const logger = new LimitedLog(lines, clock);
  const settings = { clock, random: () => 0, logger, maxMessageBytes: 1_000_000, maxOutboxBytes };
  const fullness: boolean[] = [];
  const states: StateStream = new StateStream({ settings, openStream, onFullness: () => fullness.push(states.isFull) });
  /** Asks, and keeps the error of what is refused. */
  const ask = (what: HostAsk) => states.ask(what).catch((error: unknown) => error);
  const sent = () => streams.at(-1)?.sent.map(decodeStatesAsk) ?? [];
  const answerAll = () => {
    for (const asked of sent()) {
      if (asked.kind !== "load" && asked.kind !== "commit") continue;
      const outcome = { at: "committed", eTag: "1", revision: 1 } as const;
      const { seq } = asked;
      const answer =
        asked.kind === "load"
          ? ({ kind: "loaded", seq, outcome: { at: "nothing" } } as const)
          : ({ kind: "committed", seq, outcome } as const);
      streams.at(-1)?.receiver.onFrame(encodeStatesAnswer(answer));
    }
  };
  return { clock, lines, streams, states, ask, sent, answerAll, end, fullness };
}

test.each([
  ["a proxy", "proxy", StatusCode.unimplemented],
  ["a proxy", "proxy", StatusCode.permissionDenied],
  ["the worker's transport", "local", StatusCode.unimplemented],
] as const)(
  "persistent agents have their states although %s answered in the place of the host once (%s, %i)",
  async (_which, origin, code) => {
    const { clock, ask, answerAll, end, lines } = openStates();
    const loading = ask(load);
    end({ by: "status", status: { code, details: "HTTP status 404" }, origin });
    expect(lines.texts("warn")).toEqual([expect.stringContaining("HTTP status 404")]);
    clock.advance(100);
    answerAll();
    expect(await loading).toMatchObject({ kind: "loaded" });
  },
);

test("persistent agents have their states although a proxy answered once with a gRPC status", async () => {
  const { clock, ask, answerAll, end } = openStates();
  const loading = ask(load);
  end({ by: "status", status: { code: StatusCode.unimplemented, details: "no route" }, origin: "peer" });
  clock.advance(100);
  answerAll();
  expect(await loading).toMatchObject({ kind: "loaded" });
});

test("a host that refuses the stream of states is not asked again", async () => {
  const { clock, ask, streams, end } = openStates();
  const loading = ask(load);
  end({ by: "status", status: { code: StatusCode.permissionDenied, details: "no" }, origin: "peer" });
  expect(await loading).toMatchObject({ code: "not-accessible" });
  clock.advance(3_600_000);
  expect(await ask(load)).toMatchObject({ code: "not-accessible" });
  expect(streams).toHaveLength(1);
});

test("a caller of a persistent agent hears of a proxy that keeps answering for the host", async () => {
  const { clock, ask, end, answerAll } = openStates();
  const loading = ask(load);
  for (let attempt = 0; attempt < 6; attempt += 1) {
    end({ by: "status", status: notGrpc, origin: "proxy" });
    clock.advance(30_000);
  }
  expect(await loading).toMatchObject({ code: "disconnected", message: expect.stringContaining("HTTP status 404") });
  const later = ask(load);
  answerAll();
  expect(await later).toMatchObject({ kind: "loaded" });
});

test.each<[string, StreamEnd]>([
  ["while the stream to the host is closed", { by: "peer" }],
  ["while a proxy answers for the host", { by: "status", status: notGrpc, origin: "proxy" }],
])("commits fail as overloaded %s and too many bytes wait, and go on when they were written", async (_when, how) => {
  const { clock, ask, end, answerAll, states } = openStates();
  void ask(load);
  end(how);
  const kept = [1, 2, 3].map(() => ask(commitOf(4_000)));
  expect(await ask(commitOf(4_000))).toMatchObject({ code: "overloaded" });
  expect(states.isFull).toBe(false);
  clock.advance(100);
  answerAll();
  for (const one of kept) expect(await one).toMatchObject({ kind: "committed" });
  const next = ask(commitOf(4_000));
  answerAll();
  expect(await next).toMatchObject({ kind: "committed" });
});

test.each<[string, Partial<Extract<HostAsk, { kind: "commit" }>>]>([
  ["answers", { answers: [new Uint8Array(21_000)] }],
  ["events", { events: [new Uint8Array(21_000)] }],
  ["mail", { mail: [{ id: "1", message: new Uint8Array(21_000) }] }],
  ["remembered answers", { remembered: [{ id: "1", principal: "", answer: new Uint8Array(21_000) }] }],
])("the %s of a commit count in its bytes", async (_part, part) => {
  const { ask } = openStates();
  void ask({ ...commitOf(0), ...part } as HostAsk);
  expect(await ask(load)).toMatchObject({ code: "overloaded" });
});

test("one commit longer than the bound is written", async () => {
  const { ask, answerAll } = openStates();
  const written = ask(commitOf(50_000));
  answerAll();
  expect(await written).toMatchObject({ kind: "committed" });
});

test("the worker holds its host while that is slow to write, and not while the stream is closed", async () => {
  const { ask, answerAll, end, fullness } = openStates();
  void ask(commitOf(6_000));
  void ask(commitOf(6_000));
  expect(fullness).toEqual([true]);
  answerAll();
  expect(fullness).toEqual([true, false]);
  void ask(commitOf(11_000));
  expect(fullness).toEqual([true, false, true]);
  end({ by: "peer" });
  expect(fullness).toEqual([true, false, true, false]);
});
