import { rmSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ClusterMember } from "../../../src/cluster/internal.ts";
import { type KeptMessage, shardOf } from "../../../src/core/internal.ts";
import { openNatsLog, openNatsStore } from "../../../src/nats/index.ts";
import { atLeast } from "../../../src/nats/internal.ts";
import { startFaultProxy } from "../../../src/testing/index.ts";
import { NatsServer, natsAbsence, natsProgram } from "../../support/nats-server.ts";
import { Opened } from "../../support/opened.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const absence = natsAbsence();
const title = `hosts of a cluster whose NATS has lost its data${absence === undefined ? "" : ` (${absence})`}`;

describe.skipIf(absence !== undefined)(title, { timeout: 60_000 }, () => {
  it("say so, and each begins a new life under a larger generation, in which it serves", async () => {
    await using opened = new Opened();
    const server = opened.use(await NatsServer.start());
    const begin = async () => {
      const store = opened.use(await openNatsStore(server.url, { logger: new RecordingLogger() }));
      const logger = new RecordingLogger();
      const newLife = () =>
        new ClusterMember({
          ...{ store, logger, times: { leaseMs: 3_000 } },
          host: { label: "", peerAddress: "", workerAddress: "" },
        });
      const member = newLife();
      await member.start();
      return { member, newLife, logger };
    };
    const hosts = [await begin(), await begin()];
    const generation = Math.max(...hosts.map(({ member }) => member.generation));
    await server.kill();
    rmSync(server.dataFolder, { recursive: true });
    await server.restart();
    for (const { member, newLife, logger } of hosts) {
      expect(await member.ended).toBe("store-lost");
      const next = newLife();
      await next.start();
      expect(next.isServing).toBe(true);
      expect(next.generation).toBeGreaterThan(generation);
      expect(logger.texts("error").join()).toContain("has forgotten writes");
      next.abandon();
    }
  });

  // Servers before 2.10 begin each stream with the place 1.
  const isOld = !atLeast(natsProgram()?.version ?? "", "2.10.0");
  it.skipIf(isOld)("delete no later mail by a deletion that was under way", async () => {
    await using opened = new Opened();
    const server = opened.use(await NatsServer.start());
    const proxy = opened.use(await startFaultProxy({ target: server.address }));
    const far = opened.use(await openNatsLog(`nats://${proxy.address}`));
    const near = opened.use(await openNatsLog(server.url));
    expect(await near.append(mailbox, messageOf("early"))).toBe("kept");
    let onMessage = (_message: KeptMessage): void => undefined;
    const first = new Promise<KeptMessage>((resolve) => (onMessage = resolve));
    const hold = await far.take(shardOf(mailbox), 1, {
      onMessage: (message) => onMessage(message),
      onLost: () => undefined,
    });
    const early = await first;
    proxy.apply({ kind: "refuse" });
    proxy.apply({ kind: "reset" });
    const settling = hold.settle(early);
    await server.kill();
    rmSync(server.dataFolder, { recursive: true });
    await server.restart();
    // The first host that finds the servers again makes the streams anew.
    await appended(() => near.append(mailbox, messageOf("late")));
    proxy.heal();
    await settling.catch(() => undefined);
    const ids: string[] = [];
    const read = new Promise<void>((resolve) => {
      const reader = {
        onMessage: ({ id }: KeptMessage) => void (ids.push(id) && id === "last" && resolve()),
        onLost: () => undefined,
      };
      void near.take(shardOf(mailbox), 2, reader);
    });
    await appended(() => near.append(mailbox, messageOf("last")));
    await read;
    expect(ids).toEqual(["late", "last"]);
  });
});

const mailbox = { type: "writer", key: "1" };

function messageOf(id: string) {
  return { id, kind: "call", frame: new TextEncoder().encode(id), sentAtMs: 1 } as const;
}

/** Appends until the log has the message. */
async function appended(append: () => Promise<unknown>): Promise<void> {
  for (;;) {
    const outcome = await append().catch(() => undefined);
    if (outcome !== undefined) return;
  }
}
