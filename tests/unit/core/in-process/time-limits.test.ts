import { expect, test } from "vitest";
import { AgentId, SingleThreadedAgentRuntime } from "../../../../src/core/index.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { Answer, Order, Probe } from "../../../contract/agent-runtime/world.ts";
import { NodeProgram } from "../../../support/node-program.ts";

const echoId = new AgentId("echo", "k");

test("a process lives as long as a call with a time limit is pending, and ends when the last one has settled", async () => {
  await using program = new NodeProgram("tests/unit/core/in-process/programs/waits-for-its-calls.ts");
  expect(await program.ended).toEqual({ code: 0, stdout: "answered\ntimed-out\nanswered\n", stderr: "" });
});

test("calls with one time limit end in the order in which they were sent, each at its own time", async () => {
  const clock = new ManualClock();
  const runtime = new SingleThreadedAgentRuntime({ clock, defaultTimeoutMs: 100 });
  await runtime.registerFactory("echo", () => new Probe(() => new Promise(() => undefined)));
  await runtime.start();
  const ended: string[] = [];
  for (const name of ["first", "second", "third"]) {
    const call: Promise<unknown> = runtime.sendMessage(Order({ text: name }), echoId);
    call.catch(() => ended.push(name));
    clock.advance(10);
  }
  const short = runtime.sendMessage(Order({ text: "short" }), echoId, { timeoutMs: 5 });
  clock.advance(5);
  await expect(short).rejects.toThrow(/^No answer from echo\/k to ContractOrder\w* within 5 ms/);
  expect(ended).toEqual([]);
  clock.advance(64);
  await Promise.resolve();
  expect(ended).toEqual([]);
  clock.advance(1);
  await Promise.resolve();
  expect(ended).toEqual(["first"]);
  clock.advance(20);
  await Promise.resolve();
  expect(ended).toEqual(["first", "second", "third"]);
  await runtime.close();
});

test("a call that was answered is not kept until its time would be up", async () => {
  const clock = new ManualClock();
  await using runtime = new SingleThreadedAgentRuntime({ clock, defaultTimeoutMs: 330_000 });
  await runtime.registerFactory("echo", () => new Probe(({ text }) => Answer({ text })));
  await runtime.start();
  await Promise.all(Array.from({ length: 100 }, () => runtime.sendMessage(Order({ text: "x" }), echoId)));
  expect(clock.pendingTimers).toBe(0);
});
