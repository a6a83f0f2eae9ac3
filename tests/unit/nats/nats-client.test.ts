import { expect, it } from "vitest";
import { realClock, StoreError } from "../../../src/core/internal.ts";
import { type Bucket, openBuckets } from "../../../src/nats/buckets.ts";
import type { NatsConnection, NatsModule } from "../../../src/nats/driver.ts";
import { StreamAsks } from "../../../src/nats/log/stream-asks.ts";
import { NatsClient } from "../../../src/nats/nats-client.ts";
import { NatsCoordinationStore } from "../../../src/nats/nats-coordination-store.ts";
import { ManualClock } from "../../../src/testing/index.ts";

const nothing = (): void => undefined;
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const never = (): Promise<never> => new Promise(nothing);

/** No status of the connection ever comes. */
async function* statusless(): AsyncGenerator<never> {
  yield await never();
}

/** A client whose connection does only what a test says. */
function openClient(over: { readonly request?: () => Promise<never>; readonly close?: () => Promise<void> }) {
  const clock = new ManualClock();
  const connection = {
    ...{ status: statusless, info: { version: "2.11.0", max_payload: 1_000 }, publish: nothing },
    ...{ request: never, close: async () => undefined, subscribe: () => ({ unsubscribe: nothing }), ...over },
  };
  const client = new NatsClient({
    // Only these members of the library are used.
    ...{
      module: { createInbox: () => "_INBOX.1", headers: () => ({ set: nothing }) } as unknown as NatsModule,
      connection: connection as unknown as NatsConnection,
    },
    ...{ inboxPrefix: "_INBOX", clock, log },
  });
  return { client, clock };
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

it("has the library take no stack trace for each request", async () => {
  const asked: object[] = [];
  const connection = { status: statusless, info: undefined, close: async () => undefined };
  const connect = async (options: object) => {
    asked.push(options);
    return connection;
  };
  // Only this member of the library is used.
  const module = { connect } as unknown as NatsModule;
  const client = await NatsClient.connect(module, { inboxPrefix: "_INBOX" }, { clock: new ManualClock(), log });
  await client.close();
  expect(asked).toEqual([expect.objectContaining({ noAsyncTraces: true })]);
});

const rubbish = [
  ...["", "null", "[]", "7", '"x"', "{}", '{"error":null}', '{"error":{"err_code":"x","description":{}}}'],
  ...['{"message":null}', '{"message":{"seq":"1"}}', '{"message":{"seq":1,"data":7}}', '{"config":null}'],
  ...['{"name":7,"num_pending":0}', '{"seq":-1}', '{"seq":"1"}'],
];

it.each(rubbish)("takes %s for no answer, whatever was asked", async (text) => {
  const message = { data: new TextEncoder().encode(text), subject: "", headers: undefined };
  const { client, clock } = openClient({ request: () => Promise.resolve(message) as Promise<never> });
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
  const { client, clock } = openClient({ request: () => Promise.reject(new Error("no answer")) });
  const opening = openBuckets({
    ...{ client, clock, log, clusterName: "c", replicas: 1, untilMs: Number.POSITIVE_INFINITY },
  });
  const refused = expect(opening).rejects.toMatchObject({ code: "disconnected" });
  while (clock.pendingTimers === 0) await new Promise<void>((resolve) => realClock.setTimer(0, resolve));
  await client.close();
  await refused;
  expect(clock.pendingTimers).toBe(0);
});
