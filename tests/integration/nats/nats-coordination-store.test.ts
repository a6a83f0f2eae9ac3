import { afterAll, beforeAll, describe, it } from "vitest";
import { describeCoordinationStore } from "../../../src/testing/index.ts";
import { NatsRig } from "../../support/nats-rig.ts";
import { NatsServer, natsAbsence } from "../../support/nats-server.ts";

const absence = natsAbsence();
let server: NatsServer;
let rig: NatsRig;

describe.skipIf(absence !== undefined)(`NATS${absence === undefined ? "" : ` (${absence})`}`, () => {
  beforeAll(async () => {
    server = await NatsServer.start();
    rig = new NatsRig([server]);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const adapter = () => rig.adapter();
  describeCoordinationStore(
    "NATS",
    {
      create: (options) => adapter().create(options),
      another: (store, options) => adapter().another(store, options),
      faults: {
        loseAnswers: (store) => adapter().faults?.loseAnswers?.(store) ?? (() => undefined),
        restart: (store) => adapter().faults?.restart?.(store),
      },
    },
    { describe, it },
  );
});
