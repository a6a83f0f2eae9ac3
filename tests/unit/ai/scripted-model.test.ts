import { generateText, streamText } from "ai";
import { scriptedModel } from "troupe/ai/testing";
import { describe, expect, test } from "vitest";
import { Gate } from "../../support/gate.ts";

describe("a scripted model", () => {
  test("whose script is a function has no end, and its steps are made of what it reads", async () => {
    const model = scriptedModel(({ prompt }) => ({ text: `${prompt.length} messages` }));
    for (const _ of [1, 2, 3]) expect((await generateText({ model, prompt: "Hi" })).text).toBe("1 messages");
    expect(model.calls).toHaveLength(3);
  });

  test("whose text is a generator says each part when the generator yields it", async () => {
    const gate = new Gate();
    const text = async function* () {
      yield "It is ";
      await gate.opened;
      yield "warm.";
    };
    const { textStream } = streamText({ model: scriptedModel([{ text: text() }]), prompt: "Hi" });
    const parts = textStream[Symbol.asyncIterator]();
    expect((await parts.next()).value).toBe("It is ");
    gate.open();
    expect((await parts.next()).value).toBe("warm.");
    expect((await parts.next()).done).toBe(true);
    expect((await generateText({ model: scriptedModel([{ text: text() }]), prompt: "Hi" })).text).toBe("It is warm.");
  });

  test("is refused without a script", () => {
    // @ts-expect-error a script is a list or a function
    expect(() => scriptedModel("Hello")).toThrow(
      'scriptedModel needs a list of steps, such as [{ text: "Hello" }], or a function that writes each step.',
    );
  });
});
