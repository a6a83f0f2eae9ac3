import { expect, test } from "vitest";
import type { FeedEvent } from "../../../src/admin/internal.ts";
import type { AdminClient } from "../../../src/cli/admin/admin-client.ts";
import { tailCommand } from "../../../src/cli/commands/tail.ts";
import { followFeed, type Told } from "../../../src/cli/tail/follow-feed.ts";
import { nextTurn } from "../../../src/core/internal.ts";
import { operationsOf, viewerOf } from "../../../src/host/internal.ts";
import { accessRules } from "../../../src/security/index.ts";
import { clusterTransports } from "../../support/cluster-rig.ts";
import { Opened } from "../../support/opened.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import { EntryRig } from "./admin-rig.ts";
import { run } from "./running.ts";

const rules = accessRules([
  { principal: "ada", allow: "see", types: "writer" },
  { principal: "*", allow: ["register", "call", "publish", "subscribe"], types: "*", topics: "*" },
]);

/** Two hosts with a worker each, and the admin entries of both. */
async function openHosts(opened: Opened) {
  const [transport] = clusterTransports;
  if (transport === undefined) throw new Error("There are memory links.");
  const rig = opened.use(await transport.start({}));
  const one = opened.use(await EntryRig.open(rig.one.host));
  const two = opened.use(await EntryRig.open(rig.two.host));
  const callers = await Promise.all(
    [rig.one, rig.two].map((host, at) => new RawWorker(host.dial(), `caller-${at}`, { isAnnounced: true }).join()),
  );
  /** A call that no worker takes, at one of the hosts. */
  const call = async (at: number, target: string): Promise<void> => {
    callers[at]?.request(target, target);
    await callers[at]?.nextResponse();
  };
  const idOf = (at: number): string =>
    operationsOf((at === 0 ? rig.one : rig.two).host.servicer).hosts().here?.hostId ?? "";
  return { rig, one, two, callers, call, idOf };
}

function feedOf(client: AdminClient, filter: Record<string, string>, onOpen?: () => void) {
  const ending = new AbortController();
  const told = followFeed({
    ...{ find: async () => client, filter, signal: ending.signal, onOpen },
    wait: async () => undefined,
  });
  const next = async (): Promise<Told | undefined> => (await told.next()).value ?? undefined;
  const nextEvent = async (): Promise<FeedEvent> => {
    let one = await next();
    // Many calls at once are more than a reader gets.
    while (one?.at === "lost" && one.count !== null) one = await next();
    if (one?.at !== "event") throw new Error(`Not an event: ${JSON.stringify(one)}`);
    return one.event;
  };
  return { next, nextEvent, end: () => ending.abort() };
}

/** Resolves when another host listens for a reader: it hears of nothing before. */
async function heard<Result>(act: (number: number) => Promise<void>, first: Promise<Result>): Promise<Result> {
  let isOver = false;
  const over = first.finally(() => {
    isOver = true;
  });
  for (let number = 0; !isOver; number += 1) {
    await Promise.race([act(number), over]);
    // Links in memory leave timers no turn.
    await nextTurn();
  }
  return await over;
}

test("the feed of any host tells what happens at all hosts of the cluster, each with its host", async () => {
  await using opened = new Opened();
  const { one, two, call, idOf } = await openHosts(opened);
  for (const entry of [one, two]) {
    const feed = feedOf(entry.client, { kind: "call", outcome: "failed" });
    for (const at of [0, 1]) {
      const event = await heard((number) => call(at, `absent-${at}/${number}`), untilFrom(feed.nextEvent, idOf(at)));
      expect(event).toMatchObject({ kind: "call", type: `absent-${at}`, code: "undeliverable" });
    }
    feed.end();
  }
});

async function untilFrom(next: () => Promise<FeedEvent>, hostId: string): Promise<FeedEvent> {
  for (;;) {
    const event = await next();
    if (event.host?.hostId === hostId) return event;
  }
}

test("a reader of one host gets what happens there alone, from whichever host it asks", async () => {
  await using opened = new Opened();
  const { one, two, call, idOf } = await openHosts(opened);
  for (const entry of [one, two]) {
    const feed = feedOf(entry.client, { kind: "call", host: idOf(1) });
    const first = await heard(async (number) => {
      await call(0, `elsewhere/${number}`);
      await call(1, `there/${number}`);
    }, feed.nextEvent());
    expect(first).toMatchObject({ type: "there", host: { hostId: idOf(1) } });
    await call(0, "elsewhere/last");
    await call(1, "there/last");
    let event = first;
    while (event.key !== "last") {
      event = await feed.nextEvent();
      expect(event.type).toBe("there");
    }
    feed.end();
  }
  await expect(feedOf(one.client, { host: "no-such-host" }).next()).rejects.toMatchObject({ code: "not-found" });
});

