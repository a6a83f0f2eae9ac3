import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AgentName, type KeptMessage, shardOf } from "../../../src/core/internal.ts";
import { openNatsLog } from "../../../src/nats/index.ts";
import { whenReached } from "../../../src/testing/contracts/durable-log/log-reading.ts";
import { describeDurableLog, startFaultProxy } from "../../../src/testing/index.ts";
import { NatsLogs } from "../../support/nats-logs.ts";
import { NatsServer, natsClusterAbsence, natsProgram } from "../../support/nats-server.ts";

const absence = natsClusterAbsence();
const title = `three NATS servers${absence === undefined ? ` of version ${natsProgram()?.version}` : ` (${absence})`}`;
const mailbox = { type: "writer", key: "1" };

describe.skipIf(absence !== undefined)(title, { timeout: 180_000 }, () => {
  let servers: readonly NatsServer[] = [];
  const logs = new NatsLogs(() => servers);

  beforeAll(async () => {
    servers = await NatsServer.startThree(["max_payload: 8MB"]);
  }, 60_000);
  afterAll(() => Promise.all(servers.map((server) => server[Symbol.asyncDispose]())));

  describeDurableLog("three NATS servers", logs.adapter(), { describe, it });

  it("lose no message, and none comes twice or out of order to a reader, while one after the other is killed", async () => {
    await using writer = await logs.open("killed");
    await using reader = await logs.open("killed");
    const got: string[] = [];
    let onChange = (): void => undefined;
    let unsettled = 0;
    // As the courier does: while the servers elect a leader, none of them may answer in time.
    const settle = (message: KeptMessage): void => {
      const settled = (): void => {
        unsettled -= 1;
        onChange();
      };
      hold.settle(message).then(settled, () => settle(message));
    };
    const hold = await reader.take(shardOf(mailbox), 1, {
      onMessage: (message) => {
        got.push(message.id);
        unsettled += 1;
        settle(message);
        onChange();
      },
      onLost: (error) => {
        throw error;
      },
    });
    let count = 0;
    const appendSome = async () => {
      for (let time = 0; time < 40; time += 1) {
        count += 1;
        expect(await writer.append(mailbox, messageOf(String(count)))).not.toBe("full");
      }
    };
    for (const server of servers) {
      await appendSome();
      await server.kill();
      await appendSome();
      await server.restart();
    }
    while (got.length < count || unsettled > 0) await new Promise<void>((resolve) => (onChange = resolve));
    expect(got).toEqual(Array.from({ length: count }, (_, index) => String(index + 1)));
    await hold.leave();
    const left: string[] = [];
    const last = await reader.take(shardOf(mailbox), 2, {
      onMessage: ({ id }) => {
        left.push(id);
        onChange();
      },
      onLost: () => undefined,
    });
    await writer.append(mailbox, messageOf("last"));
    while (!left.includes("last")) await new Promise<void>((resolve) => (onChange = resolve));
    expect(left).toEqual(["last"]);
    await last.leave();
  });

  it("keep what was not handled and nothing else, though they are killed while they purge what was", async () => {
    await using log = await logs.open("purged");
    const shard = shardOf(mailbox);
    const [open, ...others] = [mailbox, ...mailboxesOf(shard, 3)];
    let onChange = (): void => undefined;
    const got: string[] = [];
    const handled = new Set<string>();
    let unsettled = 0;
    const hold = await log.take(shard, 1, {
      onMessage: (message) => {
        got.push(message.id);
        // Agents but the first one handle all. That one handles nothing behind its first messages.
        const isOpen = message.mailbox.key === mailbox.key && Number(message.id) > openFrom;
        if (!isOpen) settle(message);
        onChange();
      },
      onLost: (error) => {
        throw error;
      },
    });
    const settle = (message: KeptMessage): void => {
      unsettled += handled.has(message.id) ? 0 : 1;
      handled.add(message.id);
      const settled = (): void => {
        unsettled -= 1;
        onChange();
      };
      hold.settle(message).then(settled, () => settle(message));
    };
    const kept: string[] = [];
    const expected: string[] = [];
    const appendSome = async (count: number) => {
      const begin = kept.length;
      const appends = Array.from({ length: count }, async (_, index) => {
        const id = String(begin + index + 1);
        const to = [open, ...others][index % 4] ?? mailbox;
        kept.push(id);
        if (to === open && Number(id) > openFrom) expected.push(id);
        await whenReached(() => log.append(to, messageOf(id)));
      });
      await Promise.all(appends);
    };
    // First all is handled together, which one purge for each round deletes.
    for (const server of servers) {
      const appending = appendSome(400);
      while (handled.size < kept.length / 2) await new Promise<void>((resolve) => (onChange = resolve));
      await server.kill();
      await appending;
      await server.restart();
    }
    // Then messages stay open before those that are handled.
    await appendSome(400);
    while (got.length < kept.length || unsettled > 0) await new Promise<void>((resolve) => (onChange = resolve));
    expect(new Set(got).size).toBe(kept.length);
    await hold.leave();
    for (const server of servers) {
      await server.kill();
      // The others keep what comes meanwhile.
      expected.push(String(kept.push("open")));
      await whenReached(() => log.append(mailbox, messageOf(String(kept.length))));
      await server.restart();
    }
    const left: string[] = [];
    const next = await whenReached(() =>
      log.take(shard, 2, {
        onMessage: ({ id }) => {
          left.push(id);
          onChange();
        },
        onLost: () => undefined,
      }),
    );
    await whenReached(() => log.append(mailbox, messageOf("last")));
    while (!left.includes("last")) await new Promise<void>((resolve) => (onChange = resolve));
    expect(left.slice(0, -1).sort()).toEqual(expected.sort());
    expect(left.at(-1)).toBe("last");
    for (const server of servers) await hasCaughtUp(server, "purged", expected.length + 1);
    await next.leave();
  });

  it("delete nothing else when they are killed between a purge and its answer, so that it is asked again", async () => {
    const [first] = servers;
    if (first === undefined) throw new Error("There are three.");
    await using proxy = await startFaultProxy({ target: first.address });
    await using far = await openNatsLog(`nats://${proxy.address}`, { clusterName: "unanswered" });
    await using near = await logs.open("unanswered");
    const shard = shardOf(mailbox);
    const [other] = mailboxesOf(shard, 1);
    const early: KeptMessage[] = [];
    let onChange = (): void => undefined;
    const hold = await far.take(shard, 1, {
      onMessage: (message) => {
        early.push(message);
        onChange();
      },
      onLost: () => undefined,
    });
    for (const id of ["1", "2", "3"]) await near.append(mailbox, messageOf(id));
    await near.append(other ?? mailbox, messageOf("open"));
    while (early.length < 4) await new Promise<void>((resolve) => (onChange = resolve));
    const mayBePurged = early.slice(0, 3);
    proxy.apply({ kind: "stall", in: "to-client" });
    const settling = Promise.all(mayBePurged.map((message) => whenReached(() => hold.settle(message))));
    for (const server of servers) await hasCaughtUp(server, "unanswered", 1);
    await Promise.all(servers.map((server) => server.kill()));
    await Promise.all(servers.map((server) => server.restart()));
    await whenReached(() => near.append(mailbox, messageOf("late")));
    proxy.apply({ kind: "reset" });
    proxy.heal();
    expect(await settling).toEqual(["settled", "settled", "settled"]);
    for (const server of servers) await hasCaughtUp(server, "unanswered", 2);
    const left: string[] = [];
    const next = await whenReached(() =>
      near.take(shard, 2, {
        onMessage: ({ id }) => {
          left.push(id);
          onChange();
        },
        onLost: () => undefined,
      }),
    );
    while (left.length < 2) await new Promise<void>((resolve) => (onChange = resolve));
    expect(left).toEqual(["open", "late"]);
    await next.leave();
  });
});

