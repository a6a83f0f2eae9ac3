import { afterAll, beforeAll, describe, it } from "vitest";
import { describeDurableLog } from "../../../src/testing/index.ts";
import { NatsLogs } from "../../support/nats-logs.ts";
import { NatsServer, natsAbsence } from "../../support/nats-server.ts";

const absence = natsAbsence();
let server: NatsServer;

describe.skipIf(absence !== undefined)(
  `NATS${absence === undefined ? "" : ` (${absence})`}`,
  { timeout: 60_000 },
  () => {
    beforeAll(async () => {
      server = await NatsServer.start(["max_payload: 8MB"]);
    });
    afterAll(() => server[Symbol.asyncDispose]());

    describeDurableLog("NATS", new NatsLogs(() => [server]).adapter(), { describe, it });
  },
);
