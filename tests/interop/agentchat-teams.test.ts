import fc from "fast-check";
import { AgentId } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { participant, RunTeam, roundRobin, type Spoken, Team } from "troupe/teams";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  conditionOf,
  type Line,
  playScript,
  registerAssistants,
  shownResult,
  type Tree,
} from "../support/team-scripts.ts";
import { cost, say, scripts } from "./support/agentchat-scripts.ts";
import type { CommandWithId } from "./support/peer-protocol.ts";
import { PythonPeer } from "./support/python-peer.ts";
import { venvPython } from "./support/venvs.ts";

const source = fc.constantFrom("user", "a", "b");
// AgentChat looks for a text in the events of tools, too.
const word = fc.constantFrom("", "Q", "Z", "QZ");
const few = fc.integer({ min: 1, max: 6 });
const leaf: fc.Arbitrary<Tree> = fc.oneof(
  fc.record({ is: fc.constant("maxMessages" as const), most: few }),
  fc.record({ is: fc.constant("mention" as const), text: fc.constantFrom("Q", "Z") }),
  fc.record({ is: fc.constant("mention" as const), text: fc.constantFrom("Q", "Z"), sources: fc.constant(["a"]) }),
  fc.record({ is: fc.constant("saidBy" as const), sources: fc.constantFrom(["a"], ["b", "c"]) }),
  fc.record({ is: fc.constant("handoffTo" as const), target: fc.constantFrom("a", "user") }),
  fc.record({ is: fc.constant("tokens" as const), total: few, prompt: few }),
  fc.record({ is: fc.constant("toolCalled" as const), tool: fc.constantFrom("t", "u") }),
);
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.record({
      is: fc.constantFrom("any" as const, "all" as const),
      of: fc.array(tie("tree"), { minLength: 2, maxLength: 3 }),
    }),
  ),
}));
const message = fc.record({
  ...{ source, content: word, handoff: fc.constantFrom("", "", "a", "user") },
  ...{ prompt: fc.integer({ min: 0, max: 2 }), completion: fc.integer({ min: 0, max: 2 }) },
  tools: fc.constantFrom([], [], ["t"], ["u", "t"]),
});
const deltas = fc.array(fc.array(message, { maxLength: 2 }), { maxLength: 8 });

/** Returns at which delta a condition of ours stops, and why. */
async function outcomeOf({ until, deltas: all }: { until: Tree; deltas: readonly Message[][] }) {
  const condition = conditionOf(until);
  const check = typeof condition === "function" ? condition : condition.begin();
  const signal = new AbortController().signal;
  const turn = { thread: [], participants: [], last: "", turns: 0, elapsedMs: 0, signal };
  for (const [at, delta] of all.entries()) {
    const said = delta.map(
      ({ prompt, completion, ...rest }): Spoken => ({
        ...rest,
        ...{ participant: "", prompt_tokens: prompt, completion_tokens: completion },
      }),
    );
    const reason = await check(turn, said);
    if (reason !== undefined) return { at, reason };
  }
  return null;
}

type Message = typeof message extends fc.Arbitrary<infer M> ? M : never;

const python = venvPython("agentchat");
const reason = python === undefined ? "no environment with AgentChat: run node tools/interop-venvs.mjs" : undefined;

describe.skipIf(reason)(`teams beside AgentChat's${reason === undefined ? "" : ` [skipped: ${reason}]`}`, () => {
  let peer: PythonPeer;
  beforeAll(async () => {
    peer = await PythonPeer.start({ python: python ?? "", script: "agentchat.py", config: {} });
  });
  afterAll(() => peer.kill());

  /** Has AgentChat play teams; resolves to the results of their runs. */
  async function played(command: CommandWithId) {
    const id = peer.send(command);
    const outcome = await peer.nextOf(["teams", "error"], (event) => event.id === id);
    if (outcome.event === "error") throw new Error(`${outcome.class}: ${outcome.text}`);
    return outcome.results;
  }

  test.each(scripts)("the same script gives the same thread and stop reason: %s", async (_name, script) => {
    const [theirs] = await played({ cmd: "teams", cases: [script] });
    expect(await playScript(script)).toEqual(theirs);
  });

  test("any and all stop where the operators of AgentChat stop, with the same reasons", async () => {
    const cases = fc.sample(fc.record({ until: tree, deltas }), { numRuns: 1_000, seed: 17 });
    const { results } = await peer.next("conditions", { id: peer.send({ cmd: "conditions", cases }) });
    const ours = await Promise.all(cases.map(outcomeOf));
    expect(ours.filter((outcome) => outcome !== null).length).toBeGreaterThan(500);
    for (const [at, one] of cases.entries()) expect({ one, outcome: ours[at] }).toEqual({ one, outcome: results[at] });
  });

  test("AgentChat's AssistantAgent takes part in a team of ours, by a hand-off too", async () => {
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
    await host.start();
    const lines: Line[] = [cost("more rain", 7, 2), { handoff: "writer", prompt: 1 }];
    const served = peer.send({ cmd: "participate", host: host.address, type: "critic", lines });
    await peer.next("done", { id: served });
    await using runtime = new GrpcWorkerAgentRuntime(host.address);
    await runtime.start();
    await registerAssistants(runtime, { writer: say("a haiku", "with rain") });
    const participants = [participant("writer", "writes"), participant("critic", "finds mistakes")];
    await Team.register(runtime, "team", () => new Team({ participants, next: roundRobin(), maxTurns: 4 }));
    const result = await runtime.sendMessage(RunTeam({ task: "go" }), new AgentId("team", "t"));
    expect(shownResult(result)).toEqual({
      messages: [
        "user: go",
        "writer: a haiku",
        "critic: more rain",
        "writer: with rain",
        "critic: Transferred to writer, adopting the role of writer immediately.",
      ],
      stop_reason: "Maximum number of turns 4 reached.",
      prompt_tokens: 8,
      completion_tokens: 2,
    });
  });

  test("an agent of ours takes part in AgentChat's RoundRobinGroupChat", async () => {
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
    await host.start();
    await using runtime = new GrpcWorkerAgentRuntime(host.address);
    await runtime.start();
    await registerAssistants(runtime, { writer: [cost("a haiku", 3, 1), ...say("with rain")] });
    const participants = { writer: [], critic: say("more rain", "APPROVE") };
    const led = { host: host.address, participants, remote: ["writer"], maxTurns: 4, task: "go" };
    const [results] = await played({ cmd: "lead", ...led });
    expect(results?.[0]).toEqual({
      messages: ["user: go", "writer: a haiku", "critic: more rain", "writer: with rain", "critic: APPROVE"],
      stop_reason: "Maximum number of turns 4 reached.",
      prompt_tokens: 3,
      completion_tokens: 1,
    });
  });
});