test("a call from host to host is told once, by the host of its caller; of one host both parts can be read", async () => {
  await using opened = new Opened();
  const { two, callers, idOf } = await openHosts(opened);
  const [caller, target] = callers;
  if (caller === undefined || target === undefined) throw new Error("There are two workers.");
  await target.register("writer");
  const call = async (key: string): Promise<void> => {
    caller.request(key, `writer/${key}`);
    const { requestId } = await target.nextRequest();
    target.respond(requestId, "done");
    await caller.nextResponse();
  };
  const all = feedOf(two.client, { kind: "call" });
  const own = feedOf(two.client, { kind: "call", host: idOf(1) });
  const [first, there] = [all.nextEvent(), own.nextEvent()];
  expect((await heard((number) => call(String(number)), first)).host?.hostId).toBe(idOf(0));
  expect(await there).toMatchObject({ type: "writer", host: { hostId: idOf(1) } });
  await call("last");
  const keys: (string | null)[] = [];
  while (keys.at(-1) !== "last") {
    const event = await all.nextEvent();
    expect(event.host?.hostId).toBe(idOf(0));
    keys.push(event.key);
  }
  expect(new Set(keys).size).toBe(keys.length);
  all.end();
  own.end();
});

test("a host tells the readers of others what its own rules let them see, and says how much they have lost", async () => {
  await using opened = new Opened();
  const [transport] = clusterTransports;
  if (transport === undefined) throw new Error("There are memory links.");
  const rig = opened.use(await transport.start({ host: { authorize: () => ({ name: "worker" }), rules } }));
  opened.use(await EntryRig.open(rig.two.host));
  const [one, two] = [operationsOf(rig.one.host.servicer), operationsOf(rig.two.host.servicer)];
  const hostId = two.hosts().here?.hostId ?? "";
  const worker = await new RawWorker(rig.two.dial(), "worker", { isAnnounced: true }).join();
  const read = (after?: number) =>
    one.rows(
      "feed",
      {
        ...{
          filter: { reader: "r", kind: "call" },
          viewer: viewerOf({ name: "ada" }, rules),
          host: hostId,
          limit: 500,
        },
        places: after === undefined ? undefined : { [hostId]: after },
      },
      AbortSignal.timeout(10_000),
    );
  const first = read();
  const page = await heard(async (number) => {
    worker.request(`e${number}`, `editor/${number}`);
    await worker.nextResponse();
    worker.request(`w${number}`, `writer/${number}`);
    await worker.nextResponse();
  }, first);
  expect(page.unanswered).toEqual([]);
  expect(new Set(page.rows.map(({ type }) => type))).toEqual(new Set(["writer"]));
  expect(page.rows.length).toBeGreaterThan(0);
  // More than the host keeps for one reader.
  const count = 4_000;
  for (let number = 0; number < count; number += 1) worker.request(`m${number}`, `writer/${"x".repeat(200)}${number}`);
  for (let number = 0; number < count; number += 1) await worker.nextResponse();
  const more = await read(page.ends[hostId]);
  expect(more.forgotten).toBeGreaterThan(0);
  expect(more.rows.length).toBeGreaterThan(0);
});

test("a host that does not answer is named once, and the reader is told that events are missing", async () => {
  await using opened = new Opened();
  const { rig, one, two, call, idOf } = await openHosts(opened);
  const feed = feedOf(one.client, { kind: "call", outcome: "failed" });
  await heard((number) => call(1, `there/${number}`), untilFrom(feed.nextEvent, idOf(1)));
  // Without its admin entry the other host has no feed.
  await two.entry.close(0);
  const told: (Told | undefined)[] = [];
  while (told.length < 2) {
    const next = await feed.next();
    if (next?.at !== "event") told.push(next);
  }
  const problem = "It has no feed, because it has no admin entry.";
  expect(told).toEqual([
    { at: "unanswered", hostId: idOf(1), name: expect.any(String), problem },
    { at: "lost", count: null },
  ]);
  expect(rig.hosts).toHaveLength(2);
  feed.end();
});

test("troupe tail names the host of each line, and follows one host with --host", async () => {
  await using opened = new Opened();
  const { one, two, call, idOf } = await openHosts(opened);
  const failed = ["--kind", "call", "--outcome", "failed", "--count", "1"];
  let isOver = false;
  const act = async (): Promise<void> => {
    for (let number = 0; !isOver; number += 1) {
      await call(1, `there/${number}`);
      await nextTurn();
    }
  };
  let acting: Promise<void> = Promise.resolve();
  const onOpen = (): void => {
    isOver = false;
    acting = act();
  };
  const tail = async (...flags: string[]): Promise<string> => {
    const { out } = await run(tailCommand({ onOpen }), ...failed, ...flags);
    isOver = true;
    await acting;
    return out;
  };
  expect(JSON.parse(await tail("--json", ...one.flags))).toMatchObject({ type: "there", host: { hostId: idOf(1) } });
  expect(await tail("--host", idOf(1), ...two.flags)).toMatch(/ call +failed +there\/\d+ .* host=\S+ /);
});
