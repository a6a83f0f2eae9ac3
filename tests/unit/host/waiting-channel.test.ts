import { expect, it } from "vitest";
import { HostServicer } from "../../../src/host/index.ts";
import { limits } from "../../../src/host/limits.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import type { CallContext, ServerStream } from "../../../src/transport/index.ts";

it("a channel that is cut off because it sends too much before its admission gives its place back", () => {
  const clock = new ManualClock();
  const servicer = new HostServicer({ clock, authorize: () => new Promise<never>(() => {}) });
  const { signal } = new AbortController();
  const call: CallContext = { method: "OpenChannel", metadata: { "client-id": "W" }, peer: "p", signal };
  const told: string[] = [];
  // Only what a waiting channel uses of a stream.
  const stream = { pause: () => told.push("pause"), abort: () => told.push("abort") } as unknown as ServerStream;
  const channel = servicer.openChannel(call);
  channel.onOpen(stream);
  expect(clock.pendingTimers).toBe(1);
  channel.onFrame(new Uint8Array(limits.admissionBytes));
  expect(told).toEqual(["pause", "abort"]);
  expect(clock.pendingTimers).toBe(0);
});
