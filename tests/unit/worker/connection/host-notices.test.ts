import { expect, test } from "vitest";
import type { Frame } from "../../../../src/protocol/index.ts";
// Inside the room: users see only what it does to their calls.
import { HostNotices } from "../../../../src/worker/connection/host-notices.ts";

function signals() {
  const sent: Frame[] = [];
  return { sent, to: new HostNotices((frame) => sent.push(frame)) };
}

const first: Frame = { kind: "cancel", requestId: "1", reason: "cancelled" };
const second: Frame = { kind: "cancel", requestId: "2", reason: "timed-out" };

test("a host that has announced itself is told at once", () => {
  const { sent, to } = signals();
  to.learnPeer(true);
  to.cancelCall("1", "cancelled");
  expect(sent).toEqual([first]);
});

test("what happens before a host's headers are here waits for them", () => {
  const { sent, to } = signals();
  to.cancelCall("1", "cancelled");
  to.cancelCall("2", "timed-out");
  expect(sent).toEqual([]);
  to.learnPeer(true);
  expect(sent).toEqual([first, second]);
});

test("a stock host is told nothing, whatever happened before", () => {
  const { sent, to } = signals();
  to.cancelCall("1", "cancelled");
  to.learnPeer(false);
  to.cancelCall("2", "timed-out");
  expect(sent).toEqual([]);
});

test("what waits for a host's headers is bounded", () => {
  const { sent, to } = signals();
  for (let call = 0; call < 5_000; call += 1) to.cancelCall(String(call), "cancelled");
  to.learnPeer(true);
  expect(sent).toHaveLength(1_000);
});
