import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AgentId, defineMessage, TopicId } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { afterAll, expect, test } from "vitest";
import { z } from "zod";
import { freePort } from "../../support/free-ports.ts";
import { NodeProgram } from "../../support/node-program.ts";
import { PostgresServer, postgresAbsence } from "../../support/postgres-server.ts";

const folder = mkdtempSync(join(tmpdir(), "troupe-durable-"));
afterAll(() => rmSync(folder, { recursive: true }));

const Given = defineMessage("Given", z.object({ value: z.string() }));
const Happened = defineMessage("Happened", z.object({ value: z.string() }));
const Entries = defineMessage("Entries", z.object({ values: z.array(z.string()) }));
const Read = defineMessage("Read", z.object({}), { answer: Entries });

async function startHost(address: string, state: string): Promise<{ program: NodeProgram; address: string }> {
  const program = new NodeProgram("src/cli/main.ts", ["host", "--address", address, "--state", state, "--no-admin"]);
  const [, at = ""] = await program.output(/(127\.0\.0\.1:\d+)/);
  return { program, address: at };
}

async function startWorker(address: string): Promise<NodeProgram> {
  const program = new NodeProgram("tests/e2e/programs/durable-worker.ts", [address]);
  await program.output(/ready/);
  return program;
}

/** Publishes while the host or its worker is killed again and again, and compares what two ledgers have noted. */
async function publishesThrough(victim: "host" | "worker", state: string): Promise<void> {
  let { program: host, address } = await startHost(`127.0.0.1:${await freePort()}`, state);
  let worker = await startWorker(address);
  const caller = new GrpcWorkerAgentRuntime(address, { reconnect: { initialDelayMs: 20, maxDelayMs: 100 } });
  await caller.start();
  caller.addMessageSerializer(Happened);
  const kept: string[] = [];
  const give = async (value: string) => {
    await caller.sendMessage(Given({ value }), new AgentId("giver", value.slice(0, 1)), { timeoutMs: 10_000 });
    kept.push(value);
  };
  /** One publisher's events, each until it is kept. */
  const publishAll = async (values: readonly string[]) => {
    for (const value of values) {
      for (let isKept = false; !isKept; ) {
        isKept = await caller
          .publishMessage(Happened({ value }), new TopicId("happened", "main"), {
            ...{ delivery: "durable", idempotencyKey: value },
          })
          .then(
            () => true,
            () => false,
          );
        if (!isKept) await new Promise<void>((resolve) => setImmediate(resolve));
      }
      kept.push(value);
    }
  };
  for (let round = 0; round < 3; round += 1) {
    const values = ["a", "b", "c", "d"].flatMap((giver) => [`${giver}${round}x`, `${giver}${round}y`]);
    const publishing = publishAll(
      Array.from({ length: 20 }, (_, index) => `p${round}-${String(index).padStart(2, "0")}`),
    );
    const giving = Promise.allSettled(values.map(give));
    await Promise.race([giving, caller.sendMessage(Read({}), new AgentId("ledger", "main")).catch(() => undefined)]);
    if (victim === "worker") {
      await worker.stop("SIGKILL");
      worker = await startWorker(address);
    } else {
      await host.stop("SIGKILL");
      ({ program: host } = await startHost(address, state));
    }
    await giving;
    await publishing;
  }
  for (const type of ["ledger", "auditor"]) {
    const valuesNow = async () => {
      const { values } = await caller
        .sendMessage(Read({}), new AgentId(type, "main"), { timeoutMs: 10_000 })
        .catch(() => Entries({ values: [] }));
      return values;
    };
    await expect.poll(valuesNow, { timeout: 120_000, interval: 200 }).toEqual(expect.arrayContaining(kept));
    const values = await valuesNow();
    // Turns of which the outcome is not known may be there, too, each once.
    expect(values).toEqual([...new Set(values)]);
    const published = values.filter((value) => value.startsWith("p"));
    expect(published).toEqual([...published].sort());
  }
  await caller.stop();
  expect((await worker.stop("SIGTERM")).code).toBe(0);
  expect((await host.stop("SIGTERM")).code).toBe(0);
}

test.each(["worker", "host"] as const)(
  "what was published durably is handled once by each ledger, in order, after kill -9 of the %s",
  (victim) => publishesThrough(victim, `sqlite:${join(folder, `${victim}.db`)}`),
  300_000,
);

test("what was published durably is handled once by each ledger, in order, after kill -9 of the host with PostgreSQL", async (context) => {
  const absence = postgresAbsence();
  if (absence !== undefined) return context.skip(absence);
  await using server = await PostgresServer.start();
  await publishesThrough("host", server.url());
}, 300_000);
