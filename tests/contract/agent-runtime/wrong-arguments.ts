import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  type Agent,
  AgentId,
  CancellationToken,
  TopicId,
  TypePrefixSubscription,
  TypeSubscription,
} from "../../../src/core/index.ts";
import { Ask, echo, Note, Probe, type Stage, type Suite } from "./world.ts";

const id = new AgentId("echo", "k");
const news = new TopicId("news", "k");

/** What plain JavaScript lets through; the compiler takes `never` for anything. */
function given(value: unknown): never {
  return value as never;
}

interface Mistake {
  readonly title: string;
  readonly make: (stage: Stage) => unknown;
  readonly says: string;
}

const mistakes: readonly Mistake[] = [
  {
    title: "nothing for a message",
    make: ({ caller }) => caller.sendMessage(given(undefined), id),
    says: "The message must be a value of a declared message type, not undefined.",
  },
  {
    title: "null for an event",
    make: ({ caller }) => caller.publishMessage(given(null), news),
    says: "The message must be a value of a declared message type, not null.",
  },
  {
    title: "an agent id for a topic",
    make: ({ caller }) => caller.publishMessage(Note({ text: "x" }), given(id)),
    says: "The topic of an event must be a TopicId",
  },
  {
    title: "a topic id for a recipient",
    make: ({ caller }) => caller.sendMessage(Ask({ text: "x" }), given(news)),
    says: "The recipient must be an AgentId",
  },
  {
    title: "the factory before the agent type",
    make: ({ callee }) =>
      callee.registerFactory(
        given(() => new Probe()),
        given("other"),
      ),
    says: "The agent type must be a text or an AgentType, not a function.",
  },
  {
    title: "an agent id for an agent type",
    make: ({ callee }) => callee.registerFactory(given(id), () => new Probe()),
    says: "The agent type must be a text or an AgentType, not a value of AgentId.",
  },
  {
    title: "a class for a factory",
    make: ({ callee }) => callee.registerFactory("other", given(Probe)),
    says: "The factory must be a function that makes an agent, () => new Probe(), not the class Probe.",
  },
  {
    title: "nothing for a factory",
    make: ({ callee }) => callee.registerFactory("other", given(undefined)),
    says: "The factory must be a function that makes an agent",
  },
  {
    title: "nothing for the runtime of a class's register",
    make: () =>
      Probe.register(
        given("other"),
        given(() => new Probe()),
        given(undefined),
      ),
    says: "The runtime must be an AgentRuntime",
  },
  {
    title: "the factory before the agent type of a class's register",
    make: ({ callee }) =>
      Probe.register(
        callee,
        given(() => new Probe()),
        given("other"),
      ),
    says: "The factory must be a function that makes an agent, () => new Writer(), not the text",
  },
  {
    title: "a misspelt option of a call",
    make: ({ caller }) => caller.sendMessage(Ask({ text: "x" }), id, given({ timoutMs: 5 })),
    says: 'sendMessage has no option "timoutMs". Did you mean timeoutMs?',
  },
  {
    title: "a signal for the options of a call",
    make: ({ caller }) => caller.sendMessage(Ask({ text: "x" }), id, given(new AbortController().signal)),
    says: "sendMessage has no option",
  },
  {
    title: "a number for the options of a call",
    make: ({ caller }) => caller.sendMessage(Ask({ text: "x" }), id, given(5_000)),
    says: "The options of sendMessage must be an object, not 5000.",
  },
  {
    title: "text for a recipient",
    make: ({ caller }) => caller.sendMessage(Ask({ text: "x" }), given("echo/k")),
    says: 'The recipient must be an AgentId, new AgentId("greeter", "ada") or AgentId.parse("greeter/ada"), not the text "echo/k".',
  },
  {
    title: "nothing for a recipient",
    make: ({ caller }) => caller.sendMessage(Ask({ text: "x" }), given(undefined)),
    says: "not undefined.",
  },
  {
    title: "text for a topic",
    make: ({ caller }) => caller.publishMessage(Note({ text: "x" }), given("news/k")),
    says: 'not the text "news/k".',
  },
  {
    title: "nothing for a topic",
    make: ({ caller }) => caller.publishMessage(Note({ text: "x" }), given(undefined)),
    says: "The topic of an event must be a TopicId",
  },
  {
    title: "text for a sender",
    make: ({ caller }) => caller.sendMessage(Ask({ text: "x" }), id, { sender: given("user") }),
    says: "The option sender must be an AgentId",
  },
  {
    title: "a cancellation token for a signal",
    make: ({ caller }) => caller.sendMessage(Ask({ text: "x" }), id, { signal: given(new CancellationToken()) }),
    says: "pass `token.signal`",
  },
  {
    title: "a controller for a signal",
    make: ({ caller }) => caller.publishMessage(Note({ text: "x" }), news, { signal: given(new AbortController()) }),
    says: "pass `controller.signal`, not a value of AbortController.",
  },
  {
    title: "a schema for an answer",
    make: ({ caller }) => caller.sendMessage(Ask({ text: "x" }), id, { answer: given(z.object({})) }),
    says: "The option answer must be a message type",
  },
  {
    title: "text for a time limit",
    make: ({ caller }) => caller.sendMessage(Ask({ text: "x" }), id, { timeoutMs: given("5000") }),
    says: 'The option timeoutMs must be a number of milliseconds, not the text "5000".',
  },
  {
    title: "no number for a time limit",
    make: ({ caller }) => caller.sendMessage(Ask({ text: "x" }), id, { timeoutMs: Number.NaN }),
    says: "not NaN.",
  },
  {
    title: "text for a subscription",
    make: ({ callee }) => callee.addSubscription(given("news")),
    says: "TypeSubscription",
  },
  {
    title: "a schema for a message type",
    make: async ({ caller }) => caller.addMessageSerializer(given(z.object({}))),
    says: "must be a message type. Give a schema or a class a name",
  },
  {
    title: "no agent for an instance",
    make: ({ callee }) => callee.registerAgentInstance(given({}), new AgentId("inst", "k")),
    says: "must be an agent",
  },
  {
    title: "text for an instance's id",
    make: ({ callee }) => callee.registerAgentInstance(new Probe(), given("inst/k")),
    says: "The id of an instance must be an AgentId",
  },
  {
    title: "no state to load",
    make: ({ callee }) => callee.loadState(given(null)),
    says: "The state to load must be an object",
  },
  {
    title: "a list for an agent's state",
    make: ({ callee }) => callee.agentLoadState(id, given([])),
    says: "not a list.",
  },
];

