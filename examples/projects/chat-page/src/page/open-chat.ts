import { Chat } from "@ai-sdk/react";
import { DefaultChatTransport, type UIMessage } from "ai";
import { createClient } from "troupe/client";
import type { ChatChanged } from "../messages.ts";

export interface OpenChat {
  readonly chat: Chat<UIMessage>;
  /** Asks a question. It waits while the page is loaded anew. */
  ask(text: string): Promise<void>;
  /** Ends the answer, for all pages that read it. */
  stop(): Promise<void>;
  /** Sends the last question again, whose answer was lost. */
  askAgain(): Promise<void>;
  /** Keeps the page as the chat is, until the signal aborts: when the page is loaded, when another page asks, after a lost connection. */
  follow(signal: AbortSignal): Promise<void>;
}

export function openChat(id: string): OpenChat {
  const client = createClient({ url: "/api" });
  const transport = new DefaultChatTransport({ api: "/api/chat/concierge" });
  const chat = new Chat<UIMessage>({ id, transport });
  const isReading = () => chat.status === "submitted" || chat.status === "streaming";

  let loading: Promise<void> = Promise.resolve();

  function load(): Promise<void> {
    loading = loading.catch(() => undefined).then(loadNow);
    return loading;
  }

  async function loadNow(): Promise<void> {
    if (isReading()) return;
    const response = await fetch(`/api/chat/concierge/${encodeURIComponent(id)}`);
    if (!response.ok) throw new Error(`The chat was not loaded: the server has answered ${response.status}.`);
    // The gateway sends the fields of a `ChatHistory`.
    const { messages } = (await response.json()) as { messages: UIMessage[] };
    if (isReading()) return;
    // A question that did not arrive stays, with its error, until it is asked again.
    if (chat.status === "error" && questionsIn(messages) < questionsIn(chat.messages)) return;
    chat.messages = messages;
    // Reads the answer on which the agent works, from its beginning. It does nothing if there is none.
    await chat.resumeStream();
  }

  return {
    chat,
    ask: async (text) => {
      await loading.catch(() => undefined);
      await chat.sendMessage({ text });
    },
    stop: async () => void (await fetch(`/api/chat/concierge/${encodeURIComponent(id)}/stop`, { method: "POST" })),
    askAgain: async () => {
      const at = chat.messages.findLastIndex(({ role }) => role === "user");
      const question = chat.messages[at];
      if (question === undefined) return;
      chat.messages = chat.messages.slice(0, at);
      await chat.sendMessage({ parts: question.parts });
    },
    follow: async (signal) => {
      const onConnect = () => void load().catch(console.error);
      const changes = client.subscribe<typeof ChatChanged>(`chats/${id}`, { signal, onConnect });
      for await (const _ of changes) await load();
    },
  };
}

function questionsIn(messages: readonly UIMessage[]): number {
  return messages.filter(({ role }) => role === "user").length;
}
