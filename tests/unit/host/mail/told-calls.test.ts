import { expect, it } from "vitest";
import { createHostCounters } from "../../../../src/host/counters.ts";
import { HeldStore } from "../../../../src/host/held-store.ts";
import type { HostCourier } from "../../../../src/host/mail/host-courier.ts";
import { ToldCalls } from "../../../../src/host/mail/told-calls.ts";
import { encodeFrame, peekFrame } from "../../../../src/protocol/internal.ts";
import { MemoryStateStore } from "../../../../src/storage/index.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { KeptChannel } from "../../../support/placement-world.ts";
import { requestFrame } from "../../../support/worker/frames.ts";

function toldRequest(requestId: string) {
  const peeked = peekFrame(encodeFrame(requestFrame("room/k", { requestId, metadata: { agidempotency: requestId } })));
  if (peeked.kind !== "request") throw new Error("a request was made");
  return peeked;
}

it("a host that stops refuses to keep what it is told, so that its worker tells it to another one", async () => {
  const counters = createHostCounters();
  const held = new HeldStore({
    store: new MemoryStateStore(),
    takesOver: false,
    counters,
    logger: undefined,
    clock: new ManualClock(),
  });
  const kept: string[] = [];
  const keep = async (_receiver: unknown, { id }: { readonly id: string }) => {
    kept.push(id);
    return "kept";
  };
  // Of the courier this method alone is used.
  const courier = { keep } as unknown as HostCourier;
  const told = new ToldCalls({
    ...{ held, courier, clock: new ManualClock(), counters },
    isDurableType: undefined,
    makeId: () => "id",
  });
  const caller = new KeptChannel("C", "C");
  told.take(caller, toldRequest("1"));
  await expect.poll(() => caller.arrived.length, { interval: 1 }).toBe(1);
  told.drain();
  told.take(caller, toldRequest("2"));
  const answers = caller.arrived.map(({ frame }) => frame);
  expect(answers).toMatchObject([
    { kind: "response", requestId: "1", error: "" },
    { kind: "response", requestId: "2", metadata: { agerrorcode: "shutting-down", agnothandled: "1" } },
  ]);
  expect(kept).toEqual(["1"]);
});
