import { expect, it } from "vitest";
import { realClock } from "../../../src/core/internal.ts";
import { openBuckets } from "../../../src/nats/buckets.ts";
import type { NatsConnection, NatsModule } from "../../../src/nats/driver.ts";
import { NatsClient } from "../../../src/nats/nats-client.ts";
import { ManualClock } from "../../../src/testing/index.ts";

const nothing = (): void => undefined;
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const never = (): Promise<never> => new Promise(nothing);

/** A client whose connection does only what a test says. */
function openClient(over: { readonly request?: () => Promise<never>; readonly close?: () => Promise<void> }) {
  const clock = new ManualClock();
  const connection = {
    ...{ status: async function* () {}, info: { version: "2.11.0", max_payload: 1_000 }, publish: nothing },
    ...{ request: never, close: async () => undefined, subscribe: () => ({ unsubscribe: nothing }), ...over },
  };
  const client = new NatsClient({
    // Only these members of the library are used.
    ...{ module: {} as NatsModule, connection: connection as unknown as NatsConnection },
    ...{ inboxPrefix: "_INBOX", clock, log },
  });
  return { client, clock };
}

it("ends what waits for an answer when it is closed, also if the library still connects", async () => {
  const { client, clock } = openClient({ close: never });
  const waiting = [client.request("a", new Uint8Array(0)), client.ask("b", {})];
  const closing = client.close();
  expect(await Promise.all(waiting)).toEqual([undefined, undefined]);
  clock.advance(1_000);
  await closing;
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
