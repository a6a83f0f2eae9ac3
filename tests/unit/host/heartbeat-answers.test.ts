import { expect, it } from "vitest";
import { HeartbeatAnswers } from "../../../src/host/channels/heartbeat-answers.ts";
import type { OtherHosts } from "../../../src/host/peers/other-hosts.ts";
import type { Peer } from "../../../src/host/sessions/peer.ts";
import { decodeFrame, joinFrame } from "../../../src/protocol/internal.ts";
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
  const peer = {
    send: (bytes: Parameters<Peer["send"]>[0]) => {
      const frame = decodeFrame(new Uint8Array(joinFrame(bytes)));
      if (frame.kind === "heartbeat") answered.push(frame.seq);
      return "queued";
    },
  } as unknown as Peer;
  const answers = new HeartbeatAnswers({ others, isMoving: () => moving.is, leaseOf: () => 0 });
  const ask = (seq: number) => answers.answer(peer, { kind: "heartbeat", seq, isAnswer: false, leaseMs: 0 });
  return { asked, answered, moving, ask };
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
  expect([answered, asked.length]).toEqual([[], 1]);
  asked[0]?.open();
  while (asked.length < 2) await Promise.resolve();
  expect(answered).toEqual([1]);
  asked[1]?.open();
  while (answered.length < 3) await Promise.resolve();
  expect([answered, asked.length]).toEqual([[1, 2, 3], 2]);
});

it("a worker that moves and asks without end makes other hosts answer one question at a time", () => {
  const { asked, answered, moving, ask } = setUp();
  moving.is = true;
  for (let seq = 1; seq <= 1_000; seq += 1) ask(seq);
  expect(asked.length).toBe(1);
  expect(answered.length).toBe(1_000 - 17);
});
