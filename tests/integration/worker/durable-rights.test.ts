import { afterEach, describe, expect, test } from "vitest";
import { BaseAgent, TypeSubscription } from "../../../src/core/index.ts";
import { Host, operationsOf } from "../../../src/host/internal.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { grpcDialer, grpcListener } from "../../../src/transport/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

class Clerk extends BaseAgent {
  protected override onMessageImpl(): void {}
}

/** A host that takes the metadata `user` for the principal. */
async function startHost(stateStore = new MemoryStateStore()): Promise<Host> {
  const authorize = ({ metadata: { user } }: { readonly metadata: Readonly<Record<string, string>> }) =>
    user === undefined ? undefined : { name: user };
  const host = new Host({ listener: grpcListener(), address: "127.0.0.1:0" }, { authorize, stateStore });
  await host.start();
  open.push({ [Symbol.asyncDispose]: () => host.stop({ graceMs: 0 }) });
  return host;
}

async function workerOf(host: Host, user: string | undefined, types: readonly string[] = []): Promise<WorkerRuntime> {
  const metadata = user === undefined ? {} : { user };
  const worker = new WorkerRuntime({ dialer: grpcDialer({ metadata }), address: host.address });
  open.push(worker);
  await worker.start();
  for (const type of types) await worker.registerFactory(type, () => new Clerk("a clerk"));
  return worker;
}

const orders = () => new TypeSubscription("orders", "clerk", { durable: true });
const topicsOf = async (host: Host) =>
  (await operationsOf(host.servicer).durableSubscriptions({ limit: 100 })).rows.map(({ topic, principal }) => [
    topic,
    principal,
  ]);

describe("the durable subscriptions of an agent type", () => {
  test.each(["bob", undefined])(
    "can't be changed by another principal (%s) while workers serve the type",
    async (other) => {
      const host = await startHost();
      const own = await workerOf(host, "ada", ["clerk"]);
      const kept = orders();
      await own.addSubscription(kept);
      const stranger = await workerOf(host, other);
      const foreign = { message: expect.stringContaining("Another principal serves the agent type clerk") };
      await expect(stranger.addSubscription(orders())).rejects.toMatchObject(foreign);
      await expect(
        stranger.addSubscription(new TypeSubscription("audit", "clerk", { durable: true })),
      ).rejects.toMatchObject(foreign);
      expect(await topicsOf(host)).toEqual([["orders", "ada"]]);
      await own.removeSubscription(kept.id);
      expect(await topicsOf(host)).toEqual([]);
    },
  );

  test("belong to their principal while no worker serves the type, also after a restart of the host", async () => {
    const store = new MemoryStateStore();
    const first = await startHost(store);
    const own = await workerOf(first, "ada", ["clerk"]);
    await own.addSubscription(orders());
    await own.stop();
    await first.stop({ graceMs: 0 });
    const host = await startHost(store.reopen());
    const stranger = await workerOf(host, "bob");
    await expect(stranger.addSubscription(orders())).rejects.toMatchObject({
      message: expect.stringContaining("belong to another principal"),
    });
    const back = await workerOf(host, "ada");
    const again = orders();
    await back.addSubscription(again);
    await back.removeSubscription(again.id);
    expect(await topicsOf(host)).toEqual([]);
  });

  test("go to the principal whose worker serves the type and asks for them", async () => {
    const host = await startHost();
    const own = await workerOf(host, "ada", ["clerk"]);
    await own.addSubscription(orders());
    await own.stop();
    const next = await workerOf(host, "bob", ["clerk"]);
    await next.addSubscription(orders());
    expect(await topicsOf(host)).toEqual([["orders", "bob"]]);
    const before = await workerOf(host, "ada");
    await expect(before.addSubscription(orders())).rejects.toMatchObject({
      message: expect.stringContaining("Another principal serves the agent type clerk"),
    });
  });
});
