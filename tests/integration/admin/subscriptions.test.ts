import { describe, expect, test } from "vitest";
import { z } from "zod";
import { deadCommand } from "../../../src/cli/commands/dead.ts";
import { subscriptionsCommand } from "../../../src/cli/commands/subscriptions.ts";
import {
  BaseAgent,
  defineMessage,
  TopicId,
  TroupeError,
  TypePrefixSubscription,
  TypeSubscription,
} from "../../../src/core/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { AdminRig } from "./admin-rig.ts";
import { run } from "./running.ts";

const Note = defineMessage("AdminNote", z.object({ text: z.string() }));

class Refusing extends BaseAgent {
  protected override onMessageImpl(): void {
    throw new TroupeError("handler-failed", "It never will.", { isFinal: true });
  }
}

async function rigWithSubscriptions() {
  const rig = await AdminRig.open();
  const worker = new WorkerRuntime({ dialer: rig.dialer, address: "host:1" });
  await worker.start();
  worker.addMessageSerializer(Note);
  await worker.registerFactory("clerk", () => new Refusing("refuses"));
  for (const subscription of [
    new TypeSubscription("orders", "clerk", { durable: true }),
    new TypePrefixSubscription("audit.", "clerk", { durable: true }),
    new TypeSubscription("orders", "absent", { durable: true }),
  ])
    await worker.addSubscription(subscription);
  const close = async () => {
    await worker.stop();
    await rig[Symbol.asyncDispose]();
  };
  return { rig, worker, [Symbol.asyncDispose]: close };
}

describe("troupe subscriptions", () => {
  test("lists the durable subscriptions by type, and says whether a worker serves it", async () => {
    await using site = await rigWithSubscriptions();
    const { out } = await run(subscriptionsCommand(), "list", "--json", ...site.rig.flags);
    const row = { principal: null, type: "clerk", isServed: true };
    expect(JSON.parse(out)).toEqual({
      rows: [
        { ...row, type: "absent", topic: "orders", isServed: false },
        { ...row, topic: "orders" },
        { ...row, topic: "audit.*" },
      ],
      next: null,
    });
    const { out: table } = await run(subscriptionsCommand(), "list", "absent", ...site.rig.flags);
    expect(table).toMatch(/absent +orders +- +no/);
  });

  test("goes on behind the type with which a page ends", async () => {
    await using site = await rigWithSubscriptions();
    const { out } = await run(subscriptionsCommand(), "list", "--limit", "1", "--json", ...site.rig.flags);
    const { rows, next } = JSON.parse(out);
    expect(rows).toHaveLength(1);
    const rest = await run(subscriptionsCommand(), "list", "--after", next, "--json", ...site.rig.flags);
    expect(JSON.parse(rest.out)).toMatchObject({ rows: [{ type: "clerk" }, { type: "clerk" }], next: null });
  });

  test("removes one, or all of a type: the host keeps no more events for it", async () => {
    await using site = await rigWithSubscriptions();
    const { flags } = site.rig;
    expect((await run(subscriptionsCommand(), "remove", "clerk", "audit.*", ...flags)).out).toBe(
      "removed 1 subscription of clerk\n",
    );
    expect((await run(subscriptionsCommand(), "remove", "clerk", "--all", ...flags)).out).toBe(
      "removed 1 subscription of clerk\n",
    );
    expect((await run(subscriptionsCommand(), "remove", "absent", "--all", ...flags)).out).toBe(
      "removed 1 subscription of absent\n",
    );
    await site.worker.publishMessage(Note({ text: "1" }), new TopicId("orders", "k"), { delivery: "durable" });
    expect(site.rig.host.counters().keptEvents).toBe(0);
    expect((await run(subscriptionsCommand(), "list", ...flags)).out).toBe("no durable subscriptions\n");
  });

  test("refuses to remove what is not there, and a type without topic or --all", async () => {
    await using site = await rigWithSubscriptions();
    const { flags } = site.rig;
    await expect(run(subscriptionsCommand(), "remove", "clerk", "nothing", ...flags)).rejects.toMatchObject({
      code: "not-found",
    });
    await expect(run(subscriptionsCommand(), "remove", "clerk", ...flags)).rejects.toMatchObject({
      message: expect.stringContaining("write --all"),
    });
  });

  test("a dead letter of a durable event shows its topic", async () => {
    await using site = await rigWithSubscriptions();
    await site.worker.publishMessage(Note({ text: "1" }), new TopicId("orders", "lisbon"), { delivery: "durable" });
    await expect.poll(() => site.rig.host.counters().deadLetters).toBe(1);
    const { out } = await run(deadCommand(), "show", "1", ...site.rig.flags);
    expect(out).toContain(" on the topic orders/lisbon, ");
  });
});
