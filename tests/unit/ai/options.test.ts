import { AiAgent, type AiAgentOptions } from "troupe/ai";
import { scriptedModel } from "troupe/ai/testing";
import { describe, expect, test } from "vitest";

/** Makes an agent with a further option, as JavaScript and newer versions of the AI SDK can. */
function agentWith(option: string, value: unknown = undefined): AiAgent {
  const options = { model: scriptedModel([]), [option]: value };
  // TypeScript would refuse some of these names.
  return new AiAgent(options as AiAgentOptions);
}

describe("the options of an agent that thinks", () => {
  test.each([
    ["instruction", "instructions"],
    ["isntructions", "instructions"],
    ["instructionss", "instructions"],
    ["Instructions", "instructions"],
    ["tool", "tools"],
    ["stopwhen", "stopWhen"],
    ["whenbusy", "whenBusy"],
    ["histroy", "history"],
    ["maxOutputToken", "maxOutputTokens"],
    ["temprature", "temperature"],
  ])("refuse %s, which is one slip away from %s", (name, meant) => {
    expect(() => agentWith(name)).toThrow(`AiAgent has no option "${name}". Did you mean ${meant}?`);
  });

  // Settings of version 7 of the AI SDK that version 6 has not, and names that a later one might have.
  test.each([
    ...["telemetry", "toolOrder", "toolCallConcurrency", "runtimeContext", "toolsContext", "experimental_toolCallers"],
    ...[
      "repairToolCall",
      "experimental_refineToolInput",
      "onStart",
      "onStepStart",
      "onStepEnd",
      "onStepError",
      "onEnd",
    ],
    ...["onToolExecutionStart", "onToolExecutionEnd", "onLanguageModelCallStart", "onLanguageModelCallEnd", "onError"],
    ...["onAbort", "include", "reasoning", "streamRetries", "topA", "minP", "onStop"],
  ])("leave %s to the AI SDK", (name) => {
    expect(() => agentWith(name)).not.toThrow();
  });

  test.each([
    ["search", "must be"],
    [[1], "must be"],
    [["serach"], 'AiAgent has no tool "serach", which the option repeatable names. Its tools: none.'],
  ])("refuse %j as repeatable tools", (repeatable, problem) => {
    expect(() => agentWith("repeatable", repeatable)).toThrow(problem);
  });

  test("refuse a toolApproval, as tools that need approval", () => {
    expect(() => agentWith("toolApproval", { book: "user-approval" })).toThrow("needs approval");
  });
});
