import { AssistantMessage, FunctionExecutionResultMessage, SystemMessage, UserMessage } from "troupe";
import { expect, test } from "vitest";

const read = (json: unknown) => new TextEncoder().encode(JSON.stringify(json));

test("conversation messages take what pydantic writes", () => {
  const system = { content: "be brief", type: "SystemMessage" };
  const user = { content: ["look", { data: "aGk=" }], source: "ada", type: "UserMessage" };
  const calls = [{ id: "1", arguments: "{}", name: "f" }];
  const assistant = { content: calls, thought: null, source: "bot", type: "AssistantMessage" };
  const result = { content: "4", name: "f", call_id: "1", is_error: false };
  const results = { content: [result], type: "FunctionExecutionResultMessage" };
  expect(SystemMessage.deserialize(read(system))).toEqual(system);
  expect(UserMessage.deserialize(read(user))).toEqual(user);
  expect(AssistantMessage.deserialize(read(assistant))).toEqual(assistant);
  expect(FunctionExecutionResultMessage.deserialize(read(results))).toEqual(results);
});

test("their `type` is filled in, and must be their own", () => {
  expect(UserMessage({ content: "hi", source: "ada" })).toEqual({ content: "hi", source: "ada", type: "UserMessage" });
  expect(() => UserMessage.deserialize(read({ content: "", source: "", type: "SystemMessage" }))).toThrow(
    "Not a valid UserMessage: type: expected UserMessage",
  );
});

test("what is wrong inside a list is named by its place", () => {
  expect(() => AssistantMessage({ content: [{ id: "1" }], source: "bot" } as never)).toThrow(
    "Not a valid AssistantMessage: content.0.arguments: expected text; content.0.name: expected text",
  );
  expect(() => AssistantMessage.deserialize(read({ content: 5, source: "bot" }))).toThrow("content: expected text");
});
