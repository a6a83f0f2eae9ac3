import { expect, it } from "vitest";
import { limits } from "../../../../src/host/limits.ts";
import { HostCaller } from "../../../../src/host/peers/host-caller.ts";
import type { LinkQueue } from "../../../../src/host/peers/links/link-queue.ts";
import { FlushMark } from "../../../../src/host/placement/cluster/flush-mark.ts";
import { type HeldMessage, HeldMessages, movingAgent, noClaim } from "../../../../src/host/placement/moving-agent.ts";
import { SharedType } from "../../../../src/host/registry/shared-type.ts";
import { createMemoryAccountant } from "../../../../src/transport/internal.ts";

it("a flush stands behind the messages for an agent also when no more of these find a place, and its link pays for it", () => {
  const type = new SharedType({
    ...{ name: "room", terms: { placement: undefined, requires: {} }, principal: undefined, era: 1 },
  });
  const account = createMemoryAccountant().openAccount({ party: "h2", name: "link", giveWay: () => undefined });
  // A mark uses no queue.
  const queue = {} as LinkQueue;
  const host = new HostCaller({
    ...{ hostId: "h2", passesChunks: true, number: 1, account, queue, tell: () => undefined, tellIfRoom: () => true },
  });
  const agent = movingAgent(type, "k", account, {
    ...{ at: "claiming", claim: noClaim("room", "k"), reason: "asked", newest: 0 },
  });
  const messages = new HeldMessages();
  const order: string[] = [];
  const messageOf = (): HeldMessage => ({
    ...{ account, byteLength: 10, caller: host, payer: host, isUnfit: false, opensRoutes: false, queue: undefined },
    place: () => order.push("message"),
  });
  let taken = 0;
  for (let message = messageOf(); messages.mayAdd(agent, message); message = messageOf(), taken += 1) {
    if (!messages.add(agent, agent.held, message)) break;
  }
  expect(taken).toBeLessThan(limits.heldPerAgent);
  const before = account.held;
  const mark = new FlushMark(host, () => order.push("flushed"));
  expect(messages.mayAdd(agent, mark) && messages.add(agent, agent.held, mark)).toBe(true);
  expect(account.held).toBeGreaterThan(before);
  for (let next = messages.takeNext(agent); next !== undefined; next = messages.takeNext(agent)) next.place(undefined);
  expect([order.length, order.at(-1), account.held]).toEqual([taken + 1, "flushed", 0]);
});
