import { describe, expect, test } from "vitest";
import { TypeSubscription } from "../../../src/core/index.ts";
import { decodeAddSubscriptionRequest, emptyMessage } from "../../../src/protocol/index.ts";
import type { ManualClock } from "../../../src/testing/index.ts";
import { RpcError, StatusCode } from "../../../src/transport/index.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { latest, openStage, settled } from "../../support/worker/stage.ts";

/** Lets time pass until it is so. */
async function letPass(clock: ManualClock, isSo: () => Promise<boolean>): Promise<void> {
  await settled();
  while (!(await isSo())) {
    clock.advance(100);
    await settled();
  }
}

describe("a worker that has lost its host and is refused a registration", () => {
  test("leaves a subscription out that the host refuses though it has the type, names it, and serves the rest", async () => {
    await using stage = await openStage();
    const { host, clock, worker } = stage;
    await worker.registerFactory("a", () => new FunctionAgent());
    await worker.addSubscription(new TypeSubscription("t", "a", "refused"));
    await worker.addSubscription(new TypeSubscription("u", "a", "granted"));
    await worker.start();
    let refuses = true;
    host.script = ({ method, request }) => {
      if (refuses && method === "AddSubscription" && decodeAddSubscriptionRequest(request).id === "refused")
        throw new RpcError(StatusCode.invalidArgument, "Subscription already exists");
      return emptyMessage;
    };
    const told = async () => {
      host.calls.length = 0;
      host.network.cut();
      await letPass(clock, async () => host.methods.length > 2 && (await latest(worker)).at === "connected");
      const added = host.calls.filter(({ method }) => method === "AddSubscription");
      return new Set(added.map(({ request }) => decodeAddSubscriptionRequest(request).id));
    };
    const startMs = clock.now();
    expect(await told()).toEqual(new Set(["refused", "granted"]));
    expect(clock.now() - startMs).toBeLessThan(10_000);
    const warnings = () => host.logger.texts("warn").filter((text) => text.includes("is left out"));
    expect(warnings()).toEqual([
      "Subscription refused for agent type a is left out. The host says: Subscription already exists. It is asked for again when this worker next comes to a host.",
    ]);
    refuses = false;
    expect(await told()).toEqual(new Set(["refused", "granted"]));
    expect(warnings()).toHaveLength(1);
  });

  test("leaves a type at once that a Troupe host gives to another principal, which it does not name", async () => {
    await using stage = await openStage();
    const { host, clock, worker } = stage;
    host.isTroupe = true;
    await worker.registerFactory("a", () => new FunctionAgent());
    await worker.start();
    host.script = ({ method }) => {
      if (method !== "RegisterAgent") return emptyMessage;
      throw new RpcError(StatusCode.invalidArgument, "Agent type a already registered.");
    };
    host.network.cut();
    await settled();
    const startMs = clock.now();
    await letPass(clock, async () => (await latest(worker)).at === "connected");
    expect(clock.now() - startMs).toBeLessThan(10_000);
    expect(host.logger.texts("warn").filter((text) => text.includes("left to another worker"))).toHaveLength(1);
  });
});
