import type { ModelMessage } from "ai";
import { ChatHistory } from "troupe/ai";
import { describe, expect, test } from "vitest";
import { chatHistory } from "../../../src/ai/chat-history.ts";

const asked = (text: string): ModelMessage => ({ role: "user", content: text });
const said = (text: string): ModelMessage => ({ role: "assistant", content: [{ type: "text", text }] });
const textsIn = ({ messages }: Pick<ChatHistory, "messages">) =>
  messages.map(({ role, parts }) => `${role}: ${parts.map(({ text }) => String(text)).join("|")}`);

describe("a history as a page shows it", () => {
  test("has an answer of several steps as one message, with what its tools have answered", () => {
    const call = (toolCallId: string, toolName: string) =>
      ({ type: "tool-call", toolCallId, toolName, input: { n: 1 } }) as const;
    const result = (toolCallId: string, output: { readonly type: "text" | "error-text"; readonly value: string }) =>
      ({ type: "tool-result", toolCallId, toolName: "x", output }) as const;
    const history: readonly ModelMessage[] = [
      { role: "system", content: "hidden" },
      asked("Rain?"),
      {
        role: "assistant",
        content: [{ type: "reasoning", text: "Hm." }, call("a", "look"), call("b", "ask"), call("c", "run")],
      },
      {
        role: "tool",
        content: [result("a", { type: "text", value: "wet" }), result("b", { type: "error-text", value: "no" })],
      },
      said("Yes."),
    ];
    expect(chatHistory(history, undefined)).toMatchObject({
      is_answering: false,
      is_cut: false,
      messages: [
        { id: "user-1", role: "user", parts: [{ type: "text", text: "Rain?" }] },
        {
          id: "assistant-2",
          role: "assistant",
          parts: [
            { type: "reasoning", text: "Hm." },
            { type: "tool-look", toolCallId: "a", input: { n: 1 }, state: "output-available", output: "wet" },
            { type: "tool-ask", toolCallId: "b", state: "output-error", errorText: "no" },
            { type: "tool-run", toolCallId: "c", state: "output-error", errorText: "This tool has not answered." },
            { type: "text", text: "Yes." },
          ],
        },
      ],
    });
  });

  test("has the questions alone of the turn that runs", () => {
    const history = [asked("1"), said("one"), asked("2"), said("a step"), asked("steered")];
    const told = chatHistory(history, 2);
    expect(textsIn(told)).toEqual(["user: 1", "assistant: one", "user: 2", "user: steered"]);
    expect(told.is_answering).toBe(true);
  });

  test("has files as addresses that a page can show", () => {
    const file = (data: string) => ({ type: "file", mediaType: "image/png", data }) as const;
    const content = [file("iVBORw0K"), file("https://example.com/cat.png"), file("data:image/png;base64,AAAA")];
    const [message] = chatHistory([{ role: "user", content }], undefined).messages;
    expect(message?.parts.map(({ url }) => url)).toEqual([
      "data:image/png;base64,iVBORw0K",
      "https://example.com/cat.png",
      "data:image/png;base64,AAAA",
    ]);
  });

  test("leaves its oldest messages out beyond 1 MiB, begins with a question, and says so", () => {
    const long = "x".repeat(300_000);
    const history = [asked(`1${long}`), said(`a${long}`), asked(`2${long}`), said(`b${long}`), asked("3")];
    const told = chatHistory(history, undefined);
    expect(textsIn(told).map((text) => text.slice(0, 13))).toEqual(["user: 2xxxxxx", "assistant: bx", "user: 3"]);
    expect(told.is_cut).toBe(true);
    expect(chatHistory([asked("x".repeat(1_100_000))], undefined)).toMatchObject({ messages: [], is_cut: true });
  });

  test("is read from JSON again, and other JSON is refused", () => {
    const told = chatHistory([asked("1"), said("one")], undefined);
    expect(ChatHistory.deserialize(ChatHistory.serialize(told))).toEqual(told);
    for (const messages of [
      undefined,
      [{ id: "1", role: "system", parts: [] }],
      [{ role: "user", parts: [{}] }],
      ["x"],
    ]) {
      const bytes = new TextEncoder().encode(JSON.stringify({ messages }));
      expect(() => ChatHistory.deserialize(bytes), JSON.stringify(messages)).toThrow("Not a valid ChatHistory");
    }
  });
});
