import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { PeerFrameSchema } from "../../../../src/protocol/gen/troupe/v1/peer_pb.ts";
import {
  decodePeerFrame,
  encodeFrame,
  encodePeerAnswer,
  encodePeerCall,
  encodePeerEvent,
  encodePeerFrame,
  joinFrame,
  type PeerFrame,
  peekFrame,
  type RarePeerFrame,
  spliceRequestId,
} from "../../../../src/protocol/internal.ts";
import { decodePeerFrameQuickly } from "../../../../src/protocol/peers/quick-peer-codec.ts";

const worker = { id: "w1", name: "eu", version: "2", labels: { zone: "a" } };
const rare: readonly RarePeerFrame[] = [
  { kind: "hello", cluster: "troupe", hostId: "h1", oldest: 1, newest: 2, features: new Set(["heartbeat", "turns"]) },
  { kind: "notice", notice: Buffer.from("notice") },
  {
    ...{ kind: "bounce", what: { requestId: "m-7" }, types: [], reason: "It is not here.", heldBy: undefined },
    frame: Buffer.from("call"),
  },
  {
    ...{ kind: "bounce", what: { event: 0 }, types: ["room", "hall"], reason: "It has moved.", heldBy: "w2" },
    frame: Buffer.from("event"),
  },
  { kind: "taken", what: { requestId: "m-7" } },
  { kind: "taken", what: { event: 2 ** 31 - 1 } },
  { kind: "flush", number: 7, slot: 3, agentType: "room", key: "größe" },
  { kind: "flushed", number: 7 },
  {
    ...{ kind: "here", slot: 3, session: 4, clientId: "c1", isAnnounced: true, worker },
    ...{ capabilities: new Set(["turns"]), isDraining: true },
  },
  {
    ...{ kind: "here", slot: 300, session: 0, clientId: "c2", isAnnounced: false },
    ...{ worker: { id: "c2", name: "c2", version: undefined, labels: {} }, capabilities: new Set(), isDraining: false },
  },
  { kind: "away", slot: 3 },
  { kind: "interest", begins: true, pattern: { kind: "type", topicType: "news", agentType: "reader" } },
  { kind: "interest", begins: false, pattern: { kind: "prefix", topicTypePrefix: "", agentType: "reader" } },
  {
    kind: "load",
    workers: [
      { slot: 3, agents: 2_000_000, calls: 0 },
      { slot: 300, agents: 0, calls: 7 },
    ],
  },
  { kind: "barrier", number: 9 },
  { kind: "barrier-read", number: 2 ** 40 },
  { kind: "control", envelope: Buffer.from("control") },
  {
    ...{ kind: "unary", number: 1, method: "AddSubscription", clientId: "c", principal: "anna" },
    ...{ request: Buffer.from("request"), metadata: { agshared: "1" } },
  },
  {
    ...{ kind: "unary", number: 2, method: "GetSubscriptions", clientId: "c", principal: undefined },
    ...{ request: new Uint8Array(0), metadata: {} },
  },
  {
    ...{ kind: "unary-answer", number: 1, code: 3, details: "no", answer: new Uint8Array(0) },
    metadata: { agholder: "c9" },
  },
];

