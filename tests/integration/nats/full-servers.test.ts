import { describe, expect, it } from "vitest";
import { ClusterMember } from "../../../src/cluster/internal.ts";
import { openNatsStore } from "../../../src/nats/index.ts";
import { Gate } from "../../support/gate.ts";
import { NatsServer, natsAbsence } from "../../support/nats-server.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const absence = natsAbsence();
const title = `NATS servers whose disk is full${absence === undefined ? "" : ` (${absence})`}`;

describe.skipIf(absence !== undefined)(title, { timeout: 60_000 }, () => {
  it("take no write of the cluster and say why; reads go on, and a host loses its lease until there is space again", async () => {
    await using server = await NatsServer.start(["jetstream { store_dir: data, max_file_store: 2MB }"]);
    const logger = new RecordingLogger();
    const store = await openNatsStore(server.url, { logger });
    const [isolated, serving] = [new Gate(), new Gate()];
    let isLost = false;
    const member = new ClusterMember({
      ...{ store, logger: new RecordingLogger(), times: { leaseMs: 3_000 } },
      host: { label: "", peerAddress: "", workerAddress: "" },
      listener: {
        onServing: (isServing) => {
          if (isServing && isLost) serving.open();
          isLost = !isServing;
          if (isLost) isolated.open();
        },
      },
    });
    await member.start();
    const value = new Uint8Array(8 * 1_024);
    let written = 0;
    let outcome = await store.write(`claim.${written}`, value, 0);
    while (outcome.at === "written") {
      written += 1;
      outcome = await store.write(`claim.${written}`, value, 0);
    }
    expect(outcome).toEqual({ at: "unknown" });
    expect(written).toBeGreaterThan(10);
    expect(logger.texts("warn")).toContain("NATS refuses a write");
    await isolated.opened;
    expect(member.isServing).toBe(false);
    expect(await store.read("claim.0")).toMatchObject({ value });
    // A server with a full disk needs a restart, whatever is deleted.
    await server.stop();
    await server.restart(["jetstream { store_dir: data, max_file_store: 20MB }"]);
    await serving.opened;
    expect(member.isServing).toBe(true);
    member.abandon();
    await store.close();
  });
});
