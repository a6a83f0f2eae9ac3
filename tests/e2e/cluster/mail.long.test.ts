import { expect, it } from "vitest";
import { z } from "zod";
import { AgentId, defineMessage, handlerTable, RoutedAgent } from "../../../src/core/index.ts";
import { GrpcWorkerAgentRuntime } from "../../../src/grpc/index.ts";
import { ClusterPrograms } from "../../support/cluster-programs.ts";
import { Inbox } from "../../support/inbox.ts";
import { natsAbsence } from "../../support/nats-server.ts";

const absence = natsAbsence();
const Note = defineMessage("KilledNote", z.object({ text: z.string() }));
/** In many shards, so that each host owns some of them. */
const keys = Array.from({ length: 16 }, (_, index) => `k${index}`);
const rounds = 6;

it.skipIf(absence !== undefined)(
  "a told message of a cluster is handled, in order, though a host and NATS are killed with -9",
  { timeout: 120_000 },
  async () => {
    await using cluster = await ClusterPrograms.start();
    const flags = ["--lease-ms", "5000"];
    const one = await cluster.startHost(...flags);
    const two = await cluster.startHost(...flags);
    const seen = new Inbox<string>();
    await using worker = new GrpcWorkerAgentRuntime(two.address);
    await worker.start();
    worker.addMessageSerializer(Note);
    class Seer extends RoutedAgent {
      static override readonly handlers = handlerTable<Seer>().rpc(Note, function ({ text }) {
        seen.put(`${this.id.key} ${text}`);
      });
    }
    await worker.registerFactory("seer", () => new Seer("sees"));
    const told = new Map(keys.map((key) => [key, [] as string[]]));
    const tellAll = async (text: string) => {
      for (const key of keys) {
        // While NATS is away, or its answer was lost, the sender tells it again under the same key.
        const idempotencyKey = `${key} ${text}`;
        const tell = () => worker.tell(Note({ text }), new AgentId("seer", key), { idempotencyKey });
        while (
          !(await tell().then(
            () => true,
            () => false,
          ))
        );
        told.get(key)?.push(text);
      }
    };
    const got = new Map(keys.map((key) => [key, [] as string[]]));
    for (let round = 1; round <= rounds; round += 1) {
      const telling = tellAll(String(round));
      if (round === 2) await one.program.stop("SIGKILL");
      if (round === 4) {
        await cluster.nats.kill();
        await cluster.nats.restart();
      }
      await telling;
    }
    const isWhole = () => keys.every((key) => got.get(key)?.at(-1) === String(rounds));
    while (!isWhole()) {
      const [key = "", text = ""] = (await seen.take()).split(" ");
      // An agent without a state may see a message again that its host was lost with.
      if (got.get(key)?.at(-1) !== text) got.get(key)?.push(text);
    }
    expect(got).toEqual(told);
  },
);