describe("frames between hosts", () => {
  it.each(rare.map((frame) => [frame.kind, frame] as const))("come as they were sent: %s", (_kind, frame) => {
    expect(plain(decodePeerFrame(encodePeerFrame(frame)))).toEqual(plain(frame));
  });

  const principals = [undefined, "alice", "ß".repeat(200)];
  const marks = principals.flatMap((principal) => [[false, principal] as const, [true, principal] as const]);
  it.each([0, 1, 127, 128, 70_000].flatMap((slot) => marks.map((mark) => [slot, ...mark] as const)))(
    "carry a call to slot %i in a few bytes before its own, first on its route: %s, of principal %s",
    (slot, isFirst, principal) => {
      const message = encodeFrame({
        ...{ kind: "request", requestId: "1", source: undefined, target: { type: "echo", key: "k" } },
        ...{ payload: { typeName: "t", contentType: "c", data: new Uint8Array(300) }, metadata: {} },
      });
      const peeked = peekFrame(message);
      if (peeked.kind !== "request") throw new Error("It is no call.");
      const id = Buffer.from("host-12");
      const bytes = Buffer.from(joinFrame(encodePeerCall(slot, spliceRequestId(peeked, id), { isFirst, principal })));
      const frame = Buffer.from(joinFrame(spliceRequestId(peeked, id)));
      expect(plain(decodePeerFrame(bytes))).toEqual(plain({ kind: "call", slot, isFirst, principal, frame }));
      const generated = toBinary(
        PeerFrameSchema,
        create(PeerFrameSchema, { kind: { case: "call", value: { slot, flags: isFirst ? 1 : 0, principal, frame } } }),
      );
      expect(bytes.equals(generated)).toBe(true);
      expect(decodePeerFrameQuickly(generated)).toBeDefined();
    },
  );

  it.each([0, 5, 200, 100_000])("carry an answer of %i bytes", (length) => {
    const frame = Buffer.alloc(length, 7);
    const bytes = Buffer.from(joinFrame(encodePeerAnswer(frame)));
    expect(plain(decodePeerFrame(bytes))).toEqual(plain({ kind: "answer", frame }));
    const generated = toBinary(PeerFrameSchema, create(PeerFrameSchema, { kind: { case: "answer", value: frame } }));
    expect(bytes.equals(generated)).toBe(true);
  });

  it.each([
    [0, [{ slot: 0, types: ["reader"] }]],
    [0, [{ slot: 0, types: ["reader", "größe"] }]],
    [0, [{ slot: 0, types: Array.from({ length: 300 }, (_, at) => `type-${at}`) }]],
    [
      0,
      [
        { slot: 0, types: ["reader"] },
        { slot: 7, types: ["room", "hall"] },
        { slot: 70_000, types: ["room"] },
      ],
    ],
    [2 ** 31 - 1, [{ slot: 7, types: ["room"] }]],
  ])("carry an event %#", (number, targets) => {
    const frame = Buffer.alloc(500, 9);
    const bytes = Buffer.from(joinFrame(encodePeerEvent(targets, frame, number)));
    expect(plain(decodePeerFrame(bytes))).toEqual(plain({ kind: "event", number, targets, frame }));
    const value = { number: BigInt(number), targets, frame };
    const generated = toBinary(PeerFrameSchema, create(PeerFrameSchema, { kind: { case: "event", value } }));
    expect(bytes.equals(generated)).toBe(true);
    expect(decodePeerFrameQuickly(generated)).toBeDefined();
  });

  it("name so many agent types as a cluster has, and no more", () => {
    const frame = Buffer.from("event");
    const event = (targets: number, types: number): Buffer => {
      const names = Array.from({ length: types }, (_, at) => `t${at}`);
      const all = Array.from({ length: targets }, (_, at) => ({ slot: at + 1, types: targets === 1 ? names : ["t"] }));
      return Buffer.from(joinFrame(encodePeerEvent(all, frame)));
    };
    for (const bytes of [event(100_000, 1), event(1, 199_999)]) expect(decodePeerFrame(bytes).kind).toBe("event");
    for (const bytes of [event(100_001, 1), event(1, 200_000)])
      expect(() => decodePeerFrame(bytes)).toThrow("more than 10000 fields");
  });

  it("are read by the generated code where they are written in another way", () => {
    const frame = Buffer.from("frame");
    const call = toBinary(
      PeerFrameSchema,
      create(PeerFrameSchema, { kind: { case: "call", value: { slot: 1, frame } } }),
    );
    // The slot stands twice; the last one counts.
    const twice = Buffer.from([0x0a, (call[1] ?? 0) + 2, 0x08, 0x05, ...call.subarray(2)]);
    expect(decodePeerFrameQuickly(twice)).toBeUndefined();
    expect(plain(decodePeerFrame(twice))).toEqual(
      plain({ kind: "call", slot: 1, isFirst: false, principal: undefined, frame }),
    );
  });

  it("are ignored if a later version has made them, and refused if they are broken", () => {
    expect(decodePeerFrame(new Uint8Array(0))).toEqual({ kind: "empty" });
    expect(decodePeerFrame(Buffer.from([0xfa, 0x06, 0x00]))).toEqual({ kind: "empty" });
    expect(() => decodePeerFrame(Buffer.from([0x0a, 0x09, 0x01]))).toThrow("Can't read a frame between hosts");
  });
});

/** Bytes as Buffers and records without their prototypes, so that they compare by content. */
function plain(frame: PeerFrame): unknown {
  const values = Object.entries(frame).map(([name, value]) => [name, plainValue(value)]);
  return Object.fromEntries(values);
}

function plainValue(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value instanceof Set) return [...value];
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plainValue(inner)]));
}
