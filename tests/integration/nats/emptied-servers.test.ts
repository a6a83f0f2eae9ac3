import { rmSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ClusterMember } from "../../../src/cluster/internal.ts";
import { openNatsStore } from "../../../src/nats/index.ts";
import { NatsServer, natsAbsence } from "../../support/nats-server.ts";
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
});
