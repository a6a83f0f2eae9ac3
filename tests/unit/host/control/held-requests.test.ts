import { Buffer } from "node:buffer";
import { expect, test } from "vitest";
import type { ControlSession } from "../../../../src/host/control/control-session.ts";
import { type CameRequest, HeldRequests } from "../../../../src/host/control/held-requests.ts";
import type { HeldMessage, MovingAgent } from "../../../../src/host/placement/moving-agent.ts";
import { createMemoryAccountant } from "../../../../src/transport/internal.ts";

const agentId = { type: "room", key: "k" };
const saving = { rpcId: "1", destination: "agentid=room/k", respondTo: "", body: { kind: "save-request", agentId } };

/** Of the names in `saving`, of two bytes for each character. */
const nameBytes = 2 * ["1", "agentid=room/k", "room", "k"].join("").length;

/** Held control requests, with a holder that takes each as long as it has space. */
function openRequests() {
  const held = new Set<HeldMessage>();
  const placed: CameRequest[] = [];
  const holder = {
    hasSpace: true,
    hold(_agent: MovingAgent, message: HeldMessage): boolean {
      if (this.hasSpace) held.add(message);
      return this.hasSpace;
    },
    forget: (message: HeldMessage) => void held.delete(message),
  };
  const requests = new HeldRequests(holder, (came) => void placed.push(came));
  const accountant = createMemoryAccountant();
  const asker = () => {
    const account = accountant.openAccount({ party: "here", name: "asker", giveWay: () => {} });
    return { account } as ControlSession;
  };
  // Nothing reads the agent, or the request but for its bytes.
  const hold = (from: ControlSession, bytes: Uint8Array): boolean =>
    requests.hold({} as MovingAgent, { from, bytes, envelope: saving, request: saving.body, tries: 0 } as CameRequest);
  return { held, placed, holder, requests, asker, hold };
}

test("a control request that waits for an agent keeps its own bytes alone in memory, and its asker pays for them", () => {
  const { held, placed, asker, hold } = openRequests();
  const from = asker();
  const chunk = Buffer.alloc(100_000, 7);
  expect(hold(from, chunk.subarray(10, 30))).toBe(true);
  const [message] = held;
  expect([message?.byteLength, message?.payer?.account === from.account]).toEqual([20 + nameBytes, true]);
  message?.place(undefined);
  expect(placed.map(({ bytes }) => [bytes.length, bytes.buffer.byteLength, bytes[0]])).toEqual([[20, 20, 7]]);
});

test("the control requests that a channel has asked end with it, but none that has its agent already", () => {
  const { held, holder, requests, asker, hold } = openRequests();
  const [one, other] = [asker(), asker()];
  for (const from of [one, one, other]) hold(from, Buffer.alloc(1));
  const [first, second, ofOther] = held;
  first?.place(undefined);
  holder.hasSpace = false;
  expect(hold(one, Buffer.alloc(1))).toBe(false);
  const forgotten: HeldMessage[] = [];
  holder.forget = (message) => void forgotten.push(message);
  requests.askerEnded(one);
  expect(forgotten).toEqual([second]);
  requests.askerEnded(other);
  requests.askerEnded(one);
  expect(forgotten).toEqual([second, ofOther]);
});

test("a held request to load a state keeps the state as bytes alone, and counts its names beside its bytes", () => {
  const { held, placed, requests, asker } = openRequests();
  const bytes = new Uint8Array(1_000);
  const request = { kind: "load-request", agentId, state: "s".repeat(1_000) } as const;
  const envelope = { ...saving, body: request };
  expect(requests.hold({} as MovingAgent, { from: asker(), bytes, envelope, request, tries: 0 })).toBe(true);
  const [message] = held;
  expect(message?.byteLength).toBe(1_000 + nameBytes);
  message?.place(undefined);
  const short = { ...request, state: "" };
  expect(placed).toMatchObject([{ bytes, request: short, envelope: { ...envelope, body: short } }]);
});
