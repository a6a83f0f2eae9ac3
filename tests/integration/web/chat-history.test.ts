import { DefaultChatTransport, readUIMessageStream, type UIMessage } from "ai";
import { defineMessage, SingleThreadedAgentRuntime } from "troupe";
import { AiAgent, Prompt, ReadChat } from "troupe/ai";
import { type ScriptedModel, scriptedModel } from "troupe/ai/testing";
import { MemoryStateStore } from "troupe/storage";
import { createGateway, type GatewayOptions } from "troupe/web";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { problemOf } from "../../contract/gateway/world.ts";
import { Gate } from "../../support/gate.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { as, byToken } from "./web-stage.ts";

const base = "http://127.0.0.1:8080";

interface Told {
  readonly messages: UIMessage[];
  readonly is_answering: boolean;
}

async function open(model: ScriptedModel, options: GatewayOptions = {}) {
  const stateStore = new MemoryStateStore();
  const runtime = new SingleThreadedAgentRuntime({ stateStore, logger: new RecordingLogger() });
  await AiAgent.register(runtime, "concierge", () => new AiAgent({ model, maxRetries: 0 }));
  await runtime.start();
  const expose = { concierge: { messages: [], chat: Prompt, history: ReadChat } };
  const gateway = createGateway(runtime, { expose, ...options });
  const fetch = (input: string | URL | Request, init?: RequestInit) =>
    gateway.fetch(new Request(input, init), { remoteAddress: "127.0.0.1" });
  return {
    history: (chat = "trip-7", headers: Record<string, string> = {}) =>
      fetch(`${base}/chat/concierge/${chat}`, { headers }),
    send: (id: string, text: string, headers: Record<string, string> = {}) =>
      new DefaultChatTransport({ api: `${base}/chat/concierge`, fetch, headers }).sendMessages({
        ...{ trigger: "submit-message", chatId: "trip-7", messageId: undefined, abortSignal: undefined },
        messages: [{ id, role: "user", parts: [{ type: "text", text }] }],
      }),
    fetch,
    [Symbol.asyncDispose]: async () => {
      await gateway.close();
      await runtime.close();
    },
  };
}

/** Reads an answer to its end. */
async function ended(stream: Awaited<ReturnType<Awaited<ReturnType<typeof open>>["send"]>>): Promise<void> {
  for await (const _ of readUIMessageStream({ stream, terminateOnError: true }));
}

// The gateway sends what `ReadChat` is answered with.
const toldBy = async (response: Response) => (await response.json()) as Told;
const textsOf = ({ messages }: Told) =>
  messages.map(
    ({ role, parts }) => `${role}: ${parts.map((part) => (part.type === "text" ? part.text : "")).join("")}`,
  );

describe("the history of a chat", () => {
  test("is what was said, and of an answer under way only the question, also while it waits for the model", async () => {
    const gate = new Gate();
    await using chat = await open(
      scriptedModel([{ text: "Warm." }, { text: ["Still ", "warm."], after: gate.opened }]),
    );
    expect(textsOf(await toldBy(await chat.history()))).toEqual([]);
    await ended(await chat.send("m1", "How warm is it?"));
    const reader = (await chat.send("m2", "And now?")).getReader();
    for (;;) if ((await reader.read()).value?.type === "text-delta") break;
    const meanwhile = await toldBy(await chat.history());
    expect(textsOf(meanwhile)).toEqual(["user: How warm is it?", "assistant: Warm.", "user: And now?"]);
    expect(meanwhile.is_answering).toBe(true);
    gate.open();
    while (!(await reader.read()).done);
    const after = await toldBy(await chat.history());
    expect(textsOf(after).at(-1)).toBe("assistant: Still warm.");
    expect(after.is_answering).toBe(false);
  });

  test("is that of the principal's own chat, and may is asked", async () => {
    const asked: unknown[] = [];
    const may = ({
      action,
      target,
      messageType,
    }: Readonly<Record<"action" | "target", string>> & { messageType?: string | undefined }) => {
      if (action === "read-chat") asked.push([target, messageType]);
      return action !== "read-chat" || !target.includes("eve");
    };
    await using chat = await open(scriptedModel([{ text: "Warm." }]), { authenticate: byToken, may });
    await ended(await chat.send("m1", "I am ada", as("ada")));
    expect(textsOf(await toldBy(await chat.history("trip-7", as("ada"))))).toContain("user: I am ada");
    expect(textsOf(await toldBy(await chat.history("trip-7", as("bob"))))).toEqual([]);
    expect(textsOf(await toldBy(await chat.history("ada:trip-7", as("bob"))))).toEqual([]);
    expect(await problemOf(await chat.history("trip-7", as("eve")))).toEqual([403, "not-authorized"]);
    expect((await chat.history("trip-7")).status).toBe(401);
    expect(asked[0]).toEqual(["concierge/ada:trip-7", "ReadChat"]);
  });

  test("is not there unless it is exposed, and only to read", async () => {
    const model = scriptedModel([]);
    await using hidden = await open(model, { expose: { concierge: { messages: [], chat: Prompt } } });
    expect((await hidden.history()).status).toBe(404);
    await using chat = await open(model);
    expect((await chat.fetch(`${base}/chat/concierge/trip-7`, { method: "POST" })).status).toBe(405);
    const described = await (await chat.fetch(`${base}/openapi.json`)).text();
    expect(described).toContain('"/chat/concierge/{chat}":{"get"');
  });

  test("needs a chat, and a message without fields", () => {
    const runtime = new SingleThreadedAgentRuntime();
    const Needs = defineMessage("Needs", z.object({ text: z.string() }));
    const make = (agent: object) => () => createGateway(runtime, { expose: { concierge: { messages: [], ...agent } } });
    expect(make({ history: ReadChat })).toThrow("expose.concierge has a history and no chat");
    expect(make({ chat: Prompt, history: Needs })).toThrow("expose.concierge.history is a message with fields");
  });
});
