import { describe, expect, test } from "vitest";
import { z } from "zod";
import { deadCommand } from "../../../src/cli/commands/dead.ts";
import { subscriptionsCommand } from "../../../src/cli/commands/subscriptions.ts";
import { topicsCommand } from "../../../src/cli/commands/topics.ts";
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
    const { out } = await run(subscriptionsCommand(), "list", "--json", "--kind", "durable", ...site.rig.flags);
    const row = {
      kind: "durable",
      principal: null,
      host: null,
      type: "clerk",
      isServed: true,
      clientId: null,
      id: null,
    };
    expect(JSON.parse(out)).toEqual({
      rows: [
        { ...row, type: "absent", topic: "orders", isServed: false },
        { ...row, topic: "orders" },
        { ...row, topic: "audit.*" },
      ],
      next: null,
      unanswered: [],
    });
    const { out: table } = await run(subscriptionsCommand(), "list", "absent", ...site.rig.flags);
    expect(table).toMatch(/absent +orders +durable +- +no/);
  });

  test("goes on behind the type with which a page ends", async () => {
    const kind = ["--kind", "durable"];
    await using site = await rigWithSubscriptions();
    const { out } = await run(subscriptionsCommand(), "list", "--limit", "1", "--json", ...kind, ...site.rig.flags);
    const { rows, next } = JSON.parse(out);
    expect(rows).toHaveLength(1);
    const rest = await run(subscriptionsCommand(), "list", "--after", next, "--json", ...kind, ...site.rig.flags);
    expect(JSON.parse(rest.out)).toMatchObject({ rows: [{ type: "clerk" }, { type: "clerk" }], next: null });
  });

  test("lists those of connected workers behind the durable ones, page after page, and by what an event reaches", async () => {
    await using site = await rigWithSubscriptions();
    await site.worker.addSubscription(new TypeSubscription("news", "clerk"));
    await site.worker.addSubscription(new TypePrefixSubscription("new", "clerk"));
    const list = async (...args: readonly string[]) =>
      JSON.parse((await run(subscriptionsCommand(), "list", "--json", ...args, ...site.rig.flags)).out);
    const topicsOf = (answer: { readonly rows: readonly { readonly topic: string }[] }) =>
      answer.rows.map(({ topic }) => topic);
    const all = await list();
    expect(topicsOf(all)).toEqual([
      ...["orders", "orders", "audit.*"],
      // The worker that has made the durable ones has them, too.
      ...["orders", "audit.*", "orders", "news", "new*"],
    ]);
    expect(all.rows[6]).toMatchObject({ kind: "connected", type: "clerk", clientId: expect.any(String) });
    const pages: string[] = [];
    let next = "durable:";
    while (next !== null) {
      const page = await list("--limit", "1", "--after", next);
      pages.push(...topicsOf(page));
      next = page.next;
    }
    expect(pages).toEqual(topicsOf(all));
    expect(topicsOf(await list("--reached-by", "newspaper"))).toEqual(["new*"]);
    expect(topicsOf(await list("--reached-by", "audit.login"))).toEqual(["audit.*", "audit.*"]);
    expect(topicsOf(await list("--topic", "orders", "--principal", "nobody"))).toEqual([]);
    expect(topicsOf(await list("--topic", "news"))).toEqual(["news"]);
    await expect(list("--after", "W10")).rejects.toThrow(/Take it from the line of an earlier list/);
  });

  test("are counted by topic: agent types, durable ones, clients, and types without a worker", async () => {
    await using site = await rigWithSubscriptions();
    const { out } = await run(topicsCommand(), "--json", ...site.rig.flags);
    expect(JSON.parse(out)).toEqual({
      rows: [
        { topic: "audit.*", durable: 1, clients: 1, types: ["clerk"], unserved: [] },
        { topic: "orders", durable: 2, clients: 1, types: ["absent", "clerk"], unserved: ["absent"] },
      ],
      isCut: false,
      unanswered: [],
    });
    const { out: reached } = await run(topicsCommand(), "audit.login", ...site.rig.flags);
    expect(reached).toMatch(/audit\.\* +1 +1 {2}clerk/);
    const cut = await run(topicsCommand(), "--limit", "1", ...site.rig.flags);
    expect(cut.err).toMatch(/Only the first 1 subscriptions are counted/);
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
    expect((await run(subscriptionsCommand(), "list", "--kind", "durable", ...flags)).out).toBe("no subscriptions\n");
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
