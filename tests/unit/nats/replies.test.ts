import { expect, it } from "vitest";
import type { Msg, MsgHdrs } from "../../../src/nats/driver.ts";
import { Replies } from "../../../src/nats/replies.ts";
import { ManualClock } from "../../../src/testing/index.ts";

const noBytes = new Uint8Array(0);

/** Requests to a server that answers when a test says so. */
function openReplies() {
  const clock = new ManualClock();
  const subscribed: string[] = [];
  const sent: { readonly subject: string; readonly reply: string }[] = [];
  let hear: (message: Msg) => void = () => undefined;
  const replies = new Replies({
    ...{ clock, timeoutMs: 2_000, createInbox: () => `inbox-${subscribed.length}` },
    connection: { publish: (subject, _payload, { reply = "" } = {}) => void sent.push({ subject, reply }) },
    subscribe: (subject, onMessage) => {
      subscribed.push(subject);
      hear = onMessage;
      return () => void subscribed.pop();
    },
  });
  const answer = (reply: string, message: Partial<Msg> = {}) => hear({ data: noBytes, ...message, subject: reply });
  return { clock, subscribed, sent, replies, answer };
}

it("each request gets its own answer, in whatever order answers come, and all share one subscription and one timer", async () => {
  const { replies, sent, answer, subscribed, clock } = openReplies();
  const asked = ["a", "b", "c"].map((subject) => replies.request(subject, noBytes));
  expect(subscribed).toEqual(["inbox-0.*"]);
  expect(clock.pendingTimers).toBe(1);
  for (const { subject, reply } of [...sent].reverse()) answer(reply, { data: new TextEncoder().encode(subject) });
  const answers = await Promise.all(asked);
  expect(answers.map((one) => "message" in one && new TextDecoder().decode(one.message.data))).toEqual(["a", "b", "c"]);
});

it("a request without an answer ends when its own time is up, and a late answer is for no other request", async () => {
  const { replies, sent, answer, clock } = openReplies();
  const first = replies.request("a", noBytes);
  clock.advance(1_500);
  const second = replies.request("b", noBytes);
  clock.advance(500);
  expect(await first).toEqual({ why: "no answer within 2000 ms", isUntaken: false });
  answer(sent[0]?.reply ?? "", { data: new Uint8Array([1]) });
  answer(sent[1]?.reply ?? "", { data: new Uint8Array([2]) });
  expect(await second).toMatchObject({ message: { data: new Uint8Array([2]) } });
  const third = replies.request("c", noBytes);
  clock.advance(2_000);
  expect(await third).toMatchObject({ why: "no answer within 2000 ms" });
  clock.advance(2_000);
  expect(clock.pendingTimers).toBe(0);
});

it("a request whose subject no server takes ends at once", async () => {
  const { replies, sent, answer } = openReplies();
  const asked = replies.request("a", noBytes);
  // Only this member is used.
  answer(sent[0]?.reply ?? "", { headers: { code: 503 } as MsgHdrs });
  expect(await asked).toMatchObject({ isUntaken: true });
});

it("what the servers do not permit ends at once: a subject, or all when answers can't come", async () => {
  const { replies, sent, answer, subscribed } = openReplies();
  const refused = replies.request("a", noBytes);
  const other = replies.request("b", noBytes);
  replies.refused("a");
  expect(await refused).toEqual({ why: "the servers do not permit it", isUntaken: false });
  answer(sent[1]?.reply ?? "");
  expect(await other).toHaveProperty("message");
  const last = replies.request("c", noBytes);
  replies.refused("inbox-0.*");
  expect(await last).toEqual({ why: "the servers do not permit it", isUntaken: false });
  expect(subscribed).toEqual([]);
  const next = replies.request("d", noBytes);
  expect(subscribed).toHaveLength(1);
  answer(sent.at(-1)?.reply ?? "");
  expect(await next).toHaveProperty("message");
});

it("ends what waits, the subscription and the timer when it is closed", async () => {
  const { replies, subscribed, clock } = openReplies();
  const asked = replies.request("a", noBytes);
  replies.close();
  expect(await asked).toEqual({ why: "the client is closed", isUntaken: false });
  expect(subscribed).toEqual([]);
  expect(clock.pendingTimers).toBe(0);
});
