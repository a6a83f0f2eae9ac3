import { expect, test } from "vitest";
import { TypeSubscription } from "../../../src/core/index.ts";
import { RpcError, StatusCode } from "../../../src/transport/index.ts";
import type { WorkerRuntime } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { FakeDialer, openFakeStage } from "../../support/worker/fake-dialer.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { settled } from "../../support/worker/stage.ts";

/** Registrations that may be under way at once. */
const mostAtOnce = 64;

const subscriptions = Array.from({ length: 1_000 }, (_, i) => new TypeSubscription(`t${i}`, "a", `s${i}`));

async function addAll(worker: WorkerRuntime): Promise<void> {
  await worker.registerFactory("a", () => new FunctionAgent());
  await Promise.all(subscriptions.map((subscription) => worker.addSubscription(subscription)));
}

/** A host that takes a turn for each answer, and notes how many it owes. */
function countingHost() {
  const seen = { most: 0, owed: 0, calls: 0 };
  const dialer = new FakeDialer({
    unary: async (_link, method) => {
      if (method.endsWith("AreYouThere")) return new Uint8Array(0);
      seen.owed += 1;
      seen.calls += 1;
      seen.most = Math.max(seen.most, seen.owed);
      await settled();
      seen.owed -= 1;
      return new Uint8Array(0);
    },
  });
  return { dialer, seen };
}

test("a start with 1,000 subscriptions has 64 calls under way at most, so that the keep-alive gets its turn", async () => {
  const { dialer, seen } = countingHost();
  await using _stage = await openFakeStage(dialer, {}, addAll);
  expect(seen).toEqual({ most: mostAtOnce, owed: 0, calls: 1_001 });
});

test("1,000 subscriptions that a running worker adds at once have 64 calls under way at most", async () => {
  const { dialer, seen } = countingHost();
  await using stage = await openFakeStage(dialer);
  await addAll(stage.worker);
  expect(seen).toEqual({ most: mostAtOnce, owed: 0, calls: 1_001 });
});

test("a start whose host refuses one of 1,000 subscriptions says so after those under way, and makes no further call", async () => {
  let calls = 0;
  const refusal = new RpcError(StatusCode.resourceExhausted, "Too many.", { origin: "peer" });
  const dialer = new FakeDialer({
    unary: async (_link, method) => {
      if (!method.endsWith("AddSubscription")) return new Uint8Array(0);
      calls += 1;
      const isFirst = calls === 1;
      await settled();
      if (isFirst) throw refusal;
      return new Uint8Array(0);
    },
  });
  await expect(openFakeStage(dialer, {}, addAll)).rejects.toThrow("Too many.");
  expect(calls).toBeLessThanOrEqual(2 * mostAtOnce);
});

test("a subscription that waits for its turn is not sent when its signal aborts, and later ones still get theirs", async () => {
  const held = new Gate<Uint8Array>();
  let calls = 0;
  const dialer = new FakeDialer({
    unary: async (_link, method) => {
      if (!method.endsWith("AddSubscription")) return new Uint8Array(0);
      calls += 1;
      return held.opened;
    },
  });
  await using stage = await openFakeStage(dialer);
  const { worker } = stage;
  await worker.registerFactory("a", () => new FunctionAgent());
  const underWay = subscriptions.slice(0, mostAtOnce).map((one) => worker.addSubscription(one));
  const abort = new AbortController();
  const [aborted, later] = subscriptions.slice(mostAtOnce);
  if (aborted === undefined || later === undefined) throw new Error("there are 1,000");
  const outcome = expect(worker.addSubscription(aborted, { signal: abort.signal })).rejects.toMatchObject({
    code: "cancelled",
  });
  const added = worker.addSubscription(later);
  await settled();
  abort.abort();
  await outcome;
  held.open(new Uint8Array(0));
  await Promise.all([...underWay, added]);
  expect(calls).toBe(mostAtOnce + 1);
});
