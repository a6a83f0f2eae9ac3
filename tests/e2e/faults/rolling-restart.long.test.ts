import { expect, test } from "vitest";
import * as z from "zod";
import { AgentId, defineMessage } from "../../../src/core/index.ts";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "../../../src/grpc/index.ts";
import { NodeProgram } from "../../support/node-program.ts";

const Work = defineMessage("Work", z.object({ number: z.number() }));
const writer = new AgentId("writer", "k");
const program = "tests/e2e/faults/programs/rolling-worker.ts";
const callers = 16;

test("a type under load is restarted from worker to worker; with waitForTarget no call fails, and none is handled twice", {
  timeout: 120_000,
}, async () => {
  await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
  await host.start();
  await using caller = new GrpcWorkerAgentRuntime(host.address);
  caller.addMessageSerializer(Work);
  await caller.start();
  let serving = new NodeProgram(program, [host.address]);
  await serving.output(/serving/);

  let isOver = false;
  let answered = 0;
  let onAnswer = () => {};
  const call = async () => {
    while (!isOver) {
      const number = answered;
      expect(await caller.sendMessage(Work({ number }), writer, { waitForTarget: 60_000 })).toEqual(Work({ number }));
      answered += 1;
      onAnswer();
    }
  };
  const answers = (count: number) =>
    new Promise<void>((resolve) => {
      const until = answered + count;
      onAnswer = () => answered >= until && resolve();
    });
  const load = Promise.all(Array.from({ length: callers }, call));

  let handled = 0;
  for (let restart = 0; restart < 3; restart += 1) {
    const successor = new NodeProgram(program, [host.address]);
    await successor.output(/waiting/);
    await Promise.race([answers(100), load]);
    serving.signal("SIGTERM");
    // The old worker drains meanwhile.
    await Promise.race([successor.output(/serving/), load]);
    await Promise.race([answers(100), load]);
    handled += handledBy(await serving.ended);
    serving = successor;
  }
  isOver = true;
  await load;
  handled += handledBy(await serving.stop());
  expect(handled).toBe(answered);
  expect(caller.counters()).toMatchObject({ unexpectedAnswers: 0 });
});

function handledBy({ code, stdout, stderr }: { code: number | string; stdout: string; stderr: string }): number {
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return Number(/handled (\d+)/.exec(stdout)?.[1]);
}
