import { jsonSchema, tool } from "ai";
import { AgentId, SingleThreadedAgentRuntime } from "troupe";
import { AiAgent, type AiAgentOptions, askModel, Prompt } from "troupe/ai";
import { scriptedModel } from "troupe/ai/testing";
import { type Commit, type CommitOutcome, MemoryStateStore } from "troupe/storage";
import {
  maxMessages,
  mention,
  participant,
  RunTeam,
  roundRobin,
  selector,
  TakeTurn,
  Team,
  type TeamOptions,
  tokens,
} from "troupe/teams";
import { describe, expect, test } from "vitest";
import { ada, concierge, given, signalled } from "./support.ts";

const newsroom = new AgentId("newsroom", "n1");
const askForDraft = { source: "user", content: "A haiku" };

/** Starts a runtime with a team of agents that think. */
async function newsroomOf(
  agents: { readonly [name: string]: AiAgentOptions },
  options: Omit<TeamOptions, "participants">,
  store = new MemoryStateStore(),
): Promise<SingleThreadedAgentRuntime> {
  const runtime = new SingleThreadedAgentRuntime({ stateStore: store });
  for (const [name, own] of Object.entries(agents)) await AiAgent.register(runtime, name, () => new AiAgent(own));
  const participants = Object.keys(agents).map((name) => participant(name, `the ${name}`));
  await Team.register(runtime, "newsroom", () => new Team({ participants, ...options }));
  runtime.start();
  return runtime;
}

/** A store that does not write the state of a team that has a text, as if the team's process were killed just before. */
class StoreWithout extends MemoryStateStore {
  readonly #lost = signalled();
  #text: string | undefined;

  constructor(text: string) {
    super();
    this.#text = text;
  }

  /** Resolves when the team has tried to save the text. From then on the store writes everything. */
  async isLost(): Promise<void> {
    await this.#lost.promise;
    this.#text = undefined;
  }

  override commit(commits: readonly Commit[]): Promise<readonly CommitOutcome[]> {
    const text = this.#text;
    const isLost = commits.some(({ agent, write }) => {
      if (agent.type !== "newsroom" || text === undefined || !("data" in write)) return false;
      return new TextDecoder().decode(write.data).includes(text);
    });
    if (!isLost) return super.commit(commits);
    this.#lost.resolve();
    return Promise.reject(new Error("killed"));
  }
}

describe("an agent that thinks in a team", () => {
  test("is given what others said with their names, and its own words once", async () => {
    const writer = scriptedModel([{ text: "Dust, sun" }, { text: "Dust, rain" }]);
    const critic = scriptedModel([{ text: "Where is the rain?" }, { text: "APPROVE" }]);
    const agents = { writer: { model: writer, instructions: "You write." }, critic: { model: critic } };
    const runtime = await newsroomOf(agents, { next: roundRobin(), until: mention("APPROVE") });
    const { messages } = await runtime.sendMessage(RunTeam({ task: "A haiku" }), newsroom);
    expect(messages.map(({ source, content }) => `${source}: ${content}`)).toEqual([
      ...["user: A haiku", "writer: Dust, sun", "critic: Where is the rain?", "writer: Dust, rain", "critic: APPROVE"],
    ]);
    const [system, asked, said] = ["system: You write.", "user: user: A haiku", "assistant: Dust, sun"];
    expect(given(writer, 1)).toEqual([system, asked, said, "user: critic: Where is the rain?"]);
    expect(given(critic, 0)).toEqual(["user: user: A haiku\n\nwriter: Dust, sun"]);
    await runtime.close();
  });

  test("tells the tokens of all its model calls, which end a run at their bound", async () => {
    const look = tool({ inputSchema: jsonSchema({ type: "object" }), execute: () => "rain" });
    const model = scriptedModel([
      { calls: [{ name: "look", input: {} }], tokens: { input: 100, output: 10 } },
      { text: "It rains.", tokens: { input: 200, output: 20 } },
    ]);
    const options = { next: roundRobin(), until: tokens({ total: 330 }) };
    const runtime = await newsroomOf({ writer: { model, tools: { look } } }, options);
    const result = await runtime.sendMessage(RunTeam({ task: "A haiku" }), newsroom);
    expect([result.prompt_tokens, result.completion_tokens]).toEqual([300, 30]);
    expect(result.stop_reason).toContain("Token usage limit reached, total token count: 330");
    await runtime.close();
  });

  test("reads the note of its turn, and that it is its turn where there is nothing new", async () => {
    const model = scriptedModel([{ text: "one" }, { text: "two" }]);
    const notes = ["Be short.", ""];
    const next = () => ({ name: "writer", note: notes.shift() });
    const runtime = await newsroomOf({ writer: { model } }, { next, until: maxMessages(3) });
    await runtime.sendMessage(RunTeam({ task: "A haiku" }), newsroom);
    expect(given(model, 1)).toEqual([
      "user: user: A haiku\n\nteam: Be short.",
      "assistant: one",
      "user: team: It is your turn.",
    ]);
    await runtime.close();
  });

  test("streams the parts of its turn to the reader of the team", async () => {
    const runtime = await newsroomOf(
      { writer: { model: scriptedModel([{ text: ["Dust, ", "rain"] }]) } },
      { next: roundRobin(), until: maxMessages(2), shareChunks: true },
    );
    const deltas: unknown[] = [];
    for await (const { part } of runtime.stream(RunTeam({ task: "A haiku" }), newsroom)) {
      if (part?.type === "text-delta") deltas.push(part.delta);
    }
    expect(deltas).toEqual(["Dust, ", "rain"]);
    await runtime.close();
  });

  test("is chosen by a model, which is told when its answer names no participant", async () => {
    const chooser = scriptedModel([{ text: "somebody" }, { text: "critic" }]);
    const agents = {
      writer: { model: scriptedModel([]) },
      critic: { model: scriptedModel([{ text: "APPROVE" }]) },
    };
    const options = { next: selector(askModel(chooser)), until: mention("APPROVE") };
    const runtime = await newsroomOf(agents, options);
    const { messages } = await runtime.sendMessage(RunTeam({ task: "A haiku" }), newsroom);
    expect(messages.map(({ source }) => source)).toEqual(["user", "critic"]);
    expect(given(chooser, 1).slice(1)).toEqual([
      "assistant: somebody",
      "user: Your answer names no participant. Choose one of: writer, critic.",
    ]);
    await runtime.close();
  });
});

