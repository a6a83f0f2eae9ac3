import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openNatsStore } from "../../../src/nats/index.ts";
import { WatchRecorder } from "../../../src/testing/contracts/coordination-store/coordination-case.ts";
import { describeCoordinationStore } from "../../../src/testing/index.ts";
import { NatsRig, untilAnswers } from "../../support/nats-rig.ts";
import { NatsServer, natsClusterAbsence, natsProgram } from "../../support/nats-server.ts";

const absence = natsClusterAbsence();
const title = `three NATS servers${absence === undefined ? ` of version ${natsProgram()?.version}` : ` (${absence})`}`;
const bytesOf = (text: string) => new TextEncoder().encode(text);

describe.skipIf(absence !== undefined)(title, { timeout: 120_000 }, () => {
  let servers: readonly NatsServer[] = [];
  let rig: NatsRig;

  beforeAll(async () => {
    servers = await NatsServer.startThree();
    rig = new NatsRig(servers);
  }, 60_000);
  afterAll(() => Promise.all(servers.map((server) => server[Symbol.asyncDispose]())));

  const adapter = () => rig.adapter();
  describeCoordinationStore(
    "three NATS servers",
    {
      create: (options) => adapter().create(options),
      another: (store, options) => adapter().another(store, options),
    },
    { describe, it },
  );

  it("keep what was acknowledged, and let one writer win each race, while one after the other is killed", async () => {
    await using one = await rig.open();
    await using two = await openNatsStore(
      servers.map(({ url }) => url),
      { clusterName: rig.nameOf(one) },
    );
    const watch = new WatchRecorder();
    two.watch("worker.", watch);
    let count = 0;
    let revision = 0;
    const writeNext = async () => {
      count += 1;
      for (;;) {
        const text = bytesOf(String(count));
        const outcomes = await Promise.all([
          one.write("worker.a", text, revision),
          two.write("worker.a", text, revision),
        ]);
        const won = outcomes.filter(({ at }) => at === "written");
        expect(won.length).toBeLessThan(2);
        const found = await two.read("worker.a", { fresh: true });
        if (found === "unknown" || found === undefined) continue;
        // What was acknowledged is there, or something later.
        for (const outcome of won) if (outcome.at === "written") expect(found.revision).toBe(outcome.revision);
        if (found.revision === revision) continue;
        revision = found.revision;
        return;
      }
    };
    for (const server of servers) {
      for (let time = 0; time < 20; time += 1) await writeNext();
      await server.kill();
      for (let time = 0; time < 20; time += 1) await writeNext();
      await server.restart();
      await untilAnswers(one);
    }
    await watch.told("worker.a", String(count));
  });
});
