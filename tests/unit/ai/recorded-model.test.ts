import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jsonSchema, tool } from "ai";
import { type AiAgentOptions, Prompt, summarize } from "troupe/ai";
import { type ModelObject, recordedModel, type ScriptedStep, scriptedModel } from "troupe/ai/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ada, concierge } from "./support.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "troupe-recorded-"));
});
afterAll(() => rm(folder, { recursive: true }));

const inputSchema = jsonSchema<{ city: string }>({ type: "object", properties: { city: { type: "string" } } });
const tools = { forecast: tool({ inputSchema, execute: ({ city }) => `24 degrees in ${city}` }) };
const script: readonly ScriptedStep[] = [
  { calls: [{ name: "forecast", input: { city: "Lisbon" } }] },
  { text: ["It is ", "24 degrees."], tokens: { input: 7, output: 3 } },
];

/** Asks an agent with this model once, and returns all parts and the answer. */
async function ask(model: ModelObject, text = "How warm is it?", options: Partial<AiAgentOptions> = {}) {
  const runtime = await concierge({ model, tools, maxRetries: 0, ...options });
  const stream = runtime.stream(Prompt({ text }), ada);
  const parts: object[] = [];
  try {
    for await (const part of stream) parts.push({ ...part });
    return { parts, reply: { ...(await stream.answer) } };
  } finally {
    await runtime.close();
  }
}

describe("a recorded model", () => {
  test("answers from its file as the model did, without asking it", async () => {
    const file = join(folder, "same.jsonl");
    const live = await ask(recordedModel(scriptedModel(script), { file, mode: "record" }));
    const silent = scriptedModel([]);
    const replayed = await ask(recordedModel(silent, { file }));
    expect(replayed).toEqual(live);
    expect(live.reply).toMatchObject({ text: "It is 24 degrees.", model_calls: 2 });
    expect(silent.calls).toEqual([]);
  });

  test("refuses another request, and names the first difference", async () => {
    const file = join(folder, "other.jsonl");
    await ask(recordedModel(scriptedModel(script), { file, mode: "record" }));
    const replayed = ask(recordedModel(scriptedModel([]), { file }), "How cold is it?");
    await expect(replayed).rejects.toThrow(
      'request.prompt.0.content.0.text: recorded is "How warm is it?", asked was "How cold is it?". Record it again',
    );
  });

  test("uses each recorded call once, and equal ones in their order", async () => {
    const file = join(folder, "twice.jsonl");
    const live = recordedModel(scriptedModel([{ text: "one" }, { text: "two" }]), { file, mode: "record" });
    expect([(await ask(live)).reply.text, (await ask(live)).reply.text]).toEqual(["one", "two"]);
    const replayed = recordedModel(scriptedModel([]), { file });
    expect([(await ask(replayed)).reply.text, (await ask(replayed)).reply.text]).toEqual(["one", "two"]);
    await expect(ask(replayed)).rejects.toThrow("to call 3 of the model: all that was recorded is used");
  });

  test("records answers that do not stream, and no headers", async () => {
    const file = join(folder, "whole.jsonl");
    const options = { file, mode: "record" } as const;
    const signal = new AbortController().signal;
    const history = ["1", "2", "3"].map((content) => ({ role: "user" as const, content }));
    const live = recordedModel(scriptedModel([{ text: "three numbers" }]), options);
    const kept = await summarize(live, { keep: 1 })(history, { inputTokens: undefined, signal });
    const replayed = recordedModel(scriptedModel([]), { file });
    expect(await summarize(replayed, { keep: 1 })(history, { inputTokens: undefined, signal })).toEqual(kept);
    expect(await readFile(file, "utf8")).not.toContain("headers");
    const secret = recordedModel(scriptedModel([{ text: "Hello" }]), options);
    await ask(secret, "Hi", { headers: { authorization: "secret-1" } });
    expect(await readFile(file, "utf8")).not.toContain("secret-1");
  });

  test("begins its file anew, and does not record a call that fails", async () => {
    const file = join(folder, "anew.jsonl");
    await writeFile(file, "an earlier recording\n");
    const model = scriptedModel([{ error: new Error("no quota") }, { text: "Hello" }]);
    const live = recordedModel(model, { file, mode: "record" });
    await expect(ask(live)).rejects.toThrow("no quota");
    // Providers tell an error that comes in the answer by a part.
    const fails = new ReadableStream({
      start(controller) {
        controller.enqueue({ type: "error", error: new Error("overloaded") });
        controller.close();
      },
    });
    const other = { ...model, doStream: async () => ({ stream: fails }) };
    const failing = ask(recordedModel(other, { file: join(folder, "error.jsonl"), mode: "record" }));
    await expect(failing).rejects.toThrow("overloaded");
    await expect(readFile(join(folder, "error.jsonl"))).rejects.toThrow("ENOENT");
    await ask(live);
    const lines = (await readFile(file, "utf8")).trim().split("\n");
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("Hello");
  });

  test("says what is wrong with a file that is missing or is no recording", async () => {
    const file = join(folder, "broken.jsonl");
    await expect(ask(recordedModel(scriptedModel([]), { file }))).rejects.toThrow("can't be read. Record it with mode");
    await appendFile(file, '{"digest":1}\n');
    await expect(ask(recordedModel(scriptedModel([]), { file }))).rejects.toThrow("Line 1 of the recording");
  });

  test("refuses wrong options and what is not a model", () => {
    const model = scriptedModel([]);
    // @ts-expect-error the mode is no word that it knows
    expect(() => recordedModel(model, { file: "x", mode: "rec" })).toThrow("mode");
    // @ts-expect-error the file is missing
    expect(() => recordedModel(model, {})).toThrow("recordedModel needs the option file");
    // @ts-expect-error a name is not a model
    expect(() => recordedModel("gpt-5", { file: "x" })).toThrow("recordedModel needs a model that is an object");
  });
});
