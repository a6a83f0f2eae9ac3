import { expect, test } from "vitest";
import { MemoryStateStore } from "../../../../src/core/internal.ts";
import { createHostCounters } from "../../../../src/host/counters.ts";
import { HeldStore } from "../../../../src/host/held-store.ts";
import { limits } from "../../../../src/host/limits.ts";
import { DurableSubscriptions } from "../../../../src/host/mail/durable-subscriptions.ts";
import { ManualClock } from "../../../../src/testing/index.ts";

test("durable subscriptions of types that no worker serves are bounded for each address; served types are not", async () => {
  const store = new MemoryStateStore();
  const held = new HeldStore({
    store,
    takesOver: false,
    counters: createHostCounters(),
    logger: undefined,
    clock: new ManualClock(),
  });
  const served = new Set<string>();
  const subscriptions = new DurableSubscriptions(held, { isServed: (type) => served.has(type) });
  const add = (agentType: string, party: string) => {
    const servedBy = () => (served.has(agentType) ? ("own principal" as const) : ("nobody" as const));
    const by = { principal: undefined, party, servedBy };
    return subscriptions.add({ kind: "type", topicType: "orders", agentType }, by);
  };
  for (let at = 0; at < limits.unservedDurableTypes; at += 1) {
    expect(await add(`type${at}`, "greedy")).toEqual({ at: "done", changed: 1 });
  }
  expect(await add("more", "greedy")).toMatchObject({
    at: "full",
    reason: expect.stringContaining("no worker serves"),
  });
  expect(await add("other", "modest")).toEqual({ at: "done", changed: 1 });
  served.add("more");
  expect(await add("more", "greedy")).toEqual({ at: "done", changed: 1 });
  // A type that a worker serves by now makes space, and so does one without subscriptions.
  served.add("type0");
  expect(await add("next", "greedy")).toEqual({ at: "done", changed: 1 });
  expect((await add("last", "greedy")).at).toBe("full");
  await subscriptions.removeFor("type1", undefined);
  expect(await add("last", "greedy")).toEqual({ at: "done", changed: 1 });
});

test("the bound of an address holds after a restart of the host, and at another host of its cluster", async () => {
  const store = new MemoryStateStore();
  const open = (own: MemoryStateStore, isShared: boolean) => {
    const held = new HeldStore({
      ...{ store: own, takesOver: true, counters: createHostCounters(), logger: undefined },
      clock: new ManualClock(),
    });
    const served = new Set<string>();
    const subscriptions = new DurableSubscriptions(held, { isShared, isServed: (type) => served.has(type) });
    const add = async (agentType: string, party: string) => {
      const by = { principal: undefined, party, servedBy: () => "nobody" as const };
      return (await subscriptions.add({ kind: "type", topicType: "orders", agentType }, by)).at;
    };
    return { held, served, add };
  };
  const first = open(store, false);
  for (let at = 0; at < limits.unservedDurableTypes; at += 1) await first.add(`type${at}`, "greedy");
  await first.held.close();
  const again = open(store.reopen(), false);
  expect(await again.add("more", "greedy")).toBe("full");
  expect(await again.add("other", "modest")).toBe("done");
  // What the address has already stays, and a type that a worker serves by now makes space.
  expect(await again.add("type0", "greedy")).toBe("done");
  again.served.add("type1");
  expect(await again.add("more", "greedy")).toBe("done");
  await again.held.close();
  const [one, other] = [open(store.reopen(), true), open(store.reopen(), true)];
  expect(await one.add("third", "third")).toBe("done");
  expect(await other.add("last", "greedy")).toBe("full");
});
