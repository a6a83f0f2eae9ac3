import { describe, expect, it } from "vitest";
import { limits } from "../../../../src/host/limits.ts";
import {
  type HeldMessage,
  HeldMessages,
  type MovingAgent,
  movingAgent,
} from "../../../../src/host/placement/moving-agent.ts";
import { SharedType } from "../../../../src/host/registry/shared-type.ts";
import {
  createMemoryAccountant,
  createUncountedAccount,
  type MemoryAccount,
} from "../../../../src/transport/internal.ts";

const type = new SharedType({
  name: "room",
  terms: { placement: undefined, requires: {} },
  principal: undefined,
  era: 1,
});
const MiB = 1024 * 1024;

function agentOf(key: string): MovingAgent {
  const claim = { type: "room", key, workerId: "W", epoch: { generation: 1, era: 1, number: 1 } };
  return movingAgent(type, key, createUncountedAccount(), { at: "leaving", claim, reason: "asked", newest: 1 });
}

/** An account of an address with room for all. */
function accountOf(party: string): MemoryAccount {
  const accountant = createMemoryAccountant({ maxBytes: 1_000_000 * MiB });
  return accountant.openAccount({ party, name: party, giveWay: () => undefined });
}

function message(account: MemoryAccount, byteLength: number): HeldMessage {
  return {
    account,
    byteLength,
    isUnfit: false,
    opensRoutes: true,
    queue: undefined,
    caller: undefined,
    payer: undefined,
    place: () => {},
  };
}

describe("messages for agents that move", () => {
  it("are bounded by their bytes for each agent, given back or not, until they leave [L13]", () => {
    const [messages, agent, account] = [new HeldMessages(), agentOf("k"), accountOf("x")];
    const half = message(account, limits.heldBytesPerAgent / 2);
    expect(messages.add(agent, agent.returned, half)).toBe(true);
    expect(messages.add(agent, agent.held, message(account, limits.heldBytesPerAgent / 2))).toBe(true);
    expect(messages.add(agent, agent.held, message(account, 1))).toBe(false);
    messages.remove(half);
    expect(messages.add(agent, agent.held, message(account, 1))).toBe(true);
  });

  it("take two thirds of the bytes of all from one address, so that others have theirs [L13]", () => {
    const [messages, greedy, other] = [new HeldMessages(), accountOf("greedy"), accountOf("other")];
    const held: HeldMessage[] = [];
    const fill = (account: MemoryAccount, name: string): number => {
      for (let count = 0; ; count += 1) {
        const [agent, one] = [agentOf(`${name}${count}`), message(account, 8 * MiB)];
        if (!messages.add(agent, agent.held, one)) return count * 8;
        held.push(one);
      }
    };
    // The last one may reach beyond the share.
    expect(fill(greedy, "g")).toBeLessThanOrEqual((2 * 256) / 3 + 8);
    expect(fill(other, "o")).toBeGreaterThanOrEqual(256 / 5);
    for (const one of held) messages.remove(one);
    expect([messages.size, greedy.held, other.held]).toEqual([0, 0, 0]);
  });
});
