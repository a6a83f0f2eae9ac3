import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeFrameGenerated, encodeFrameGenerated } from "../../../src/protocol/frames/generated-codec.ts";
import { encodeControlHeartbeatGenerated } from "../../../src/protocol/frames/heartbeat.ts";
import { ControlMessageSchema, MessageSchema } from "../../../src/protocol/gen/agent_worker_pb.ts";
import { ControlSignalSchema, SignalMessageSchema } from "../../../src/protocol/gen/troupe/v1/channel_signal_pb.ts";
import { decodeFrame, encodeFrame, type Frame, type LeavingNotice, peekFrame } from "../../../src/protocol/index.ts";
import {
  decodeControl,
  decodeControlHeartbeat,
  encodeControl,
  encodeControlHeartbeat,
  withControlEpoch,
} from "../../../src/protocol/internal.ts";

const id = fc.string({ unit: "binary", maxLength: 200 });
const reason = fc.constantFrom("cancelled" as const, "timed-out" as const, "caller-gone" as const);
const cancel = fc.record({ kind: fc.constant("cancel" as const), requestId: id, reason });
const leaving = fc.record({ kind: fc.constant("leaving" as const), graceMs: fc.nat({ max: 2 ** 32 - 1 }) });
const uint32 = fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 2 ** 32 - 1 }));
const heartbeat = fc.record({
  kind: fc.constant("heartbeat" as const),
  seq: uint32,
  isAnswer: fc.boolean(),
  leaseMs: uint32,
});
const stuck = fc.record({
  kind: fc.constant("stuck" as const),
  requestId: id,
  path: id,
  behind: fc.array(id, { maxLength: 5 }),
});
const unstuck = fc.record({ kind: fc.constant("unstuck" as const), requestId: id });
const number = fc.oneof(fc.nat({ max: 300 }), fc.maxSafeNat());
const epoch = fc.record({ generation: number, era: uint32, number });
const agents = fc.array(fc.record({ type: id, key: id, epoch }), { maxLength: 5 });
const leaveReason = fc.constantFrom("idle", "capacity", "asked", "failed", "stale", "draining");
const returnReason = fc.constantFrom("leaving", "conflict", "unfit", "too-old", "no-lease");
const message = fc.uint8Array({ maxLength: 200 });
const moving: fc.Arbitrary<LeavingNotice> = fc.oneof(
  fc.record({ kind: fc.constant("leave"), agents, reason: leaveReason, graceMs: uint32 }),
  fc.record({ kind: fc.constant("ask-leave"), agents, reason: leaveReason }),
  fc.record({ kind: fc.constant("returned"), agents, reason: returnReason, message }),
  fc.record({ kind: fc.constantFrom("left", "stay"), agents }),
  fc.record({ kind: fc.constantFrom("leaving-worker", "drain"), graceMs: uint32 }),
);
const addresses = fc.array(id, { maxLength: 5 });
const lease: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ kind: fc.constant("holds" as const), agents }),
  fc.record({ kind: fc.constant("hosts" as const), addresses }),
  fc.record({ kind: fc.constantFrom("void" as const, "moving" as const, "last" as const) }),
  fc.record({
    kind: fc.constant("leaving" as const),
    graceMs: uint32,
    addresses: fc.array(id, { minLength: 1, maxLength: 5 }),
  }),
);
const signal: fc.Arbitrary<Frame> = fc.oneof(cancel, leaving, stuck, unstuck, heartbeat, moving, lease);

function written(init: MessageInitShape<typeof SignalMessageSchema>): Uint8Array {
  return toBinary(SignalMessageSchema, create(SignalMessageSchema, init));
}

/** What the generated code makes of these bytes; `bad` when it can't read them. */
function byGeneratedCode(bytes: Uint8Array): Frame | "bad" {
  try {
    return decodeFrameGenerated(Uint8Array.from(bytes));
  } catch {
    return "bad";
  }
}

