import { describe, expect, it } from "vitest";
import { keptDecisionBytes, SessionAccess } from "../../../../src/host/access/session-access.ts";
import { createMemoryAccountant } from "../../../../src/transport/internal.ts";

function open({ maxBytes = 64 * 1024 * 1024, refusal = "" } = {}) {
  const accountant = createMemoryAccountant({ maxBytes });
  const account = accountant.openAccount({ party: "p", name: "n", giveWay: () => undefined });
  let asked = 0;
  const access = new SessionAccess({
    check: {
      refusalOf: () => {
        asked += 1;
        return refusal === "" ? undefined : { text: refusal, rule: "r", place: undefined };
      },
      note: () => undefined,
    },
    rules: { revision: 1, asksAgents: true },
    caller: { clientId: "c", principal: { name: "alice" }, address: "p:1" },
    account,
  });
  return { access, account, asked: () => asked };
}

describe("the decisions that are kept of a session", () => {
  it("keeps no more bytes than its bound, however many targets and senders there are", () => {
    const { access, account } = open();
    for (let number = 0; number < 20_000; number += 1) {
      access.whyNot("call", `type-${number}`, `agent-${number % 7}`);
      expect(access.keptBytes).toBeLessThanOrEqual(keptDecisionBytes);
      expect(account.held).toBe(access.keptBytes);
    }
    access.whyNot("call", "x".repeat(1_000_000));
    expect(account.held).toBeLessThanOrEqual(keptDecisionBytes);
  });

  it("counts the texts that refuse", () => {
    const text = "no".repeat(500);
    const { access } = open({ refusal: text });
    expect(access.whyNot("call", "a")).toBe(text);
    expect(access.keptBytes).toBeGreaterThan(2 * text.length);
  });

  it("gives its bytes back when the session has ended, and keeps nothing after that", () => {
    const { access, account } = open();
    access.whyNot("call", "a");
    expect(account.held).toBeGreaterThan(0);
    access.close();
    access.whyNot("call", "b");
    expect(account.held).toBe(0);
  });

  it("decides each time where the host has no space to keep it", () => {
    const { access, account, asked } = open({ maxBytes: 100 });
    for (let number = 0; number < 3; number += 1) expect(access.whyNot("call", "a")).toBeUndefined();
    expect(asked()).toBe(3);
    expect(account.held).toBe(0);
  });
});
