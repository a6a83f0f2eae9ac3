import { expect, test } from "vitest";
import { AgentHandlers } from "../../../../../src/core/delivery/calls/agent-handlers.ts";
import { WaitingHandlers } from "../../../../../src/core/delivery/calls/waiting-handlers.ts";
import { HandlerContext } from "../../../../../src/core/delivery/handler-context.ts";
import { AgentId, SingleThreadedAgentRuntime } from "../../../../../src/core/index.ts";

const agentId = new AgentId("ping", "k");
const runtime = new SingleThreadedAgentRuntime();

function handlerBelow(above: number): HandlerContext {
  const sender = new AgentId("pong", "k");
  return new HandlerContext({ sender, topicId: undefined, isRpc: true, messageId: "m", agentId, runtime, above });
}

/** An agent with running handlers, for whose calls so many others wait. */
function agentWith(...above: readonly number[]): AgentHandlers {
  const agent = new AgentHandlers(() => undefined);
  for (const one of above) agent.begin(handlerBelow(one));
  return agent;
}

test("calls that an agent makes one directly after the other are those of one handler", async () => {
  const agent = agentWith(0, 2);
  expect([agent.ownCall().waiting, agent.ownCall().waiting]).toEqual([1, 1]);
  await Promise.resolve();
  expect(agent.ownCall().waiting).toBe(3);
});

test("a handler whose call has ended makes the next one", async () => {
  const agent = agentWith(0, 2);
  for (let calls = 0; calls < 3; calls += 1) {
    const call = agent.ownCall();
    expect(call.waiting).toBe(1);
    await Promise.resolve();
    call.end();
  }
});

test("a guess counts at most two for each other handler of the agent", async () => {
  const agent = agentWith(0, 100);
  expect(agent.ownCall().waiting).toBe(1);
  await Promise.resolve();
  expect(agent.ownCall().waiting).toBe(3);
});

test("no handler waits for the handler of a call that was given up", () => {
  const parts = { maxHandlers: 2, ambient: undefined, runningCount: () => 3, agentOf: () => undefined };
  const waiting = new WaitingHandlers(parts);
  const context = handlerBelow(2);
  const call = () => waiting.callBegins({ scope: context.scope }, new AgentId("pong", "k"))?.waiting;
  expect(call).toThrow("More than 2 handlers wait for the call to pong/k");
  context.abort(new Error("given up"));
  expect(call()).toBe(1);
});