describe("signals between Troupe's peers", () => {
  test("are read as they were written, by the codec, the host's peek and the generated code alike", () => {
    fc.assert(
      fc.property(signal, (frame) => {
        const bytes = encodeFrame(frame);
        expect(Buffer.from(bytes).equals(encodeFrameGenerated(frame))).toBe(true);
        expect(decodeFrame(bytes)).toEqual(frame);
        expect(peekFrame(bytes)).toEqual(frame);
        expect(decodeFrameGenerated(bytes)).toEqual(frame);
      }),
      { numRuns: 500 },
    );
  });

  test("have the bytes that protocol.md §11.2 gives", () => {
    const hex = (frame: Frame) => Buffer.from(encodeFrame(frame)).toString("hex");
    expect(hex({ kind: "cancel", requestId: "7", reason: "timed-out" })).toBe("c23e100a0e0a0137120974696d65642d6f7574");
    expect(hex({ kind: "leaving", graceMs: 5000 })).toBe("c23e0512030888" + "27");
    const behind = ["h1-4", "e2"];
    expect(hex({ kind: "stuck", requestId: "h1-7", path: "h1-3@order/7", behind })).toBe(
      "c23e204a1e0a0468312d37120c68312d33406f726465722f371a0468312d341a026532",
    );
    expect(hex({ kind: "unstuck", requestId: "h1-7" })).toBe("c23e0852060a0468312d37");
    expect(hex({ kind: "heartbeat", seq: 7, isAnswer: false, leaseMs: 0 })).toBe("c23e0472020807");
    expect(hex({ kind: "heartbeat", seq: 7, isAnswer: true, leaseMs: 3000 })).toBe("c23e097207080710" + "0118b817");
  });

  test("have the bytes that protocol.md §11.17 gives", () => {
    const hex = (frame: Frame) => Buffer.from(encodeFrame(frame)).toString("hex");
    const agents = [{ type: "room", key: "7", epoch: { generation: 1, era: 2, number: 3 } }];
    const message = encodeFrame({
      ...{ kind: "request", requestId: "h1-7", source: undefined, payload: undefined, metadata: {} },
      target: { type: "room", key: "7" },
    });
    const of = (...frames: readonly Frame[]) => frames.map(hex);
    expect(
      of(
        { kind: "leave", agents, reason: "idle", graceMs: 0 },
        { kind: "leave", agents, reason: "draining", graceMs: 10_000 },
        { kind: "leave", agents: [], reason: "draining", graceMs: 0 },
        { kind: "ask-leave", agents, reason: "idle" },
        { kind: "returned", agents, reason: "leaving", message },
        { kind: "left", agents },
        { kind: "leaving-worker", graceMs: 10_000 },
        { kind: "leaving-worker", graceMs: 0 },
        { kind: "drain", graceMs: 10_000 },
        { kind: "stay", agents },
      ),
    ).toEqual(leavingVectors);
  });

  test("have the bytes that protocol.md §11.19 gives", () => {
    const hex = (frame: Frame) => Buffer.from(encodeFrame(frame)).toString("hex");
    const agents = [{ type: "room", key: "7", epoch: { generation: 1, era: 2, number: 3 } }];
    const addresses = ["10.0.0.7:50051"];
    const frames: readonly Frame[] = [
      { kind: "holds", agents },
      { kind: "void" },
      { kind: "hosts", addresses },
      { kind: "moving" },
      { kind: "last" },
      { kind: "leaving", graceMs: 10_000, addresses },
    ];
    expect(frames.map(hex)).toEqual(leaseVectors);
  });

  test("that name hosts may name 64 of 512 characters; one with more says nothing, and a host leaves all the same", () => {
    const most = new Array(64).fill("h".repeat(512));
    const frame = { kind: "hosts", addresses: most } as const;
    expect(peekFrame(encodeFrame(frame))).toEqual(frame);
    for (const addresses of [[...most, "a:1"], ["h".repeat(513)]]) {
      const hosts = written({ signal: { signal: { case: "hosts", value: { addresses } } } });
      expect(peekFrame(hosts)).toEqual({ kind: "empty" });
      const leaving = written({ signal: { signal: { case: "leaving", value: { graceMs: 5, addresses } } } });
      expect(peekFrame(leaving)).toEqual({ kind: "leaving", graceMs: 5 });
      expect(() => encodeFrame({ kind: "hosts", addresses })).toThrow(/at most 64 addresses of 512 characters/);
      expect(() => encodeFrame({ kind: "leaving", graceMs: 5, addresses })).toThrow(/at most 64 addresses/);
    }
  });

  test("that list agents may name 1,000 of them; one with more says nothing", () => {
    const one = { type: "room", key: "k", epoch: { generation: 1, era: 1, number: 1 } };
    const frame = { kind: "left", agents: new Array(1_000).fill(one) } as const;
    expect(peekFrame(encodeFrame(frame))).toEqual(frame);
    const wire = { type: "room", key: "k", epoch: { generation: 1n, era: 1, number: 1n } };
    for (const kind of ["leave", "askLeave", "returned", "left", "stay", "holds"] as const) {
      const signal = { case: kind, value: { agents: new Array(1_001).fill(wire) } };
      expect(peekFrame(written({ signal: { signal } }))).toEqual({ kind: "empty" });
    }
    expect(() => encodeFrame({ kind: "left", agents: new Array(1_001).fill(one) })).toThrow(/at most 1000 agents/);
  });

  test("with a reason of a later version are read as the most careful one, and without an epoch as of no claim", () => {
    const agents = [{ type: "room", key: "7" }];
    const [noClaim] = [{ type: "room", key: "7", epoch: { generation: 0, era: 0, number: 0 } }];
    const asked = written({ signal: { signal: { case: "askLeave", value: { agents, reason: "bored" } } } });
    expect(decodeFrame(asked)).toEqual({ kind: "ask-leave", agents: [noClaim], reason: "asked" });
    const returned = written({ signal: { signal: { case: "returned", value: { agents, reason: "bored" } } } });
    expect(decodeFrame(returned)).toMatchObject({ kind: "returned", reason: "leaving" });
  });

  test("the epoch of a control envelope is read as the host wrote it, whatever its sender wrote", () => {
    const bare = { rpcId: "1", destination: "agentid=room/7", respondTo: undefined, body: undefined };
    fc.assert(
      fc.property(epoch, fc.option(epoch, { nil: undefined }), (own, forged) => {
        const bytes = withControlEpoch(encodeControl({ ...bare, epoch: forged }), own);
        expect(decodeControl(bytes)).toEqual({ ...bare, epoch: own });
        const { $unknown, ...known } = fromBinary(ControlMessageSchema, bytes);
        expect(known).toMatchObject({ rpcId: "1", destination: "agentid=room/7" });
      }),
    );
    const vector = withControlEpoch(new Uint8Array(0), { generation: 1, era: 2, number: 3 });
    expect(Buffer.from(vector).toString("hex")).toBe("c23e06080010001800c23e06080110021803");
  });

  test("heartbeats of the control channel are read as they were written, also by the generated code, and as an empty envelope by others", () => {
    const seven = { kind: "heartbeat", seq: 7, isAnswer: false, leaseMs: 0 } as const;
    expect(Buffer.from(encodeControlHeartbeat(seven)).toString("hex")).toBe("ca3e020807");
    fc.assert(
      fc.property(heartbeat, (frame) => {
        const bytes = encodeControlHeartbeat(frame);
        expect(Buffer.from(bytes).equals(encodeControlHeartbeatGenerated(frame))).toBe(true);
        expect(decodeControlHeartbeat(bytes)).toEqual(frame);
        expect(decodeControl(bytes)).toEqual({ rpcId: "", destination: "", respondTo: undefined, body: undefined });
      }),
    );
  });

  test("damaged heartbeats of the control channel are read as the generated code reads them, or not at all", () => {
    fc.assert(
      fc.property(heartbeat, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 }), (frame, changes) => {
        const bytes = Uint8Array.from(encodeControlHeartbeat(frame));
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        const read = decodeControlHeartbeat(bytes);
        if (read === undefined) return;
        const { heartbeat: expected } = fromBinary(ControlSignalSchema, bytes);
        expect(read).toEqual({
          kind: "heartbeat",
          seq: expected?.seq,
          isAnswer: expected?.isAnswer,
          leaseMs: expected?.leaseMs,
        });
      }),
      { numRuns: 2000 },
    );
  });

  test("are a message without an arm to a peer that only knows the published revisions", () => {
    fc.assert(
      fc.property(signal, (frame) => {
        const message = fromBinary(MessageSchema, encodeFrame(frame));
        expect(message.message.case).toBeUndefined();
        expect(message.$unknown?.map((field) => field.no)).toEqual([1000]);
      }),
    );
  });

  test("beside an arm of the published revisions count for nothing", () => {
    const call: Frame = { kind: "response", requestId: "1", payload: undefined, error: "boom", metadata: {} };
    const both = Buffer.concat([encodeFrame({ kind: "leaving", graceMs: 1 }), encodeFrame(call)]);
    expect(decodeFrame(both)).toEqual(call);
    expect(peekFrame(both).kind).toBe("response");
  });

  test("of a kind that this version does not know are passed over, a reason it does not know is a plain cancel", () => {
    expect(decodeFrame(written({ signal: {} }))).toEqual({ kind: "empty" });
    expect(peekFrame(written({ signal: {} }))).toEqual({ kind: "empty" });
    const value = { requestId: "7", reason: "weary" };
    const frame = { kind: "cancel", requestId: "7", reason: "cancelled" };
    expect(decodeFrame(written({ signal: { signal: { case: "cancel", value } } }))).toEqual(frame);
  });

  test("with damaged bytes are read as the generated code reads them, or not at all", () => {
    fc.assert(
      fc.property(
        signal,
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 }),
        fc.nat(),
        (...given) => {
          const [frame, changes, cut] = given;
          const bytes = Uint8Array.from(encodeFrame(frame));
          for (const [at, value] of changes) bytes[at % bytes.length] = value;
          const damaged = cut % 3 === 0 ? bytes.subarray(0, cut % bytes.length) : bytes;
          const expected = byGeneratedCode(damaged);
          const peeked = peekFrame(damaged);
          if (expected === "bad") {
            expect(peeked.kind).toBe("bad");
            expect(() => decodeFrame(damaged)).toThrow(expect.objectContaining({ code: "invalid-message" }));
          } else {
            expect(decodeFrame(damaged)).toEqual(expected);
            if (["cancel", "leaving", "heartbeat"].includes(expected.kind)) expect(peeked).toEqual(expected);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});

/** The table of protocol.md §11.17. */
const leavingVectors: readonly string[] = [
  "c23e1b1a190a110a04726f6f6d1201371a06080110021803120469646c65",
  "c23e221a200a110a04726f6f6d1201371a060801100218031208647261696e696e6718904e",
  "c23e0c1a0a1208647261696e696e67",
  "c23e1b22190a110a04726f6f6d1201371a06080110021803120469646c65",
  "c23e332a310a110a04726f6f6d1201371a0608011002180312076c656176696e671a130a110a0468312d371a090a04726f6f6d120137",
  "c23e1532130a110a04726f6f6d1201371a06080110021803",
  "c23e053a0308904e",
  "c23e023a00",
  "c23e05420308904e",
  "c23e155a130a110a04726f6f6d1201371a06080110021803",
];

/** The table of protocol.md §11.19. */
const leaseVectors: readonly string[] = [
  "c23e16ba01130a110a04726f6f6d1201371a06080110021803",
  "c23e03c20100",
  "c23e13ca01100a0e31302e302e302e373a3530303531",
  "c23e03d20100",
  "c23e03da0100",
  "c23e15121308904e120e31302e302e302e373a3530303531",
];
