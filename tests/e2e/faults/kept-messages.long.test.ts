import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AgentId, defineMessage } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { afterAll, expect, test } from "vitest";
import { z } from "zod";
import { freePort } from "../../support/free-ports.ts";
import { NodeProgram } from "../../support/node-program.ts";

const folder = mkdtempSync(join(tmpdir(), "troupe-kept-mail-"));
afterAll(() => rmSync(folder, { recursive: true }));

const Given = defineMessage("Given", z.object({ value: z.string() }));
const Entries = defineMessage("Entries", z.object({ values: z.array(z.string()) }));
const Read = defineMessage("Read", z.object({}), { answer: Entries });
const ledger = new AgentId("ledger", "main");

async function startHost(address: string, file: string): Promise<{ program: NodeProgram; address: string }> {
  const program = new NodeProgram("src/cli/main.ts", ["host", "--address", address, "--state", `sqlite:${file}`]);
  const [, at = ""] = await program.output(/(127\.0\.0\.1:\d+)/);
  return { program, address: at };
}

async function startWorker(address: string): Promise<NodeProgram> {
  const program = new NodeProgram("tests/e2e/programs/mail-worker.ts", [address]);
  await program.output(/ready/);
  return program;
}

test.each(["worker", "host"] as const)(
  "what was told and reminded in an answered turn is handled once after kill -9 of the %s",
  async (victim) => {
    const file = join(folder, `${victim}.db`);
    let { program: host, address } = await startHost(`127.0.0.1:${await freePort()}`, file);
    let worker = await startWorker(address);
    const caller = new GrpcWorkerAgentRuntime(address, { reconnect: { initialDelayMs: 20, maxDelayMs: 100 } });
    await caller.start();
    const answered: string[] = [];
    const give = async (value: string) => {
      await caller.sendMessage(Given({ value }), new AgentId("giver", value.slice(0, 1)), { timeoutMs: 5_000 });
      answered.push(value);
    };
    for (let round = 0; round < 3; round += 1) {
      const values = ["a", "b", "c", "d"].flatMap((giver) => [`${giver}${round}x`, `${giver}${round}y`]);
      const giving = Promise.allSettled(values.map(give));
      await Promise.race([giving, caller.sendMessage(Read({}), ledger).catch(() => undefined)]);
      if (victim === "worker") {
        await worker.stop("SIGKILL");
        worker = await startWorker(address);
      } else {
        await host.stop("SIGKILL");
        ({ program: host } = await startHost(address, file));
      }
      await giving;
    }
    const valuesNow = async () => {
      const { values } = await caller
        .sendMessage(Read({}), ledger, { timeoutMs: 5_000 })
        .catch(() => Entries({ values: [] }));
      return values;
    };
    const due = answered.flatMap((value) => [value, `later ${value}`]);
    await expect.poll(valuesNow, { timeout: 90_000, interval: 200 }).toEqual(expect.arrayContaining(due));
    const values = await valuesNow();
    // Turns of which the outcome is not known may be there, too, each once.
    expect(values).toEqual([...new Set(values)]);
    await caller.stop();
    expect((await worker.stop("SIGTERM")).code).toBe(0);
    expect((await host.stop("SIGTERM")).code).toBe(0);
  },
  180_000,
);
