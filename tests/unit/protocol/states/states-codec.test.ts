import { describe, expect, test } from "vitest";
import {
  decodeStatesAnswer,
  decodeStatesAsk,
  encodeFrame,
  encodeStatesAnswer,
  encodeStatesAsk,
  readAskHead,
} from "../../../../src/protocol/internal.ts";
import {
  decodeAnswerGenerated,
  decodeAskGenerated,
  encodeAnswerGenerated,
  encodeAskGenerated,
} from "../../../../src/protocol/states/generated-states-codec.ts";
import { decodeAnswerQuickly, decodeAskQuickly } from "../../../../src/protocol/states/quick-states-decoder.ts";
import type {
  CommitAsk,
  HostedOutcome,
  StatesAnswer,
  StatesAsk,
} from "../../../../src/protocol/states/states-messages.ts";

const agent = { type: "counter", key: "café" };
const epoch = { generation: 1_796_000_000, era: 0, number: 2 ** 40 };
const data = new TextEncoder().encode('{"total":3}');
const put = { at: "put", schemaVersion: 2, contentType: "application/json", data } as const;
const answer = encodeFrame({ kind: "response", requestId: "7", payload: undefined, error: "", metadata: {} });
const nothing = { answers: [], events: [], mail: [], reminders: [], remembered: [], runs: [] };
const commit: CommitAsk = {
  ...{ kind: "commit", seq: 8, agent, epoch: undefined, ...nothing },
  ...{ expected: { at: "version", eTag: "s9-4" }, write: put, answers: [answer] },
};
const record = {
  ...{ eTag: "s9-4", revision: 3, schemaVersion: 2, contentType: "application/json", data },
  ...{ savedAtMs: 1_796_000_000_123, epoch },
};
const failure = { at: "failed", code: "state-unavailable", text: "The disk is full." } as const;
const long = new Uint8Array(5_000).fill(7);

const started = { principal: "ada", owner: "bob", startedAtMs: 1_796_000_000_123, keepMs: 600_000 };

