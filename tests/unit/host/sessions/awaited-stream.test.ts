import { expect, it } from "vitest";
import { limits } from "../../../../src/host/limits.ts";
import type { Admitted } from "../../../../src/host/sessions/admission.ts";
import { AwaitedStream } from "../../../../src/host/sessions/awaited-stream.ts";
import {
  createMemoryAccountant,
  RpcError,
  type ServerStream,
  type ServerStreamReceiver,
  StatusCode,
} from "../../../../src/transport/index.ts";

function setUp(options: { readonly refusal?: RpcError } = {}) {
  const told: string[] = [];
  /** What else the receiver does. */
  const hooks = { open: () => {}, frame: () => {} };
  let admit: (principal: Admitted) => void = () => {};
  let refuse: (reason: unknown) => void = () => {};
  const admitted = new Promise<Admitted>((resolve, reject) => {
    admit = resolve;
    refuse = reject;
  });
  const receiver: ServerStreamReceiver = {
    onOpen: () => {
      told.push("open");
      hooks.open();
    },
    onFrame: ([first]) => {
      told.push(`frame ${first}`);
      hooks.frame();
    },
    onHalfClose: () => told.push("half-close"),
    onBadFrame: () => told.push("bad frame"),
    onDrain: () => told.push("drain"),
    onEnd: ({ by }) => told.push(`end by ${by}`),
  };
  // Only what an awaited stream uses of one.
  const stream = {
    pause: () => told.push("pause"),
    respond: () => told.push("respond"),
    resume: () => told.push("resume"),
    finish: ({ code }: { readonly code: number }) => told.push(`finish ${code}`),
    abort: ({ code }: { readonly code: number }) => told.push(`abort ${code}`),
  } as unknown as ServerStream;
  const account = createMemoryAccountant().openAccount({ party: "p", name: "connection p", giveWay: () => undefined });
  const awaited = new AwaitedStream({
    admitted,
    account,
    createReceiver: () => {
      if (options.refusal !== undefined) throw options.refusal;
      return receiver;
    },
    onGone: () => told.push("gone"),
  });
  awaited.onOpen(stream);
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  return { awaited, told, settled, admit, refuse, hooks };
}

it("pauses the stream before its first frame and passes on what still comes in order, the half-close last", async () => {
  const { awaited, told, settled, admit } = setUp();
  awaited.onFrame(Uint8Array.of(1));
  awaited.onBadFrame({ code: StatusCode.resourceExhausted, details: "" });
  awaited.onFrame(Uint8Array.of(2));
  awaited.onHalfClose();
  expect(told).toEqual(["pause"]);
  told.length = 0;
  admit(undefined);
  await settled();
  expect(told).toEqual(["respond", "open", "frame 1", "bad frame", "frame 2", "half-close", "resume"]);
  awaited.onFrame(Uint8Array.of(3));
  awaited.onEnd({ by: "peer" });
  expect(told.slice(-2)).toEqual(["frame 3", "end by peer"]);
});

it.each([
  ["long", limits.admissionBytes / 2],
  ["empty", 0],
])("cuts off a stream that sends more %s frames than its bound, and admits it no more", async (_what, bytes) => {
  const { awaited, told, settled, admit } = setUp();
  const frame = new Uint8Array(bytes);
  for (let count = 0; count < limits.admissionBytes / 50; count += 1) awaited.onFrame(frame);
  expect(told.filter((what) => what !== "pause")).toEqual(["gone", `abort ${StatusCode.resourceExhausted}`]);
  admit(undefined);
  await settled();
  expect(told.at(-1)).toBe(`abort ${StatusCode.resourceExhausted}`);
});

it("cuts off a stream whose first frame is longer than its bound already", () => {
  const { awaited, told } = setUp();
  awaited.onFrame(new Uint8Array(2 * limits.admissionBytes));
  expect(told).toEqual(["pause", "gone", `abort ${StatusCode.resourceExhausted}`]);
});

it.each(["open", "frame"] as const)("ends the stream with INTERNAL when its receiver throws at %s", async (at) => {
  const { awaited, told, settled, admit, hooks } = setUp();
  awaited.onFrame(Uint8Array.of(1));
  awaited.onFrame(Uint8Array.of(2));
  hooks[at] = () => {
    throw new Error("no id");
  };
  admit(undefined);
  await settled();
  expect(told.slice(-2)).toEqual([`abort ${StatusCode.internal}`, "resume"]);
  expect(told).not.toContain("frame 2");
});

it("tells the receiver nothing more once the stream has ended amid what waited", async () => {
  const { awaited, told, settled, admit, hooks } = setUp();
  awaited.onFrame(Uint8Array.of(1));
  awaited.onFrame(Uint8Array.of(2));
  hooks.frame = () => awaited.onEnd({ by: "peer" });
  admit(undefined);
  await settled();
  expect(told).toEqual(["pause", "respond", "open", "frame 1", "end by peer", "resume"]);
});

it("opens nothing after a hang-up, and gives its admission back at once", async () => {
  const { awaited, told, settled, admit } = setUp();
  awaited.onFrame(Uint8Array.of(1));
  awaited.onEnd({ by: "peer" });
  admit(undefined);
  await settled();
  expect(told).toEqual(["pause", "gone"]);
});

it("answers the refusal of the admission, and that of the receiver, with their status", async () => {
  const denied = setUp();
  denied.refuse(new RpcError(StatusCode.permissionDenied, "no"));
  await denied.settled();
  expect(denied.told).toEqual(["pause", `finish ${StatusCode.permissionDenied}`, "resume"]);
  const full = setUp({ refusal: new RpcError(StatusCode.resourceExhausted, "full") });
  full.admit(undefined);
  await full.settled();
  expect(full.told).toEqual(["pause", `finish ${StatusCode.resourceExhausted}`, "resume"]);
});