/** Messages up to this one are handled by all agents. */
const openFrom = 1_200;

/** Other mailboxes of a shard. */
function mailboxesOf(shard: number, count: number): readonly AgentName[] {
  const found: AgentName[] = [];
  for (let key = 2; found.length < count; key += 1) {
    const name = { type: mailbox.type, key: String(key) };
    if (shardOf(name) === shard) found.push(name);
  }
  return found;
}

/** Messages that a server has of the mail of a cluster. */
async function mailIn(server: NatsServer, clusterName: string): Promise<number> {
  // The fields are those of NATS' monitoring.
  const { account_details: accounts = [] } = (await server.monitor("jsz?accounts=true&streams=true")) as Jsz;
  const streams = accounts.flatMap(({ stream_detail: found = [] }) => found);
  return streams.find(({ name }) => name === `TROUPE_${clusterName}_MAIL_0`)?.state.messages ?? -1;
}

/** Resolves when a server that was restarted has no other messages than the others. */
async function hasCaughtUp(server: NatsServer, clusterName: string, messages: number): Promise<void> {
  while ((await mailIn(server, clusterName)) !== messages) await new Promise((resolve) => setTimeout(resolve, 100));
}

interface Jsz {
  readonly account_details?: readonly {
    readonly stream_detail?: readonly { readonly name: string; readonly state: { readonly messages: number } }[];
  }[];
}

function messageOf(id: string) {
  return { id, kind: "call", frame: new TextEncoder().encode(id), sentAtMs: 1 } as const;
}