/** What both codecs read and write alike, the quick one too. */
const quickAsks: readonly StatesAsk[] = [
  { kind: "load", seq: 7, agent, epoch: undefined, unless: undefined },
  { kind: "load", seq: 2 ** 53 - 1, agent: { type: "", key: "" }, epoch, unless: "s9-4" },
  commit,
  { ...commit, expected: { at: "nothing" }, events: [answer, long], epoch },
  { ...commit, expected: { at: "anything" }, write: { at: "delete" }, answers: [] },
  { ...commit, write: { at: "keep" }, answers: [answer, answer], events: [new Uint8Array(0)] },
  { ...commit, write: { ...put, schemaVersion: 0, contentType: "", data: new Uint8Array(0) } },
  { ...commit, write: { ...put, data: long } },
];
const otherAsks: readonly StatesAsk[] = [
  { ...commit, mail: [{ id: "m1", message: answer }] },
  { ...commit, reminders: [{ at: "cancel", name: "payment" }] },
  { ...commit, reminders: [{ at: "set", name: "payment", dueMs: 1_796_000_000_999, rule: "once", message: data }] },
  { ...commit, remembered: [{ id: "k", principal: "ada", answer }] },
  { ...commit, remembered: [{ id: "k", principal: "", answer: undefined }] },
  { kind: "reminders", seq: 9, agent },
  { kind: "remembered", seq: 10, agent, id: "order-7", principal: "ada" },
  { ...commit, runs: [{ at: "create", id: "r", message: data, ...started, deadlineMs: 1_796_000_000_999, depth: 3 }] },
  { ...commit, runs: [{ at: "create", id: "r", message: data, ...started, deadlineMs: undefined, depth: 0 }] },
  {
    ...commit,
    runs: [
      { at: "takeover", id: "r" },
      { at: "append", id: "r", from: 7, chunks: [data, long] },
      { at: "step", id: "r" },
      { at: "end", id: "r", status: "cancelled", outcome: data },
    ],
  },
  { kind: "run", seq: 11, agent, id: "r", from: 2 ** 40, message: true, maxBytes: 65_536 },
  { kind: "runs", seq: 12, agent, status: undefined, after: "", limit: 0 },
  { kind: "runs", seq: 12, agent, status: "working", after: "r", limit: 10 },
  { kind: "heartbeat", seq: 3, isAnswer: false, leaseMs: 0 },
  { kind: "empty" },
];
const run = {
  ...({ id: "r", status: "failed" } as const),
  ...{ ...started, updatedAtMs: 1_796_000_000_500, deadlineMs: undefined, depth: 1 },
  ...{ first: 3, next: 9, bytes: 900, takeovers: 1 },
} as const;
const quickAnswers: readonly StatesAnswer[] = [
  { kind: "loaded", seq: 7, outcome: { at: "record", record } },
  { kind: "loaded", seq: 7, outcome: { at: "record", record: { ...record, epoch: undefined, schemaVersion: 0 } } },
  { kind: "loaded", seq: 7, outcome: { at: "unchanged" } },
  { kind: "loaded", seq: 7, outcome: { at: "nothing" } },
  { kind: "committed", seq: 8, outcome: { at: "committed", eTag: "s9-5", revision: 4 } },
  { kind: "committed", seq: 8, outcome: { at: "committed", eTag: "", revision: 0 } },
  { kind: "committed", seq: 8, outcome: { at: "conflict", eTag: "s9-5" } },
  { kind: "committed", seq: 8, outcome: { at: "conflict", eTag: undefined } },
];
const reminder = { name: "payment", dueMs: 5, rule: "", message: data, seq: 12, attempts: 1 };
const otherAnswers: readonly StatesAnswer[] = [
  { kind: "loaded", seq: 7, outcome: failure },
  { kind: "run", seq: 11, outcome: { at: "nothing" } },
  { kind: "run", seq: 11, outcome: failure },
  { kind: "run", seq: 11, outcome: { at: "found", run, message: data, from: 3, chunks: [data], outcome: data } },
  {
    ...{ kind: "run", seq: 11 },
    outcome: {
      ...{ at: "found", run: { ...run, status: "working", deadlineMs: 1_796_000_009_000 } },
      ...{ message: undefined, from: 9, chunks: [], outcome: undefined },
    },
  },
  { kind: "runs", seq: 12, outcome: { at: "listed", runs: [run, { ...run, status: "completed" }], isLast: false } },
  { kind: "runs", seq: 12, outcome: failure },
  { kind: "committed", seq: 8, outcome: failure },
  { kind: "committed", seq: 8, outcome: { at: "unknown", code: "state-unknown", text: "The server is gone." } },
  { kind: "committed", seq: 8, outcome: { at: "stale", epoch } },
  { kind: "committed", seq: 8, outcome: { at: "refused", limit: "16777216 bytes of one agent's state" } },
  { kind: "reminders", seq: 9, outcome: { at: "listed", reminders: [reminder] } },
  { kind: "reminders", seq: 9, outcome: failure },
  { kind: "remembered", seq: 10, outcome: { at: "found", answer } },
  { kind: "remembered", seq: 10, outcome: { at: "found", answer: undefined } },
  { kind: "remembered", seq: 10, outcome: { at: "nothing" } },
  { kind: "remembered", seq: 10, outcome: failure },
  { kind: "heartbeat", seq: 3, isAnswer: true, leaseMs: 0 },
  { kind: "empty" },
];