/** Names that begin with `troupe.`. */
const reservedNames: typeof mistakes = [
  {
    title: "an agent type of Troupe's own",
    make: ({ callee }) => callee.registerFactory("troupe.clerk", () => new Probe()),
    says: 'The agent type "troupe.clerk" is reserved: names that begin with troupe. belong to Troupe. Choose another name.',
  },
  {
    title: "an agent type of Troupe's own for an instance",
    make: ({ callee }) => callee.registerAgentInstance(new Probe(), new AgentId("troupe.clerk", "k")),
    says: 'The agent type "troupe.clerk" is reserved',
  },
  {
    title: "a topic type of Troupe's own for an event",
    make: ({ caller }) => caller.publishMessage(Note({ text: "x" }), new TopicId("troupe.news", "k")),
    says: 'The topic type "troupe.news" is reserved',
  },
  {
    title: "a topic type of Troupe's own for a subscription",
    make: async ({ callee }) => callee.addSubscription(new TypeSubscription("troupe.news", "echo")),
    says: 'The topic type "troupe.news" is reserved',
  },
  {
    title: "a prefix of Troupe's own for a subscription",
    make: async ({ callee }) => callee.addSubscription(new TypePrefixSubscription("troupe.", "echo")),
    says: 'The topic type "troupe." is reserved',
  },
];

export function describeWrongArguments({ openStage }: Suite): void {
  describe("an argument that can't be meant is refused with `invalid-argument`, saying what to write:", () => {
    const refuses = async ({ make, says }: (typeof mistakes)[number]) => {
      await using stage = await openStage();
      await stage.host("echo");
      await expect(make(stage)).rejects.toMatchObject({
        name: "TroupeError",
        code: "invalid-argument",
        message: expect.stringContaining(says),
      });
    };
    test.each(mistakes)("$title", refuses);
    test.each(reservedNames)("a reserved name: $title", refuses);

    test("while ids, topics and signals of another copy of this package are taken", async () => {
      await using stage = await openStage();
      await stage.host("echo", echo);
      await stage.listen("news", "reader");
      const { type, key } = id;
      const other = { type, key, equals: id.equals, toString: () => `${type}/${key}` };
      expect((await stage.caller.sendMessage(Ask({ text: "x" }), other)).text).toBe("x from echo/k");
      const topic = { type: "news", source: "k", equals: news.equals, toString: () => "news/k" };
      await stage.caller.publishMessage(Note({ text: "y" }), topic);
      expect((await stage.seen.take()).text).toBe("y");
    });
  });

  describe("a factory that makes no agent", () => {
    test.each([
      ["nothing", undefined],
      ["a plain object", {}],
      ["its class", Probe],
    ])("but %s fails the call, saying so", async (_what, made) => {
      await using stage = await openStage();
      await stage.callee.registerFactory("echo", (): Agent => given(made));
      await stage.callee.addSubscription(new TypeSubscription("news", "echo"));
      const text = "The factory of agent type echo returned no agent.";
      await expect(stage.caller.sendMessage(Ask({ text: "x" }), id)).rejects.toThrow(text);
    });
  });
}
