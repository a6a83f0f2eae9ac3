import { expect, onTestFinished, test } from "vitest";
import type { FeedFilter } from "../../../src/admin/feed/feed-event.ts";
import { readerLimits } from "../../../src/admin/feed/feed-reader.ts";
import { feedLimits, LiveFeed } from "../../../src/admin/feed/live-feed.ts";
import { nextTurn } from "../../../src/core/internal.ts";
import type { HostObserver, HostOccurrence } from "../../../src/host/internal.ts";
import { HttpProblem } from "../../../src/http/internal.ts";
import { ManualClock } from "../../../src/testing/index.ts";

const everything = { principal: undefined, may: () => true, whyNot: () => undefined, assertMay: () => undefined };

function callTo(targetType: string, targetKey = "k"): HostOccurrence {
  const about = { callerId: "c", targetId: "t", targetType, targetKey, code: undefined, ms: 1, traceId: undefined };
  return { at: "call", outcome: "answered", ...about };
}

function rig() {
  const clock = new ManualClock();
  const observers = new Set<HostObserver>();
  let listened = 0;
  /** As a host that reads the content of every message while a reader wants it. */
  const payloads = {
    watchers: 0,
    watch: () => {
      payloads.watchers += 1;
      return () => {
        payloads.watchers -= 1;
      };
    },
    of: () => (payloads.watchers > 0 ? content : undefined),
  };
  const feed = new LiveFeed({
    ...{ clock, payloads, onContents: () => undefined, hosts: () => ({ here: null, others: [] }) },
    rows: () => Promise.reject(new Error("The host is alone.")),
    observe: (observer) => {
      observers.add(observer);
      return () => void observers.delete(observer);
    },
    makeId: () => {
      listened += 1;
      return `listening-${listened}`;
    },
  });
  onTestFinished(() => feed.close());
  const happen = (what: HostOccurrence): void => {
    for (const observer of observers) observer(what);
  };
  const open = ({
    filter = {},
    lastEventId,
    rights = everything,
    withPayloads = false,
  }: {
    withPayloads?: boolean;
    filter?: FeedFilter;
    lastEventId?: string;
    rights?:
      | typeof everything
      | { principal: { name: string }; may: () => boolean; whyNot: () => undefined; assertMay: () => undefined };
  } = {}) => {
    const leaving = new AbortController();
    const chunks = feed
      .open({ filter, rights, withPayloads, lastEventId, signal: leaving.signal })
      [Symbol.asyncIterator]();
    return { next: async () => (await chunks.next()).value ?? "", leave: () => leaving.abort() };
  };
  return { clock, feed, observers, payloads, happen, open };
}

const content = { messageType: "Draft", contentType: "text/plain", bytes: 9_000, text: "x".repeat(4_096) };

test("contents of messages are kept while a reader wants them, and forgotten when the last such reader has left", async () => {
  const { feed, payloads, happen, open } = rig();
  const [plain, one, other] = [open(), open({ withPayloads: true }), open({ withPayloads: true })];
  for (const reader of [plain, one, other]) await reader.next();
  const call = { at: "event", topicType: "t", delivered: 1, missed: 0 } as const;
  happen(call);
  expect(payloads.watchers).toBe(2);
  const full = feed.bytes;
  expect(full).toBeGreaterThan(2 * content.text.length);
  one.leave();
  expect([payloads.watchers, feed.bytes]).toEqual([1, full]);
  other.leave();
  expect(payloads.watchers).toBe(0);
  expect(feed.bytes).toBeLessThan(full - 2 * content.text.length);
  happen(call);
  expect(feed.bytes).toBeLessThan(full);
  plain.leave();
});

