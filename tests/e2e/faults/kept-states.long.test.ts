import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AgentId, defineMessage } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { afterAll, expect, test } from "vitest";
import { z } from "zod";
import { seededRandom } from "../../../src/testing/seeded-random.ts";
import { freePort } from "../../support/free-ports.ts";
import { NodeProgram } from "../../support/node-program.ts";

const folder = mkdtempSync(join(tmpdir(), "troupe-kept-"));
afterAll(() => rmSync(folder, { recursive: true }));

const Total = defineMessage("Total", z.object({ value: z.number() }));
const Add = defineMessage("Add", z.object({ value: z.number() }), { answer: Total });

const ready = /(127\.0\.0\.1:\d+)/;

async function startHost(address: string, file: string): Promise<{ program: NodeProgram; address: string }> {
  const program = new NodeProgram("src/cli/main.ts", ["host", "--address", address, "--state", `sqlite:${file}`]);
  const [, at = ""] = await program.output(ready);
  return { program, address: at };
}

async function startWorker(address: string): Promise<NodeProgram> {
  const program = new NodeProgram("tests/e2e/programs/counter-worker.ts", [address]);
  await program.output(/ready/);
  return program;
}

test.each(["worker", "host", "both"] as const)(
  "every sum that was answered is there after kill -9 of the %s at random moments",
  async (victim) => {
    const file = join(folder, `${victim}.db`);
    let { program: host, address } = await startHost(`127.0.0.1:${await freePort()}`, file);
    let worker = await startWorker(address);
    const caller = new GrpcWorkerAgentRuntime(address, { reconnect: { initialDelayMs: 20, maxDelayMs: 100 } });
    await caller.start();
    const random = seededRandom(7);
    const keys = ["a", "b", "c", "d"];
    /** Of each agent: the newest total that was answered, and the calls of which the outcome is not known. */
    const answered = new Map(keys.map((key) => [key, 0]));
    const undecided = new Map(keys.map((key) => [key, 0]));
    let answers = 0;
    const waiting: (() => void)[] = [];
    let isOver = false;
    const addAll = async (key: string) => {
      while (!isOver) {
        try {
          // A call waits until host and worker are up again, and uses no processor meanwhile.
          const { value } = await caller.sendMessage(Add({ value: 1 }), new AgentId("counter", key), {
            ...{ timeoutMs: 5_000, waitForTarget: 5_000 },
          });
          answers += 1;
          for (const wake of waiting.splice(0)) wake();
          const before = answered.get(key) ?? 0;
          // No answered sum is lost, and each call counts once at most.
          expect(value).toBeGreaterThan(before);
          expect(value).toBeLessThanOrEqual(before + 1 + (undecided.get(key) ?? 0));
          answered.set(key, value);
          undecided.set(key, 0);
        } catch (error) {
          if (!(error instanceof Error) || error.name === "AssertionError") throw error;
          undecided.set(key, (undecided.get(key) ?? 0) + 1);
        }
      }
    };
    const adding = Promise.all(keys.map(addAll));
    const answersBeyond = async (count: number) => {
      while (answers < count) await new Promise<void>((resolve) => waiting.push(resolve));
    };
    for (let round = 0; round < 4; round += 1) {
      await Promise.race([answersBeyond(answers + 20 + Math.floor(random.next() * 200)), adding]);
      if (victim !== "host") await worker.stop("SIGKILL");
      if (victim !== "worker") {
        await host.stop("SIGKILL");
        ({ program: host } = await startHost(address, file));
      }
      if (victim !== "host") worker = await startWorker(address);
    }
    await Promise.race([answersBeyond(answers + 20), adding]);
    isOver = true;
    await adding;
    for (const key of keys) {
      const { value } = await caller.sendMessage(Add({ value: 0 }), new AgentId("counter", key));
      expect(value).toBeGreaterThanOrEqual(answered.get(key) ?? 0);
      expect(value).toBeLessThanOrEqual((answered.get(key) ?? 0) + (undecided.get(key) ?? 0));
    }
    await caller.stop();
    expect((await worker.stop("SIGTERM")).code).toBe(0);
    expect((await host.stop("SIGTERM")).code).toBe(0);
  },
  180_000,
);