describe("the stream of states", () => {
  test("every ask comes back as it was, by both codecs and to the same bytes", () => {
    for (const ask of [...quickAsks, ...otherAsks]) {
      const bytes = encodeStatesAsk(ask);
      expect(bytes).toEqual(encodeAskGenerated(ask));
      expect(decodeStatesAsk(bytes)).toEqual(ask);
      expect(decodeAskGenerated(bytes)).toEqual(ask);
    }
    for (const ask of quickAsks) expect(decodeAskQuickly(encodeStatesAsk(ask))).toEqual(ask);
  });

  test("every answer comes back as it was, by both codecs and to the same bytes", () => {
    for (const given of [...quickAnswers, ...otherAnswers]) {
      const bytes = encodeStatesAnswer(given);
      expect(bytes).toEqual(encodeAnswerGenerated(given));
      expect(decodeStatesAnswer(bytes)).toEqual(given);
      expect(decodeAnswerGenerated(bytes)).toEqual(given);
    }
    for (const given of quickAnswers) expect(decodeAnswerQuickly(encodeStatesAnswer(given))).toEqual(given);
  });

  // protocol.md §11.15
  test("messages have the bytes of the protocol's examples", () => {
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
    const seven = { type: "counter", key: "7" };
    const first = { ...commit, agent: seven, answers: [], expected: { at: "nothing" } } as const;
    const load = { kind: "load", seq: 7, agent: seven, epoch: undefined, unless: undefined } as const;
    expect(hex(encodeStatesAsk(load))).toBe("0a100807120c0a07636f756e746572120137");
    expect(hex(encodeStatesAnswer({ kind: "loaded", seq: 7, outcome: { at: "nothing" } }))).toBe("0a020807");
    expect(hex(encodeStatesAsk({ ...first, write: { ...put, schemaVersion: 1 } }))).toBe(
      "12330808120c0a07636f756e7465721201372a21080112106170706c69636174696f6e2f6a736f6e1a0b7b22746f74616c223a337d",
    );
    const answerOf = (outcome: HostedOutcome) => hex(encodeStatesAnswer({ kind: "committed", seq: 8, outcome }));
    expect(answerOf({ at: "committed", eTag: "t1-1", revision: 1 })).toBe("120c080810011a0474312d312801");
    expect(answerOf({ at: "conflict", eTag: "t1-2" })).toBe("120a080810021a0474312d32");
    expect(hex(encodeStatesAsk({ kind: "heartbeat", seq: 7, isAnswer: false, leaseMs: 0 }))).toBe("7a020807");
  });

  test("a harmed ask reads as the generated code reads it, or not at all", () => {
    const seeds = [...quickAsks, ...otherAsks].map(encodeStatesAsk).filter(({ length }) => length < 1_000);
    let state = 7;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      return state % below;
    };
    for (let round = 0; round < 4_000; round += 1) {
      const bytes = Uint8Array.from(seeds[random(seeds.length)] ?? []);
      for (let times = 1 + random(3); times > 0 && bytes.length > 0; times -= 1)
        bytes[random(bytes.length)] = random(256);
      const cut = random(4) === 0 ? bytes.subarray(0, random(bytes.length + 1)) : bytes;
      const quick = decodeAskQuickly(cut);
      if (quick !== undefined) expect(quick).toEqual(decodeAskGenerated(cut));
    }
  });

  test("an ask without an agent, without a write or with too large a number is refused", () => {
    expect(() => decodeStatesAsk(Uint8Array.of(0x0a, 0x02, 0x08, 0x07))).toThrow(/names no agent/);
    expect(() => decodeStatesAsk(Uint8Array.of(0x12, 0x06, 0x08, 0x07, 0x12, 0x02, 0x0a, 0x00))).toThrow(
      /about the record/,
    );
    const huge = [0x08, ...Array<number>(9).fill(0xff), 0x01, 0x12, 0x00];
    expect(() => decodeStatesAsk(Uint8Array.of(0x0a, huge.length, ...huge))).toThrow(/out of range/);
  });

  test("a commit of more fields than the host reads is refused at once", () => {
    const crowd = { ...commit, events: Array.from({ length: 10_001 }, () => answer) };
    expect(() => decodeStatesAsk(encodeStatesAsk(crowd))).toThrow(/more than 10000 fields/);
    const crowdOfReminders = Array.from({ length: 10_001 }, () => ({ at: "cancel", name: "x" }) as const);
    expect(() => decodeStatesAsk(encodeStatesAsk({ ...commit, reminders: crowdOfReminders }))).toThrow(
      /more than 10000 fields/,
    );
  });

  test("kind and number of an ask can be read from its beginning", () => {
    expect(readAskHead(encodeStatesAsk({ ...commit, write: { ...put, data: long } }).subarray(0, 100))).toEqual({
      kind: "commit",
      seq: 8,
    });
    expect(readAskHead(encodeStatesAsk({ kind: "reminders", seq: 300, agent }))).toEqual({
      kind: "reminders",
      seq: 300,
    });
    expect(readAskHead(Uint8Array.of(0x7a, 0x02, 0x08, 0x07))).toBeUndefined();
    expect(readAskHead(new Uint8Array(0))).toBeUndefined();
  });
});
