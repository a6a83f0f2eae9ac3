import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeFrameGenerated, encodeFrameGenerated } from "../../../src/protocol/frames/generated-codec.ts";
import { encodeControlHeartbeatGenerated } from "../../../src/protocol/frames/heartbeat.ts";
import { MessageSchema } from "../../../src/protocol/gen/agent_worker_pb.ts";
import { ControlSignalSchema, SignalMessageSchema } from "../../../src/protocol/gen/troupe/v1/channel_signal_pb.ts";
import { decodeFrame, encodeFrame, type Frame, peekFrame } from "../../../src/protocol/index.ts";
import { decodeControl, decodeControlHeartbeat, encodeControlHeartbeat } from "../../../src/protocol/internal.ts";

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
const signal: fc.Arbitrary<Frame> = fc.oneof(cancel, leaving, stuck, unstuck, heartbeat);

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
