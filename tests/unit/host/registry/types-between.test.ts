import { describe, expect, it } from "vitest";
import { TypesBetween } from "../../../../src/host/registry/types-between.ts";
import { createMemoryAccountant } from "../../../../src/transport/internal.ts";
import { peerOf } from "../../../support/placed-peer.ts";

const worker = { id: "A", name: "A", version: undefined, labels: {} };

function openBetween(maxBytes?: number) {
  const accountant = createMemoryAccountant(maxBytes === undefined ? {} : { maxBytes });
  const channel = (id: string) =>
    peerOf(id, "here", { worker, account: accountant.openAccount({ party: "here", name: id, giveWay: () => {} }) });
  return { accountant, channel, between: new TypesBetween() };
}

describe("the types of a worker that changes its connection", () => {
  it("are at most 1,000, which the newest channel pays for, and go with its end", () => {
    const { accountant, channel, between } = openBetween();
    const [second, third] = [channel("A2"), channel("A3")];
    const heldBefore = accountant.heldBytes;
    between.keep(
      second,
      Array.from({ length: 2_000 }, (_, at) => `type${at}`),
    );
    expect([between.has("A", "type999"), between.has("A", "type1000"), between.has("B", "type1")]).toEqual([
      ...[true, false, false],
    ]);
    const held = accountant.heldBytes;
    expect(held).toBeGreaterThan(heldBefore);
    between.keep(third, []);
    between.peerEnded(second);
    expect([between.has("A", "type999"), accountant.heldBytes]).toEqual([true, held]);
    between.peerEnded(third);
    expect([between.has("A", "type999"), accountant.heldBytes]).toEqual([false, heldBefore]);
  });

  it("come along when it changes its connection again before it has registered them", () => {
    const { accountant, channel, between } = openBetween();
    const [second, third] = [channel("A2"), channel("A3")];
    const heldBefore = accountant.heldBytes;
    between.keep(second, ["room"]);
    between.keep(third, ["desk"]);
    expect([between.has("A", "room"), between.has("A", "desk")]).toEqual([true, true]);
    between.peerEnded(third);
    expect([between.has("A", "room"), between.has("A", "desk"), accountant.heldBytes]).toEqual([
      ...[false, false, heldBefore],
    ]);
  });

  it("are not kept where the host has no memory for them", () => {
    const { channel, between } = openBetween(1_000);
    between.keep(
      channel("A2"),
      Array.from({ length: 100 }, (_, at) => `type${at}`),
    );
    expect(between.has("A", "type1")).toBe(false);
  });
});
