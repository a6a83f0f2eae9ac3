import { expect, it } from "vitest";
import { HeartbeatAnswers } from "../../../src/host/channels/heartbeat-answers.ts";
import type { OtherHosts } from "../../../src/host/peers/other-hosts.ts";
import type { Peer } from "../../../src/host/sessions/peer.ts";
import { SenderWaits } from "../../../src/host/sessions/sender-waits.ts";
import { decodeFrame, joinFrame } from "../../../src/protocol/internal.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { createMemoryAccountant, type MemoryAccount } from "../../../src/transport/internal.ts";
import { Gate } from "../../support/gate.ts";

function setUp() {
  const asked: Gate[] = [];
  const answered: number[] = [];
  const moving = { is: false };
  const wasRead = (): Promise<void> => {
    const gate = new Gate();
    asked.push(gate);
    return gate.opened;
  };
  // Only these members of the other hosts and of the worker are used.
  const others = { now: { areThere: true, wasRead } as unknown as OtherHosts };
  const senderWaits = new SenderWaits();
  const clock = new ManualClock();
  const account = createMemoryAccountant().openAccount({ party: "p", name: "n", giveWay: () => undefined });
  const peer = {
    account,
    send: (bytes: Parameters<Peer["send"]>[0]) => {
      const frame = decodeFrame(new Uint8Array(joinFrame(bytes)));
      if (frame.kind === "heartbeat") answered.push(frame.seq);
      return "queued";
    },
  } as unknown as Peer;
  const answers = new HeartbeatAnswers({
    ...{ others, senderWaits, clock, isMoving: () => moving.is, leaseOf: () => 0 },
  });
  const ask = (seq: number) => answers.answer(peer, { kind: "heartbeat", seq, isAnswer: false, leaseMs: 0 });
  return { asked, answered, moving, ask, senderWaits, account, clock };
}

it("the heartbeat of a worker is answered at once, and the answer of one is not", () => {
  const { asked, answered, ask } = setUp();
  ask(1);
  expect([answered, asked.length]).toEqual([[1], 0]);
});

it("that of a worker that moves is answered when other hosts have read what this one sent, and each later one again", async () => {
  const { asked, answered, moving, ask } = setUp();
  moving.is = true;
  ask(1);
  ask(2);
  ask(3);
  while (asked.length < 1) await Promise.resolve();
  expect(answered).toEqual([]);
  asked[0]?.open();
  while (asked.length < 2) await Promise.resolve();
  expect(answered).toEqual([1]);
  asked[1]?.open();
  while (answered.length < 3) await Promise.resolve();
  expect([answered, asked.length]).toEqual([[1, 2, 3], 2]);
});

it.each([
  ["has left", (waits: SenderWaits, account: MemoryAccount) => waits.remove(account)],
  [
    "has waited for a second",
    (_waits: SenderWaits, _account: MemoryAccount, clock: ManualClock) => clock.advance(1_000),
  ],
])("other hosts are asked when what the worker has sent, and which waits for its place, %s", async (_name, goOn) => {
  const { asked, answered, moving, ask, senderWaits, account, clock } = setUp();
  moving.is = true;
  senderWaits.add(account);
  ask(1);
  // From one wait to the next: nothing has left.
  senderWaits.remove(account);
  senderWaits.add(account);
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  expect(asked.length).toBe(0);
  goOn(senderWaits, account, clock);
  while (asked.length < 1) await Promise.resolve();
  asked[0]?.open();
  while (answered.length < 1) await Promise.resolve();
});

it("a worker that moves and asks without end makes other hosts answer one question at a time", async () => {
  const { asked, answered, moving, ask } = setUp();
  moving.is = true;
  for (let seq = 1; seq <= 1_000; seq += 1) ask(seq);
  while (asked.length < 1) await Promise.resolve();
  expect(asked.length).toBe(1);
  expect(answered.length).toBe(1_000 - 17);
});