const idIn = (text: string): string => [...text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? "";

test("nothing is made before a reader comes, nor half a minute after the last one has left", async () => {
  const { clock, feed, observers, open } = rig();
  expect([observers.size, feed.isListening]).toEqual([0, false]);
  const [one, other] = [open(), open()];
  await one.next();
  expect(observers.size).toBe(1);
  one.leave();
  other.leave();
  clock.advance(feedLimits.lingerMs - 1);
  expect(observers.size).toBe(1);
  clock.advance(1);
  expect([observers.size, feed.bytes, feed.readers]).toEqual([0, 0, 0]);
});

test("the host is listened to as long as a reader is there that came back", async () => {
  const { clock, happen, open } = rig();
  open().leave();
  const reader = open();
  await reader.next();
  clock.advance(2 * feedLimits.lingerMs);
  happen(callTo("writer"));
  expect(await reader.next()).toContain('"type":"writer"');
});

test("a reader gets what it has asked for, and comes back to where it was", async () => {
  const { happen, open } = rig();
  const reader = open({ filter: { type: "writer" } });
  expect(await reader.next()).toMatch(/^retry: \d+\n\n$/);
  happen(callTo("writer", "a"));
  happen(callTo("editor", "b"));
  const text = await reader.next();
  expect(text.match(/"key":"."/g)).toEqual(['"key":"a"']);
  reader.leave();
  happen(callTo("writer", "c"));
  const again = open({ filter: { type: "writer" }, lastEventId: idIn(text) });
  await again.next();
  expect((await again.next()).match(/"key":"."/g)).toEqual(['"key":"c"']);
});

test("a slow reader loses the oldest and is told how many; all that is kept is bounded in bytes", async () => {
  const { feed, happen, open } = rig();
  const [slow, unread] = [open(), open()];
  await slow.next();
  const count = readerLimits.eventsAtOnce;
  for (let number = 1; number <= count; number += 1) happen(callTo("writer", `${"x".repeat(300)}${number}`));
  expect(feed.bytes).toBeLessThanOrEqual(feedLimits.bytes);
  const lost = /^id: \S+\nevent: lost\ndata: {"count":(\d+)}\n\n$/.exec(await slow.next());
  expect(Number(lost?.[1])).toBeGreaterThan(0);
  let last = "";
  let kept = 0;
  while (!last.includes(`${count}"`)) {
    last = await slow.next();
    expect(last.length).toBeLessThan(2 * feedLimits.chunkChars);
    kept += last.split("\nevent: call\n").length - 1;
  }
  expect(kept + Number(lost?.[1])).toBe(count);
  unread.leave();
});

test("a reader gets as many events in a second as it may have, the newest, and is told how many it has lost", async () => {
  const { clock, happen, open } = rig();
  const reader = open({ filter: { type: "busy" } });
  await reader.next();
  const [perTick, ticks] = [400, 200];
  let [seen, lost, newest] = [0, 0, 0];
  const read = (text: string): void => {
    for (const [, count] of text.matchAll(/event: lost\ndata: {"count":(\d+)}/g)) lost += Number(count);
    const keys = [...text.matchAll(/"key":"(\d+)"/g)].map(([, key]) => Number(key));
    seen += keys.length;
    newest = Math.max(newest, ...keys);
  };
  let reading = reader.next();
  let isOver = false;
  const all = (async () => {
    while (!isOver) {
      read(await reading);
      reading = reader.next();
    }
  })();
  // 20,000 occurrences in a second, of which the reader wants half.
  for (let tick = 0; tick < ticks; tick += 1) {
    for (let at = 0; at < perTick; at += 1)
      happen(callTo(at % 2 === 0 ? "busy" : "other", String(tick * perTick + at)));
    clock.advance(feedLimits.gatherMs);
    for (let turn = 0; turn < 6; turn += 1) await nextTurn();
  }
  const seconds = (ticks * feedLimits.gatherMs) / 1_000;
  expect(seen).toBeLessThanOrEqual(readerLimits.eventsAtOnce + seconds * readerLimits.eventsPerSecond);
  expect(seen).toBeGreaterThan(readerLimits.eventsAtOnce);
  // It is less than a second behind.
  expect(newest).toBeGreaterThan((ticks - 50) * perTick);
  // Then it is quiet: all that the reader wanted was seen or lost.
  for (let second = 1; second <= 2; second += 1) {
    clock.advance(readerLimits.lostMs);
    for (let turn = 0; turn < 6; turn += 1) await nextTurn();
  }
  expect(seen + lost).toBe((ticks * perTick) / 2);
  happen(callTo("busy", "9999999"));
  clock.advance(feedLimits.gatherMs);
  for (let turn = 0; turn < 6; turn += 1) await nextTurn();
  expect(newest).toBe(9_999_999);
  isOver = true;
  reader.leave();
  await all;
});

test("a reader of what is rare loses nothing, however much else happens", async () => {
  const { clock, happen, open } = rig();
  const reader = open({ filter: { type: "rare" } });
  await reader.next();
  let text = "";
  let isOver = false;
  const all = (async () => {
    while (!isOver) text += await reader.next();
  })();
  for (let tick = 0; tick < 100; tick += 1) {
    for (let at = 0; at < 400; at += 1) happen(callTo("busy"));
    happen(callTo("rare", String(tick)));
    clock.advance(feedLimits.gatherMs);
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  }
  isOver = true;
  reader.leave();
  await all;
  expect(text.match(/"type":"rare"/g)).toHaveLength(100);
  expect(text).not.toContain("lost");
});

test("a reader that comes back too late is told that it has missed something", async () => {
  const { clock, happen, open } = rig();
  const reader = open();
  await reader.next();
  happen(callTo("writer"));
  const id = idIn(await reader.next());
  reader.leave();
  clock.advance(feedLimits.lingerMs);
  for (const lastEventId of [id, "listening-2-99", "nonsense", `${"x".repeat(5_000)}-1`]) {
    const late = open({ lastEventId });
    await late.next();
    expect(await late.next()).toMatch(/^id: listening-2-\d+\nevent: lost\ndata: {"count":null}\n\n$/);
  }
});

test("a quiet feed says that it lives, and where its reader is", async () => {
  const { clock, happen, open } = rig();
  const reader = open({ filter: { type: "writer" } });
  await reader.next();
  const next = reader.next();
  for (let count = 0; count < 3; count += 1) happen(callTo("editor"));
  await Promise.resolve();
  clock.advance(feedLimits.gatherMs);
  // The reader has looked, wants none of them, and waits anew.
  for (let count = 0; count < 20; count += 1) await Promise.resolve();
  clock.advance(feedLimits.quietMs);
  expect(await next).toBe(": quiet\nid: listening-1-3\n\n");
});

test("readers are bounded, and one principal leaves places to others", () => {
  const { feed, open } = rig();
  const rights = (name: string) => ({
    principal: { name },
    may: () => true,
    whyNot: () => undefined,
    assertMay: () => undefined,
  });
  const greedy: unknown[] = [];
  for (let count = 0; count < 100; count += 1) {
    try {
      greedy.push(open({ rights: rights("greedy") }));
    } catch (error) {
      expect(error).toMatchObject({ status: 503, code: "overloaded" });
    }
  }
  expect(greedy).toHaveLength(Math.ceil((2 / 3) * feedLimits.readers));
  expect(() => open({ rights: rights("other") })).not.toThrow();
  expect(feed.readers).toBeLessThanOrEqual(feedLimits.readers);
});

test("a reader sees only what it may", async () => {
  const { happen, open } = rig();
  const rights = {
    principal: { name: "guest" },
    may: (action: string, name: string) => action === "see" && name === "writer",
    whyNot: () => undefined,
    assertMay: () => undefined,
  };
  const reader = open({ rights: rights as never });
  await reader.next();
  happen(callTo("vault", "secret"));
  happen({ at: "event", topicType: "news", delivered: 1, missed: 0 });
  happen({ at: "lease", what: "lost" });
  happen(callTo("writer", "mine"));
  const text = await reader.next();
  expect(text).toContain("mine");
  expect(text).not.toMatch(/vault|secret|news|lease/);
});

test("readers that came at once are told to come back at different times, and those without a place, too", async () => {
  const { open } = rig();
  const times = await Promise.all(
    Array.from({ length: 8 }, async (_, at) => {
      const rights = { ...everything, principal: { name: `p${at}` } };
      return Number(/^retry: (\d+)\n\n$/.exec(await open({ rights }).next())?.[1]);
    }),
  );
  const sorted = times.toSorted((one, other) => one - other);
  expect(sorted[0]).toBeGreaterThanOrEqual(feedLimits.retryMs);
  expect(sorted.at(-1)).toBeLessThanOrEqual(2 * feedLimits.retryMs);
  const gaps = sorted.slice(1).map((time, at) => time - (sorted[at] ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThan(feedLimits.retryMs / 20);
  const refused = new Set<unknown>();
  for (let count = 0; count < 40; count += 1) {
    try {
      open({ rights: { ...everything, principal: { name: `q${count}` } } });
    } catch (error) {
      if (!(error instanceof HttpProblem)) throw error;
      expect(error).toMatchObject({ status: 503, headers: { "retry-after": expect.stringMatching(/^\d$/) } });
      refused.add(error.headers["retry-after"]);
    }
  }
  expect(refused.size).toBeGreaterThan(4);
});
