import {
  AgentId,
  ClosureAgent,
  DefaultSubscription,
  DefaultTopicId,
  defaultSubscription,
  defineMessage,
  defineTool,
  event,
  type MessageContext,
  type MessageOf,
  RoutedAgent,
  rpc,
  SingleThreadedAgentRuntime,
  ToolAgent,
  toolAgentCallerLoop,
  UserMessage,
  voidMessage,
} from "troupe";
import { expect, test } from "vitest";
import { z } from "zod";

const Greeting = defineMessage("Greeting", z.object({ content: z.string() }));
const AskToGreet = defineMessage("AskToGreet", z.object({ name: z.string() }), { answer: Greeting });
const Remember = defineMessage("Remember", z.object({ name: z.string() }), { answer: voidMessage });

@defaultSubscription()
class Greeter extends RoutedAgent {
  readonly #met: string[] = [];

  @rpc(AskToGreet)
  async greet(ask: MessageOf<typeof AskToGreet>) {
    return Greeting({ content: `Hello, ${ask.name}! I have met ${this.#met.length}.` });
  }

  @rpc(Remember)
  async remember({ name }: MessageOf<typeof Remember>) {
    this.#met.push(name);
  }

  @event(AskToGreet)
  async announce(ask: MessageOf<typeof AskToGreet>, { signal }: MessageContext) {
    const greeting = await this.sendMessage(ask, this.id, { signal });
    await this.publishMessage(greeting, new DefaultTopicId("greetings"));
  }
}

async function runtimeWithGreeter() {
  const runtime = new SingleThreadedAgentRuntime();
  await runtime.start();
  await Greeter.register(runtime, "greeter", () => new Greeter("greets people"));
  return runtime;
}

test("an agent answers calls with what its message types promise", async () => {
  await using runtime = await runtimeWithGreeter();
  const id = new AgentId("greeter", "default");
  expect(await runtime.sendMessage(Remember({ name: "Bob" }), id)).toBeUndefined();
  const greeting = await runtime.sendMessage(AskToGreet({ name: "Ada" }), id);
  expect(greeting.content).toBe("Hello, Ada! I have met 1.");
});

test("a closure gets what agents publish", async () => {
  await using runtime = await runtimeWithGreeter();
  const heard: string[] = [];
  await ClosureAgent.registerClosure(runtime, "ear", (_agent, { content }) => void heard.push(content), {
    types: Greeting,
    subscriptions: () => new DefaultSubscription("greetings"),
    unknownTypePolicy: "error",
  });
  await runtime.publishMessage(AskToGreet({ name: "Ada" }), new DefaultTopicId());
  await runtime.stopWhenIdle();
  expect(heard).toEqual(["Hello, Ada! I have met 0."]);
});

test("a tool agent serves the caller loop of another agent", async () => {
  await using runtime = await runtimeWithGreeter();
  const double = defineTool({
    name: "double",
    description: "doubles a number",
    schema: z.object({ value: z.number() }),
    run: ({ value }) => value * 2,
  });
  await ToolAgent.register(runtime, "tools", () => new ToolAgent("runs tools", [double]));
  const replies = [
    {
      content: [
        { id: "1", name: "double", arguments: '{"value": 21}' },
        { id: "2", name: "fly", arguments: "{}" },
      ],
    },
    { content: "42" },
  ];
  const messages = await toolAgentCallerLoop(runtime, {
    toolAgentId: new AgentId("tools", "default"),
    modelClient: { create: async () => replies.shift() ?? { content: "" } },
    inputMessages: [UserMessage({ content: "twice 21?", source: "user" })],
    tools: [double],
  });
  expect(messages.map(({ content }) => content)).toEqual([
    expect.any(Array),
    [
      { content: "42", call_id: "1", is_error: false, name: "double" },
      { content: "Error: Tool not found: fly", call_id: "2", is_error: true, name: "fly" },
    ],
    "42",
  ]);
});