describe("a turn that its team asks for again", () => {
  test("is given as a whole after the model has failed", async () => {
    const model = scriptedModel([{ error: new Error("no quota") }, { text: "Dust, rain" }]);
    const options = { next: roundRobin(), until: mention("rain") };
    const runtime = await newsroomOf({ writer: { model, maxRetries: 0 } }, options);
    await expect(runtime.sendMessage(RunTeam({ task: "A haiku" }), newsroom)).rejects.toThrow("no quota");
    await runtime.sendMessage(RunTeam({ task: "" }), newsroom);
    expect(given(model, 1)).toEqual(["user: user: A haiku"]);
    await runtime.close();
  });

  test("has its first answer if the team was lost with it, and the model is not asked", async () => {
    const store = new StoreWithout("Dust, rain");
    const until = maxMessages(2);
    const agents = { writer: { model: scriptedModel([{ text: "Dust, rain", tokens: { input: 7, output: 3 } }]) } };
    const lost = await newsroomOf(agents, { next: roundRobin(), until }, store);
    const outcome = expect(lost.sendMessage(RunTeam({ task: "A haiku" }), newsroom)).rejects.toThrow();
    await store.isLost();
    // Another runtime takes the store over, as it does when the process of the first one is killed.
    const model = scriptedModel([]);
    const next = await newsroomOf({ writer: { model } }, { next: roundRobin(), until: maxMessages(1) }, store);
    const result = await next.sendMessage(RunTeam({ task: "" }), newsroom);
    expect(result.messages.map(({ content }) => content)).toEqual(["Dust, rain"]);
    expect([result.prompt_tokens, result.completion_tokens]).toEqual([7, 3]);
    expect(model.calls).toEqual([]);
    await next.close();
    await lost.close();
    await outcome;
  });

  test("is not repeated in the history if the agent was lost in it, and the model reads of its tool calls", async () => {
    const store = new MemoryStateStore();
    const [begun, never] = [signalled(), signalled()];
    const execute = (): Promise<string> => {
      begun.resolve();
      return never.promise.then(() => "bought");
    };
    const tools = { buy: tool({ inputSchema: jsonSchema({ type: "object" }), execute }) };
    const options = { next: roundRobin(), until: maxMessages(3) };
    const calls = [{ name: "buy", input: {} }];
    const lost = await newsroomOf({ writer: { model: scriptedModel([{ calls }]), tools } }, options, store);
    const outcome = expect(lost.sendMessage(RunTeam({ task: "Buy bread" }), newsroom)).rejects.toThrow();
    await begun.promise;
    const model = scriptedModel([{ text: "one" }, { text: "two" }]);
    const next = await newsroomOf({ writer: { model, tools } }, options, store);
    await next.sendMessage(RunTeam({ task: "And milk" }), newsroom);
    const before = ["user: user: Buy bread", "assistant: tool-call", "tool: tool-result"];
    expect(given(model, 0)).toEqual([...before, "user: user: And milk"]);
    expect(JSON.stringify(model.calls[0]?.prompt)).toContain("unknown: The agent stopped while this tool ran");
    await next.close();
    never.resolve();
    await lost.close();
    await outcome;
  });

  test("keeps the text so far if the team has left it, and the model reads that the others have not", async () => {
    const gate = signalled();
    const model = scriptedModel([{ text: ["Dust, ", "sun"], after: gate.promise }, { text: "rain" }]);
    const runtime = await concierge({ model });
    const metadata = { "troupe-turn": "thread-1/0" };
    const turn = runtime.stream(TakeTurn({ messages: [askForDraft] }), ada, { metadata });
    for await (const { type } of turn) if (type === "text-delta") break;
    await expect(turn.answer).rejects.toMatchObject({ code: "cancelled" });
    gate.resolve();
    const again = TakeTurn({ messages: [askForDraft, { source: "user", content: "Hurry" }] });
    expect(await runtime.sendMessage(again, ada, { metadata })).toMatchObject({ content: "rain" });
    expect(given(model, 1)).toEqual([
      "user: user: A haiku",
      "assistant: Dust, ",
      "user: team: Your last message did not reach the others.\n\nuser: Hurry",
    ]);
    await runtime.close();
  });

  test("has the answer of this thread and this place alone", async () => {
    const model = scriptedModel(["1", "2", "3", "4", "5"].map((text) => ({ text })));
    const runtime = await concierge({ model });
    const take = async (place: string | undefined, note = "") => {
      const metadata = place === undefined ? {} : { "troupe-turn": place };
      return (await runtime.sendMessage(TakeTurn({ messages: [askForDraft], note }), ada, { metadata })).content;
    };
    expect([await take("one/0"), await take("other/0"), await take("one/0")]).toEqual(["1", "2", "1"]);
    expect([await take("one/2"), await take("one/2", "Be short."), await take(undefined)]).toEqual(["3", "4", "5"]);
    await runtime.close();
  });

  test("has no answer any more when sixteen other teams had theirs", async () => {
    const model = scriptedModel(Array.from({ length: 18 }, (_, at) => ({ text: `${at}` })));
    const runtime = await concierge({ model });
    const take = async (thread: number) => {
      const metadata = { "troupe-turn": `thread-${thread}/0` };
      return (await runtime.sendMessage(TakeTurn({ messages: [askForDraft] }), ada, { metadata })).content;
    };
    for (let thread = 0; thread < 16; thread += 1) expect(await take(thread)).toBe(`${thread}`);
    expect([await take(0), await take(16), await take(0)]).toEqual(["0", "16", "17"]);
    await runtime.close();
  });
});

