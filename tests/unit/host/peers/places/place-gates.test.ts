import { describe, expect, it } from "vitest";
import { limits } from "../../../../../src/host/limits.ts";
import { type GatedMessage, PlaceGates } from "../../../../../src/host/peers/places/place-gates.ts";
import { ManualClock } from "../../../../../src/testing/index.ts";
import { createMemoryAccountant } from "../../../../../src/transport/internal.ts";

const accountant = createMemoryAccountant({ maxBytes: 1024 ** 3 });

function accountOf(party: string) {
  return accountant.openAccount({ party, name: party, giveWay: () => undefined });
}

function open() {
  const clock = new ManualClock();
  const gates = new PlaceGates(clock);
  const [placed, expired]: [string[], string[]] = [[], []];
  const message = (name: string, more: Partial<GatedMessage> = {}): GatedMessage => ({
    ...{ account: accountOf("a"), byteLength: 1, agentTypes: ["t"], sinceMs: undefined },
    place: () => placed.push(name),
    expire: () => expired.push(name),
    ...more,
  });
  return { clock, gates, placed, expired, message };
}

describe("gates of exclusive types", () => {
  it("let through first what came back, then what waited, and nothing while they are closed", () => {
    const { gates, placed, message } = open();
    gates.close("w");
    gates.close("w");
    expect(gates.hold("w", message("3"))).toBe(true);
    for (const name of ["1", "2"]) expect(gates.giveBack("w", message(name))).toBe(true);
    gates.release("w");
    gates.open("w");
    expect([placed, gates.isClosed("w"), gates.keyOf("t")]).toEqual([[], true, "w"]);
    gates.open("w");
    expect([placed, gates.isInUse, gates.keyOf("t")]).toEqual([["1", "2", "3"], false, undefined]);
  });

  it("let messages wait for one type at one gate, in order, when the first of them finds no place", () => {
    const { gates, placed, message } = open();
    const again = (name: string): GatedMessage => {
      const one = message(name, { place: () => gates.hold(gates.keyOf("t") ?? "next", message(name)) });
      return one;
    };
    for (const name of ["1", "2", "3"]) gates.hold("w", again(name));
    gates.release("w");
    expect([gates.keyOf("t"), gates.size]).toEqual(["next", 3]);
    gates.release("next");
    expect(placed).toEqual(["1", "2", "3"]);
  });

  it("take no more than two thirds from the senders of one address", () => {
    const { gates, message } = open();
    const { heldPerPlace, heldBytesPerPlace } = limits;
    let count = 0;
    while (gates.hold("w", message("one"))) count += 1;
    expect(count).toBe(Math.ceil((heldPerPlace * 2) / 3));
    expect(gates.hold("w", message("other", { account: accountOf("b") }))).toBe(true);
    const long = { byteLength: Math.ceil((heldBytesPerPlace * 2) / 3) + 1 };
    expect(gates.hold("x", message("long", { ...long, agentTypes: ["u"] }))).toBe(true);
    expect(gates.hold("x", message("one more", { agentTypes: ["u"] }))).toBe(false);
    expect(gates.hold("x", message("other", { account: accountOf("b"), agentTypes: ["u"] }))).toBe(true);
  });

  it("take memory for what waits, and give it back", () => {
    const { gates, message } = open();
    const before = accountant.heldBytes;
    const [one, two] = [message("1", { byteLength: 100 }), message("2", { byteLength: 100 })];
    for (const each of [one, two]) gates.hold("w", each);
    expect(accountant.heldBytes - before).toBeGreaterThan(200);
    gates.forget(one);
    gates.release("w");
    expect(accountant.heldBytes).toBe(before);
  });

  it("end what has waited for 5 s, also at several gates one after the other", () => {
    const { clock, gates, expired, message } = open();
    const held: GatedMessage = message("1", { place: () => void gates.hold("next", held) });
    gates.hold("w", held);
    clock.advance(limits.elsewhereMs - 1);
    gates.release("w");
    expect(expired).toEqual([]);
    clock.advance(1);
    expect([expired, gates.isInUse]).toEqual([["1"], false]);
  });
});
