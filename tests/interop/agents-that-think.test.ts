import { AgentId, defineMessage } from "troupe";
import { AiAgent, type AiAgentOptions, agentTool, Prompt } from "troupe/ai";
import { scriptedModel } from "troupe/ai/testing";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { MemoryStateStore } from "troupe/storage";
import { participant, RunTeam, roundRobin, Team } from "troupe/teams";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { shownResult } from "../support/team-scripts.ts";
import { cost, say } from "./support/agentchat-scripts.ts";
import { generations } from "./support/generations.ts";
import { PythonPeer } from "./support/python-peer.ts";
import { callFrom, startPythonWorker } from "./support/python-peers.ts";
import { venvPython } from "./support/venvs.ts";

const MyMessage = defineMessage("MyMessage", z.object({ content: z.string() }));
const AskPython = defineMessage("MyMessage", z.object({ content: z.string() }), { answer: MyMessage });
const ada = new AgentId("concierge", "ada");

/** Starts a host, and a worker with an agent that thinks. */
async function startThinking(type: string, options: AiAgentOptions) {
  const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
  await host.start();
  const runtime = new GrpcWorkerAgentRuntime(host.address, { stateStore: new MemoryStateStore() });
  await runtime.start();
  await AiAgent.register(runtime, type, () => new AiAgent(options));
  return { host, runtime };
}

/** Returns what a model was given in a call, as text. */
const read = (model: ReturnType<typeof scriptedModel>, call: number) => JSON.stringify(model.calls[call]?.prompt);

for (const generation of generations) {
  describe.skipIf(generation.skipReason)(`an agent that thinks beside ${generation.title}`, () => {
    test("has a Python agent as a tool, and the model reads its answer or its error", async () => {
      const call = (name: string) => ({ name, input: { content: "bread" } });
      const model = scriptedModel([{ calls: [call("echo"), call("failing")] }, { text: "Done." }]);
      const tools = {
        echo: agentTool(AskPython, { to: "echo", description: "Says it again" }),
        failing: agentTool(AskPython, { to: "failing", description: "Fails" }),
      };
      const { host, runtime } = await startThinking("concierge", { model, tools });
      await using _host = host;
      await using _runtime = runtime;
      await using python = await startPythonWorker(generation, host.address, [
        { kind: "echo", type: "echo" },
        { kind: "failing", type: "failing", text: "boom" },
      ]);
      expect((await runtime.sendMessage(Prompt({ text: "Go" }), ada)).text).toBe("Done.");
      expect(await python.next("received", { agent: "echo/default" })).toMatchObject({
        ...{ sender: "concierge/ada", isRpc: true, message: { content: "bread" } },
      });
      expect(read(model, 1)).toContain('{\\"content\\":\\"bread\\"}');
      expect(read(model, 1)).toContain("boom");
    });

    test("is asked by a Python worker, which reads its answer", async () => {
      const { host, runtime } = await startThinking("concierge", { model: scriptedModel([{ text: "24 degrees" }]) });
      await using _host = host;
      await using _runtime = runtime;
      await using python = await startPythonWorker(generation, host.address);
      const reply = { finish_reason: "stop", input_tokens: 10, output_tokens: 5, model_calls: 1 };
      expect(await callFrom(python, "concierge/ada", { type: "Prompt", message: { text: "How warm?" } })).toMatchObject(
        {
          ...{ event: "answer", type: "Reply", message: { text: "24 degrees", ...reply } },
        },
      );
    });
  });
}

const agentchat = venvPython("agentchat");
const reason = agentchat === undefined ? "no environment with AgentChat: run node tools/interop-venvs.mjs" : undefined;
const skipped = reason === undefined ? "" : ` [skipped: ${reason}]`;

describe.skipIf(reason)(`an agent that thinks beside AgentChat's${skipped}`, () => {
  test("writes in a team with an AssistantAgent as its critic", async () => {
    const model = scriptedModel([{ text: "a haiku" }, { text: "with rain" }]);
    const { host, runtime } = await startThinking("writer", { model });
    await using _host = host;
    await using _runtime = runtime;
    await using peer = await PythonPeer.start({ python: agentchat ?? "", script: "agentchat.py", config: {} });
    const lines = [cost("more rain", 7, 2)];
    await peer.next("done", {
      id: peer.send({ cmd: "participate", host: host.address, type: "critic", lines }),
    });
    const participants = [participant("writer", "writes"), participant("critic", "finds mistakes")];
    await Team.register(runtime, "team", () => new Team({ participants, next: roundRobin(), maxTurns: 3 }));
    const result = await runtime.sendMessage(RunTeam({ task: "go" }), new AgentId("team", "t"));
    expect(shownResult(result)).toEqual({
      messages: ["user: go", "writer: a haiku", "critic: more rain", "writer: with rain"],
      stop_reason: "Maximum number of turns 3 reached.",
      prompt_tokens: 27,
      completion_tokens: 12,
    });
    expect(read(model, 1)).toContain("critic: more rain");
  });

  test("takes part in a RoundRobinGroupChat", async () => {
    const model = scriptedModel([{ text: "a haiku" }, { text: "with rain" }]);
    const { host, runtime } = await startThinking("writer", { model });
    await using _host = host;
    await using _runtime = runtime;
    await using peer = await PythonPeer.start({ python: agentchat ?? "", script: "agentchat.py", config: {} });
    const participants = { writer: [], critic: say("more rain", "APPROVE") };
    const led = { host: host.address, participants, remote: ["writer"], maxTurns: 4, task: "go" };
    const { results } = await peer.next("teams", { id: peer.send({ cmd: "lead", ...led }) });
    expect(results[0]?.[0]).toMatchObject({
      messages: ["user: go", "writer: a haiku", "critic: more rain", "writer: with rain", "critic: APPROVE"],
      prompt_tokens: 20,
      completion_tokens: 10,
    });
  });
});
