import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type KeptMessage, shardOf } from "../../../src/core/internal.ts";
import { describeDurableLog } from "../../../src/testing/index.ts";
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
});

function messageOf(id: string) {
  return { id, kind: "call", frame: new TextEncoder().encode(id), sentAtMs: 1 } as const;
}
