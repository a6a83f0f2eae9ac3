// Conversation: a chat with a model whose history is a persistent state. When it grows, the model sums its older part up, so that prompts and
// state stay short. Shows that a turn whose model fails changes nothing, and that another runtime goes on where the first one ended.
// The model is a script. A real one stands behind the same port, `ChatCompletionClient`.
import assert from "node:assert/strict";
import {
  AgentId,
  AssistantMessage,
  type ChatCompletionClient,
  defineMessage,
  defineState,
  type LLMMessage,
  type MessageContext,
  type MessageOf,
  persistentAgent,
  rpc,
  SingleThreadedAgentRuntime,
  SystemMessage,
  UserMessage,
} from "troupe";
import { MemoryStateStore } from "troupe/storage";
import { z } from "zod";

const Reply = defineMessage("Reply", z.object({ text: z.string() }));
const Say = defineMessage("Say", z.object({ text: z.string() }), { answer: Reply });

const History = defineState(
  z.object({
    summary: z.string(),
    entries: z.array(z.object({ by: z.enum(["user", "assistant"]), text: z.string() })),
  }),
  { initial: { summary: "", entries: [] } },
);

/** Beyond this number of entries the older ones are summed up; the newest `keptEntries` stay as they are. */
const maxEntries = 6;
const keptEntries = 2;

class Conversation extends persistentAgent(History) {
  readonly #model: ChatCompletionClient;

  constructor(model: ChatCompletionClient) {
    super("a chat with one person");
    this.#model = model;
  }

  @rpc(Say)
  async say({ text }: MessageOf<typeof Say>, { signal }: MessageContext) {
    this.state.entries.push({ by: "user", text });
    const reply = await this.#complete("Answer in one sentence.", signal);
    this.state.entries.push({ by: "assistant", text: reply });
    if (this.state.entries.length > maxEntries) {
      this.state.summary = await this.#complete("Sum the conversation up.", signal);
      this.state.entries = this.state.entries.slice(-keptEntries);
    }
    return Reply({ text: reply });
  }

  async #complete(instruction: string, signal: AbortSignal): Promise<string> {
    const { summary, entries } = this.state;
    const messages: LLMMessage[] = [SystemMessage({ content: `${instruction} So far: ${summary || "nothing"}` })];
    for (const { by, text } of entries) {
      const message = { content: text, source: by };
      messages.push(by === "user" ? UserMessage(message) : AssistantMessage(message));
    }
    const { content } = await this.#model.create(messages, { signal });
    return String(content);
  }
}

/** A model that says what stands in the script, and notes how many messages each prompt had. An error in the script is thrown. */
class ScriptedModel implements ChatCompletionClient {
  readonly promptLengths: number[] = [];
  readonly prompts: string[] = [];
  readonly #script: (string | Error)[];

  constructor(script: (string | Error)[]) {
    this.#script = script;
  }

  async create(messages: readonly LLMMessage[]) {
    this.promptLengths.push(messages.length);
    this.prompts.push(String(messages[0]?.content));
    const next = this.#script.shift();
    if (next === undefined) throw new Error("the script is over");
    if (next instanceof Error) throw next;
    return { content: next };
  }
}

async function open(stateStore: MemoryStateStore, model: ChatCompletionClient) {
  const runtime = new SingleThreadedAgentRuntime({ stateStore });
  await runtime.start();
  await Conversation.register(runtime, "conversation", () => new Conversation(model));
  return runtime;
}

const ada = new AgentId("conversation", "ada");
await using store = new MemoryStateStore();
{
  const model = new ScriptedModel([
    "Hello Ada!",
    "Lisbon is sunny.",
    new Error("the model is overloaded"),
    "Take the tram 28.",
    "Try the custard tarts.",
    "Ada travels to Lisbon and asks for tips.",
  ]);
  await using runtime = await open(store, model);
  const say = async (text: string) => {
    const reply = await runtime.sendMessage(Say({ text }), ada);
    console.log(`Ada: ${text}\n  → ${reply.text}`);
  };
  await say("I am Ada.");
  await say("How is the weather in Lisbon?");
  await assert.rejects(say("How do I get around?"), /overloaded/);
  console.log("the model failed: nothing of that turn is in the history");
  await say("How do I get around?");
  await say("And to eat?");
  console.log(`messages in each prompt: ${model.promptLengths.join(", ")}`);
  assert.deepEqual(model.promptLengths, [2, 4, 6, 6, 8, 9]);
}

const model = new ScriptedModel(["The bakery at the river has the best."]);
await using runtime = await open(store, model);
const { text } = await runtime.sendMessage(Say({ text: "Where?" }), ada);
console.log(`another runtime goes on: ${text}`);
assert.match(model.prompts[0] ?? "", /So far: Ada travels to Lisbon/);
