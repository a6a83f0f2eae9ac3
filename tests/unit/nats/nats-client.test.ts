import { expect, it } from "vitest";
import { realClock, StoreError } from "../../../src/core/internal.ts";
import { type Bucket, openBuckets } from "../../../src/nats/buckets.ts";
import type { Msg, MsgHdrs } from "../../../src/nats/driver.ts";
import { StreamAsks } from "../../../src/nats/log/stream-asks.ts";
import { NatsClient } from "../../../src/nats/nats-client.ts";
import { NatsCoordinationStore } from "../../../src/nats/nats-coordination-store.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { fakeNats } from "./fake-connection.ts";

const nothing = (): void => undefined;
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const never = (): Promise<never> => new Promise(nothing);

/** A client whose connection does only what a test says. `answer`: what a server says to each request. Default: nothing. */
function openClient({ answer, close }: { readonly answer?: Partial<Msg>; readonly close?: () => Promise<void> }) {
  const clock = new ManualClock();
  const fake = fakeNats({ answer: () => answer, ...(close === undefined ? {} : { close }), version: "2.11.0" });
  return { client: new NatsClient({ ...fake, inboxPrefix: "_INBOX", clock, log }), clock };
}

/** Lets so much time pass, in steps in which whoever waits can go on. */
async function lateBy(clock: ManualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 200) {
    clock.advance(200);
    await new Promise<void>((resolve) => realClock.setTimer(0, resolve));
  }
}

it("ends what waits for an answer when it is closed, also if the library still connects", async () => {
  const { client, clock } = openClient({ close: never });
  const waiting = [client.request("a", new Uint8Array(0)), client.ask("b", {})];
  const closing = client.close();
  expect(await Promise.all(waiting)).toEqual([undefined, undefined]);
  clock.advance(1_000);
  await closing;
});

// Only these members of the library are used.
const noResponders = { code: 503, description: "" } as MsgHdrs;

const rubbish = [
  ...["", "null", "[]", "7", '"x"', "{}", '{"error":null}', '{"error":{"err_code":"x","description":{}}}'],
  ...['{"message":null}', '{"message":{"seq":"1"}}', '{"message":{"seq":1,"data":7}}', '{"config":null}'],
  ...['{"name":7,"num_pending":0}', '{"seq":-1}', '{"seq":"1"}'],
];

it.each(rubbish)("takes %s for no answer, whatever was asked", async (text) => {
  const { client, clock } = openClient({ answer: { data: new TextEncoder().encode(text) } });
  const bucket = (stream: string): Bucket => ({
    ...{ stream, subjectPrefix: `$KV.${stream}.`, subjects: [], replicas: 1, settings: {}, isOurs: () => true },
  });
  const store = new NatsCoordinationStore({
    ...{ client, clock, log, buckets: { control: bucket("ctl"), claims: bucket("claims") }, clusterName: "c" },
    ...{ restoreBuckets: async () => false, onClosed: nothing },
  });
  store.watch("worker.", { onEntry: nothing, onCaughtUp: nothing, onReset: nothing });
  expect(await store.write("worker.a", new Uint8Array(0), 0)).toEqual({ at: "unknown" });
  expect(await store.read("worker.a", { fresh: true })).toBe("unknown");
  expect(await store.read("worker.a")).toBe("unknown");
  await store.purge("worker.a");
  const opening = openBuckets({ ...{ client, clock, log, clusterName: "c", replicas: 1, untilMs: clock.now() } });
  await expect(opening).rejects.toMatchObject({ code: "wrong-state" });
  const asks = new StreamAsks(client, clock);
  const over = expect(asks.at("s", 1)).rejects.toBeInstanceOf(StoreError);
  await Promise.all([over, lateBy(clock, 20_000)]);
  await store.close();
});

it("waits no longer for servers that have no leader when it is closed", async () => {
  const { client, clock } = openClient({ answer: { data: new Uint8Array(0), headers: noResponders } });
  const opening = openBuckets({
    ...{ client, clock, log, clusterName: "c", replicas: 1, untilMs: Number.POSITIVE_INFINITY },
  });
  const refused = expect(opening).rejects.toMatchObject({ code: "disconnected" });
  while (clock.pendingTimers === 0) await new Promise<void>((resolve) => realClock.setTimer(0, resolve));
  await client.close();
  await refused;
  expect(clock.pendingTimers).toBe(0);
});
