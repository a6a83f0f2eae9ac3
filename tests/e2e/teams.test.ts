import { AgentId } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { RunTeam, type TeamResult } from "troupe/teams";
import { describe, expect, test } from "vitest";
import { NodeProgram } from "../support/node-program.ts";

const team = new AgentId("team", "t");
const lines = ({ messages }: TeamResult) => messages.map(({ source, content }) => `${source}: ${content}`);

async function startHost(): Promise<GrpcWorkerAgentRuntimeHost> {
  const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
  await host.start();
  return host;
}

async function startWorker(address: string, ...args: readonly string[]): Promise<NodeProgram> {
  const program = new NodeProgram("tests/e2e/programs/team-worker.ts", [address, ...args]);
  await program.output(/ready/);
  return program;
}

/** Starts a writer, the team that asks it, and a critic that does not answer. */
function startTeam(address: string): Promise<[NodeProgram, NodeProgram, NodeProgram]> {
  return Promise.all([
    startWorker(address, "writer"),
    startWorker(address, "team"),
    startWorker(address, "critic", "hangs"),
  ]);
}

describe("a team whose participants are processes of their own", { timeout: 60_000 }, () => {
  test("fails with the killed participant, and asks it again in the next run", async () => {
    await using host = await startHost();
    const { address } = host;
    const [writer, leader, hanging] = await startTeam(address);
    await using _writer = writer;
    await using _leader = leader;
    await using _hanging = hanging;
    await using runtime = new GrpcWorkerAgentRuntime(address);
    await runtime.start();
    const run = runtime.sendMessage(RunTeam({ task: "go" }), team);
    const failed = expect(run).rejects.toMatchObject({
      code: "disconnected",
      message: expect.stringContaining('The turn of "critic" in the team team/t failed'),
    });
    await hanging.output(/asked/);
    await hanging.stop("SIGKILL");
    await failed;

    await using _critic = await startWorker(address, "critic");
    expect(lines(await runtime.sendMessage(RunTeam({ task: "" }), team))).toEqual([
      "critic: heard 2",
      "writer: heard 1",
    ]);
  });

  test("goes on in another process with the thread of its last turn when its own is killed", async () => {
    await using host = await startHost();
    const { address } = host;
    const [writer, leader, hanging] = await startTeam(address);
    await using _writer = writer;
    await using _leader = leader;
    await using _hanging = hanging;
    await using runtime = new GrpcWorkerAgentRuntime(address);
    await runtime.start();
    const heard: string[] = [];
    const run = async () => {
      for await (const { source } of runtime.stream(RunTeam({ task: "go" }), team)) heard.push(source);
    };
    const failed = expect(run()).rejects.toMatchObject({ code: "disconnected" });
    await hanging.output(/asked/);
    await leader.stop("SIGKILL");
    await failed;
    expect(heard).toEqual(["user", "writer"]);

    await hanging.stop("SIGKILL");
    await using _critic = await startWorker(address, "critic");
    await using _heir = await startWorker(address, "team");
    expect(lines(await runtime.sendMessage(RunTeam({ task: "" }), team))).toEqual([
      "critic: heard 2",
      "writer: heard 1",
    ]);
  });
});
