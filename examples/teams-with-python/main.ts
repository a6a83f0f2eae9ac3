// Teams with Python: a team whose critic is an agent of AgentChat in a Python process. chat_participant.py makes any such agent a
// participant. It also has the other way: an agent of Troupe's in a team of AgentChat's.
import assert from "node:assert/strict";
import { AgentId, handlerTable, RoutedAgent } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import {
  any,
  maxMessages,
  mention,
  participant,
  printTeam,
  RunTeam,
  roundRobin,
  TakeTurn,
  Team,
  TurnTaken,
} from "troupe/teams";
import { RunningProgram } from "../support/processes.ts";
import { findPythonWithAgentChat, howToGetAgentChat, sourceFile } from "../support/python.ts";

const python = findPythonWithAgentChat();
if (python === undefined) {
  console.log(`No Python with AgentChat is here, so this cannot be shown: ${howToGetAgentChat.join("; ")}`);
  process.exit(77); // "skipped": not a failure
}

class Writer extends RoutedAgent {
  static override readonly handlers = handlerTable<Writer>().rpc(TakeTurn, ({ messages }) => {
    const isRevised = messages.at(-1)?.source === "critic";
    return TurnTaken({ content: isRevised ? "Dust / a drop / rain" : "Dust / a drop / sun" });
  });
}

await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
await host.start();
await using critic = new RunningProgram(python, [sourceFile("teams-with-python/critic.py"), host.address], {
  onLine: (line) => console.log(`critic.py │ ${line}`),
});
await critic.line("ready");

await using runtime = new GrpcWorkerAgentRuntime(host.address);
await runtime.start();
await Writer.register(runtime, "writer", () => new Writer("writes"));
await Team.register(
  runtime,
  "newsroom",
  () =>
    new Team({
      participants: [participant("writer", "writes"), participant("critic", "finds what is wrong")],
      next: roundRobin(),
      until: any(mention("APPROVE"), maxMessages(20)),
    }),
);
const haiku = new AgentId("newsroom", "haiku-1");
const { messages, stop_reason } = await printTeam(runtime.stream(RunTeam({ task: "A haiku about rain" }), haiku));
assert.deepEqual(
  messages.map(({ source }) => source),
  ["user", "writer", "critic", "writer", "critic"],
);
assert.equal(stop_reason, "Text 'APPROVE' mentioned");
assert.equal(await critic.stop(), 0);