describe("a turn in a team beside prompts", () => {
  test("waits for the prompt before it, with queue", async () => {
    const gate = signalled();
    const model = scriptedModel([{ text: "one", after: gate.promise }, { text: "two" }]);
    const runtime = await concierge({ model });
    const first = runtime.sendMessage(Prompt({ text: "1" }), ada);
    const second = runtime.sendMessage(TakeTurn({ messages: [askForDraft] }), ada);
    gate.resolve();
    expect([(await first).text, (await second).content]).toEqual(["one", "two"]);
    expect(given(model, 1)).toEqual(["user: 1", "assistant: one", "user: user: A haiku"]);
    await runtime.close();
  });

  test("is answered together with a prompt by steer, and the tokens are told once", async () => {
    const [gate, begun] = [signalled(), signalled()];
    const execute = () => {
      begun.resolve();
      return gate.promise.then(() => "dry");
    };
    const model = scriptedModel([{ calls: [{ name: "look", input: {} }] }, { text: "other" }, { text: "both" }]);
    const tools = { look: tool({ inputSchema: jsonSchema({ type: "object" }), execute }) };
    const runtime = await concierge({ model, whenBusy: "steer", tools });
    const first = runtime.sendMessage(Prompt({ text: "1" }), ada);
    await begun.promise;
    const metadata = { "troupe-turn": "thread-1/0" };
    const second = runtime.sendMessage(TakeTurn({ messages: [askForDraft] }), ada, { metadata });
    // When a later message is answered, this one has reached its agent.
    await runtime.sendMessage(Prompt({ text: "x" }), new AgentId("concierge", "bob"));
    gate.resolve();
    expect(await first).toMatchObject({ text: "both", input_tokens: 20, output_tokens: 10, model_calls: 2 });
    expect({ ...(await second) }).toEqual({ content: "both", handoff: "", prompt_tokens: 0, completion_tokens: 0 });
    const again = await runtime.sendMessage(TakeTurn({ messages: [askForDraft] }), ada, { metadata });
    expect(again.content).toBe("both");
    await runtime.close();
  });
});
