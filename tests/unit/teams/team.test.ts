import { AgentId, handlerTable, RoutedAgent, SingleThreadedAgentRuntime, TopicId } from "troupe";
import {
  all,
  any,
  handoffs,
  handoffTo,
  maxMessages,
  mention,
  type Next,
  participant,
  printTeam,
  RunTeam,
  roundRobin,
  StopTeam,
  saidBy,
  selector,
  TakeTurn,
  Team,
  TurnTaken,
  tokens,
  toolCalled,
  UiPart,
} from "troupe/teams";
import { describe, expect, test } from "vitest";
import { registerScript, type Script, scriptedTeam, team } from "./support.ts";

const lines = (result: { readonly messages: readonly { source: string; content: string }[] }) =>
  result.messages.map(({ source, content }) => `${source}: ${content}`);

/** A promise, and the function that resolves it. */
function signalled(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

describe("who speaks", () => {
  test("participants of a round robin speak in their order, each given what it has not seen", async () => {
    const script: Script = { writer: ["one", "two"], critic: ["more", "APPROVE"] };
    const { runtime, agents } = await scriptedTeam(script, { next: roundRobin(), until: mention("APPROVE") });
    const result = await runtime.sendMessage(RunTeam({ task: "go" }), team);
    expect(lines(result)).toEqual(["user: go", "writer: one", "critic: more", "writer: two", "critic: APPROVE"]);
    expect(result.stop_reason).toBe("Text 'APPROVE' mentioned");
    expect(agents.get("writer")?.given.map(({ messages }) => messages)).toEqual([
      [{ source: "user", content: "go" }],
      [{ source: "critic", content: "more" }],
    ]);
    await runtime.close();
  });

  test("a run with an empty task goes on behind the last speaker", async () => {
    const { runtime } = await scriptedTeam({ a: ["1", "3"], b: ["2"] }, { next: roundRobin(), maxTurns: 1 });
    expect(lines(await runtime.sendMessage(RunTeam({ task: "go" }), team))).toEqual(["user: go", "a: 1"]);
    expect(lines(await runtime.sendMessage(RunTeam({ task: "" }), team))).toEqual(["b: 2"]);
    const third = await runtime.sendMessage(RunTeam({ task: "" }), team);
    expect(lines(third)).toEqual(["a: 3"]);
    expect(third.stop_reason).toBe("Maximum number of turns 1 reached.");
    await runtime.close();
  });

  test("hand-offs name who speaks next, and a task after a hand-off to the outside goes back to who handed over", async () => {
    const script: Script = {
      desk: [{ content: "to sales", handoff: "sales" }],
      sales: [{ content: "which size?", handoff: "user" }, "sold"],
    };
    const { runtime } = await scriptedTeam(script, {
      next: handoffs(),
      until: any(handoffTo("user"), mention("sold")),
    });
    const first = await runtime.sendMessage(RunTeam({ task: "shoes" }), team);
    expect(lines(first)).toEqual(["user: shoes", "desk: to sales", "sales: which size?"]);
    expect(first.stop_reason).toMatch(/to user from sales detected\.$/);
    expect(lines(await runtime.sendMessage(RunTeam({ task: "42" }), team))).toEqual(["user: 42", "sales: sold"]);
    await runtime.close();
  });

  test("a pair that hands over to and fro without another voice stops", async () => {
    const to = (handoff: string) => Array.from({ length: 9 }, () => ({ content: "yours", handoff }));
    const { runtime } = await scriptedTeam({ a: to("b"), b: to("a") }, { next: handoffs() });
    const result = await runtime.sendMessage(RunTeam({ task: "go" }), team);
    expect(result.stop_reason).toBe('Ping-pong between "a" and "b"');
    expect(result.messages).toHaveLength(7);
    await runtime.close();
  });

  test("a selector asks again with the reason, and falls back to the last speaker", async () => {
    const asked: string[][] = [];
    const answers = ["nobody", "both a and b", "Let b speak.", "b again", "b", "b!"];
    const next = selector((messages) => {
      asked.push(messages.map(({ content }) => content));
      return answers.shift() ?? "";
    });
    const { runtime } = await scriptedTeam({ a: [], b: ["x", "y"], c: [] }, { next, maxTurns: 2 });
    expect(lines(await runtime.sendMessage(RunTeam({ task: "go" }), team))).toEqual(["user: go", "b: x", "b: y"]);
    expect(asked[0]?.[0]).toContain("a: the a");
    expect(asked[2]?.filter((_, at) => at % 2 === 0).slice(1)).toEqual([
      "Your answer names no participant. Choose one of: a, b, c.",
      "Your answer names more than one participant. Choose one of: a, b, c.",
    ]);
    expect(asked[5]?.at(-1)).toBe("b has just spoken, and may not speak again. Choose one of: a, c.");
    await runtime.close();
  });

  test("participants that speak at once see the same thread", async () => {
    const next: Next = ({ turns }) => (turns === 0 ? [{ name: "a", note: "first" }, "b"] : turns === 1 ? "c" : []);
    const { runtime, agents } = await scriptedTeam({ a: ["1"], b: ["2"], c: ["3"] }, { next });
    const result = await runtime.sendMessage(RunTeam({ task: "go" }), team);
    expect(lines(result)).toEqual(["user: go", "a: 1", "b: 2", "c: 3"]);
    expect(result.stop_reason).toBe("No participant was chosen to speak.");
    expect(agents.get("a")?.given[0]?.note).toBe("first");
    expect(agents.get("b")?.given[0]?.messages).toHaveLength(1);
    expect(agents.get("c")?.given[0]?.messages).toHaveLength(3);
    await runtime.close();
  });

  test("a name that is no participant fails the run with the names", async () => {
    const { runtime } = await scriptedTeam({ a: [], b: [] }, { next: () => "x" });
    await expect(runtime.sendMessage(RunTeam({ task: "go" }), team)).rejects.toMatchObject({
      code: "invalid-argument",
      message: expect.stringContaining("participants: a, b."),
    });
    await runtime.close();
  });
});

describe("how a run ends", () => {
  test("a turn that fails ends the run with its error, and the thread keeps what was said", async () => {
    const { runtime } = await scriptedTeam(
      { a: ["1"], b: [new Error("no idea"), "2"] },
      { next: roundRobin(), maxTurns: 2 },
    );
    const heard: string[] = [];
    const run = async () => {
      for await (const { source, content } of runtime.stream(RunTeam({ task: "go" }), team))
        heard.push(`${source}: ${content}`);
    };
    await expect(run()).rejects.toMatchObject({ code: "handler-failed", message: expect.stringContaining("no idea") });
    expect(heard).toEqual(["user: go", "a: 1"]);
    const saved = (await runtime.agentSaveState(team)).state;
    expect(saved).toMatchObject({ thread: [{ content: "go" }, { content: "1" }] });
    await runtime.close();
  });

  test("a turn that fails is skipped with a note, or has the message that a function returns", async () => {
    const failing: Script = { a: [new Error("secret")] };
    const skipping = await scriptedTeam(failing, { next: roundRobin(), whenTurnFails: "skip", maxTurns: 1 });
    expect(lines(await skipping.runtime.sendMessage(RunTeam({ task: "go" }), team))).toEqual([
      "user: go",
      "team: a did not take its turn (handler-failed).",
    ]);
    const replacing = await scriptedTeam(failing, {
      next: roundRobin(),
      whenTurnFails: ({ participant: name, error }) => ({ source: name, content: error.code }),
      maxTurns: 1,
    });
    expect(lines(await replacing.runtime.sendMessage(RunTeam({ task: "go" }), team))).toEqual([
      "user: go",
      "a: handler-failed",
    ]);
    await Promise.all([skipping.runtime.close(), replacing.runtime.close()]);
  });

  test("a participant that is not there fails the run as undeliverable", async () => {
    const runtime = new SingleThreadedAgentRuntime();
    await runtime.start();
    await Team.register(
      runtime,
      "team",
      () => new Team({ participants: [participant("ghost", "")], next: roundRobin() }),
    );
    await expect(runtime.sendMessage(RunTeam({ task: "go" }), team)).rejects.toMatchObject({ code: "undeliverable" });
    await runtime.close();
  });

  test("tokens of all turns are counted, and end a run at their bound", async () => {
    const turn = { content: "x", prompt_tokens: 7, completion_tokens: 3 };
    const { runtime } = await scriptedTeam({ a: [turn, turn] }, { next: roundRobin(), until: tokens({ total: 20 }) });
    expect(await runtime.sendMessage(RunTeam({ task: "go" }), team)).toMatchObject({
      prompt_tokens: 14,
      completion_tokens: 6,
      stop_reason:
        "Token usage limit reached, total token count: 20, prompt token count: 14, completion token count: 6.",
    });
    await runtime.close();
  });

  test("StopTeam, as an event too, ends a run after the turn that is under way", async () => {
    const { promise: taken, resolve: take } = signalled();
    const { promise: stopped, resolve: stop } = signalled();
    class Slow extends RoutedAgent {
      static override readonly handlers = handlerTable<Slow>().rpc(TakeTurn, async () => {
        take();
        await stopped;
        return TurnTaken({ content: "done" });
      });
    }
    const runtime = new SingleThreadedAgentRuntime();
    await runtime.start();
    await Slow.register(runtime, "slow", () => new Slow("takes its time"));
    await Team.register(
      runtime,
      "team",
      () => new Team({ participants: [participant("slow", "")], next: roundRobin() }),
    );
    const run = runtime.sendMessage(RunTeam({ task: "go" }), team);
    await taken;
    await expect(runtime.sendMessage(RunTeam({ task: "too" }), team)).rejects.toMatchObject({ code: "wrong-state" });
    await runtime.publishMessage(StopTeam({}), new TopicId("team:stop", "t1"));
    await runtime.sendMessage(StopTeam({ reason: "enough" }), team);
    stop();
    expect(await run).toMatchObject({ stop_reason: "enough", messages: [{ content: "go" }, { content: "done" }] });
    await runtime.close();
  });

  test("a condition of all holds when each has held once, whatever the order", async () => {
    const until = () => all(mention("X"), maxMessages(3), saidBy("b"));
    const { runtime } = await scriptedTeam({ a: ["X", "p"], b: ["q"] }, { next: roundRobin(), until: until() });
    expect((await runtime.sendMessage(RunTeam({ task: "go" }), team)).stop_reason).toBe(
      "Text 'X' mentioned, Maximum number of messages 3 reached, current message count: 3, 'b' answered",
    );
    await runtime.close();
  });
});

describe("chunks and nesting", () => {
  test("shared chunks name their speaker, and the result of a tool ends the run", async () => {
    class Tooled extends RoutedAgent {
      static override readonly handlers = handlerTable<Tooled>().rpc(TakeTurn, async function* () {
        yield UiPart({ type: "tool-input-available", toolCallId: "1", toolName: "book", input: {} });
        yield UiPart({ type: "tool-output-available", toolCallId: "1", output: "ok" });
        return TurnTaken({ content: "booked" });
      });
    }
    const { runtime } = await scriptedTeam({ tooled: [], plain: ["hi"] }, { next: roundRobin() });
    await Tooled.register(runtime, "booker", () => new Tooled("books"));
    const participants = [participant("booker", "books"), participant("plain", "talks")];
    const options = {
      participants,
      next: () => ["booker", "plain"],
      until: toolCalled("book"),
      shareChunks: true,
    } as const;
    await Team.register(runtime, "sharing", () => new Team(options));
    const stream = runtime.stream(RunTeam({ task: "go" }), new AgentId("sharing", "1"));
    const parts: string[] = [];
    for await (const { source, part } of stream) if (part !== null) parts.push(`${source} ${part.type}`);
    expect(parts.sort()).toEqual([
      "booker tool-input-available",
      "booker tool-output-available",
      "plain text-delta",
      "plain text-end",
      "plain text-start",
    ]);
    expect((await stream.answer).stop_reason).toBe("Function 'book' was executed.");
    await runtime.close();
  });

  test("a team takes part in a team, and answers with its last word and all its tokens", async () => {
    const { runtime } = await scriptedTeam(
      { a: [{ content: "draft", prompt_tokens: 1 }], b: [{ content: "final", prompt_tokens: 2 }] },
      { next: roundRobin(), maxTurns: 2 },
    );
    await registerScript(runtime, { judge: ["good"] });
    const participants = [participant("inner", "", { agent: "team" }), participant("judge", "")];
    await Team.register(runtime, "outer", () => new Team({ participants, next: roundRobin(), maxTurns: 2 }));
    const printed: string[] = [];
    const result = await printTeam(runtime.stream(RunTeam({ task: "go" }), new AgentId("outer", "t1")), (line) =>
      printed.push(line),
    );
    expect(printed).toEqual(["user: go", "inner: final", "judge: good", "Stopped: Maximum number of turns 2 reached."]);
    expect(result.prompt_tokens).toBe(3);
    await runtime.close();
  });

  test("a team that takes part in itself fails, since it is running", async () => {
    const runtime = new SingleThreadedAgentRuntime();
    await runtime.start();
    const self = { participants: [participant("self", "", { agent: "loop" })], next: roundRobin() };
    await Team.register(runtime, "loop", () => new Team(self));
    await expect(runtime.sendMessage(RunTeam({ task: "go" }), new AgentId("loop", "1"))).rejects.toMatchObject({
      code: "wrong-state",
    });
    await runtime.close();
  });

  test("leaving a run's stream ends the turn that is under way", async () => {
    const { promise: ended, resolve: end } = signalled();
    class Endless extends RoutedAgent {
      static override readonly handlers = handlerTable<Endless>().rpc(TakeTurn, async function* (_, { signal }) {
        try {
          for (;;) {
            signal.throwIfAborted();
            yield UiPart({ type: "text-delta", id: "1", delta: "x" });
          }
        } finally {
          end();
        }
      });
    }
    const runtime = new SingleThreadedAgentRuntime();
    await runtime.start();
    await Endless.register(runtime, "endless", () => new Endless("talks"));
    const participants = [participant("endless", "")];
    await Team.register(runtime, "team", () => new Team({ participants, next: roundRobin(), shareChunks: true }));
    for await (const { part } of runtime.stream(RunTeam({ task: "go" }), team)) if (part !== null) break;
    await ended;
    await runtime.close();
  });
});

describe("what a team refuses", () => {
  test("options without participants, without a policy, with two of a name or a name of others are refused", () => {
    const a = participant("a", "");
    const refused = (options: object) => () => Reflect.construct(Team, [options]);
    expect(refused({ participants: [], next: roundRobin() })).toThrow("at least one participant");
    expect(refused({ participants: [a] })).toThrow("the option next");
    expect(refused({ participants: [a, a], next: roundRobin() })).toThrow('two participants with the name "a"');
    expect(refused({ participants: [participant("user", "")], next: roundRobin() })).toThrow("can't be named user");
    expect(refused({ participants: [a], next: roundRobin(), until: 3 })).toThrow("until must be a condition");
    expect(refused({ participants: [a], next: roundRobin(), unitl: 3 })).toThrow("until");
    expect(() => tokens({})).toThrow("needs a bound");
    expect(() => any()).toThrow("at least one condition");
  });
});
