import { jsonSchema, tool } from "ai";
import { Prompt } from "troupe/ai";
import { scriptedModel } from "troupe/ai/testing";
import { type Commit, type CommitOutcome, MemoryStateStore } from "troupe/storage";
import { describe, expect, test } from "vitest";
import { ada, concierge, signalled } from "./support.ts";

const inputSchema = jsonSchema<{ item: string }>({ type: "object", properties: { item: { type: "string" } } });
const buyBread = { name: "buy", input: { item: "bread" } };

/** Returns what the store has of the conversation, as text. */
async function kept(store: MemoryStateStore): Promise<string> {
  const record = await store.load(ada);
  return typeof record === "object" ? new TextDecoder().decode(record.data) : "";
}

/** A store that says when it has written a text. */
class WatchedStore extends MemoryStateStore {
  #waits: { readonly text: string; readonly resolve: () => void }[] = [];

  whenKept(text: string): Promise<void> {
    const { promise, resolve } = signalled();
    this.#waits.push({ text, resolve });
    return promise;
  }

  override async commit(commits: readonly Commit[]): Promise<readonly CommitOutcome[]> {
    const outcomes = await super.commit(commits);
    const now = await kept(this);
    for (const { resolve } of this.#waits.filter(({ text }) => now.includes(text))) resolve();
    return outcomes;
  }
}

describe("the state of an agent that thinks", () => {
  test("has a tool call before the tool runs, and its result before the model reads it", async () => {
    const store = new MemoryStateStore();
    const seen: Promise<string>[] = [];
    const execute = async (): Promise<string> => {
      seen.push(kept(store));
      await seen[0];
      return "bought";
    };
    const model = scriptedModel([
      { text: "I buy it.", calls: [buyBread] },
      () => {
        const now = kept(store);
        seen.push(now);
        return { text: "Done.", after: now };
      },
    ]);
    const runtime = await concierge({ model, tools: { buy: tool({ inputSchema, execute }) } }, store);
    await runtime.sendMessage(Prompt({ text: "Buy bread" }), ada);
    const [atTool = "", atModel = ""] = await Promise.all(seen);
    expect(atTool).toContain("call-1-1");
    expect(atTool).not.toContain("bought");
    expect(atModel).toContain("bought");
    expect(await kept(store)).toContain("Done.");
    await runtime.close();
  });

  test("has all tool calls of a step before the first tool runs, with one commit", async () => {
    const store = new MemoryStateStore();
    const seen: Promise<string>[] = [];
    const execute = async (): Promise<string> => {
      seen.push(kept(store));
      await Promise.all(seen);
      return "done";
    };
    const tools = { look: tool({ inputSchema, execute }), buy: tool({ inputSchema, execute }) };
    const look = { name: "look", input: { item: "bread" } };
    const model = scriptedModel([{ calls: [look, buyBread, look] }, { text: "Done." }]);
    const runtime = await concierge({ model, tools }, store);
    await runtime.sendMessage(Prompt({ text: "Buy bread" }), ada);
    const [first = ""] = await Promise.all(seen);
    for (const id of ["call-1-1", "call-1-2", "call-1-3"]) expect(first).toContain(id);
    await runtime.close();
  });

  test("tells the next activation of open tool calls, whose results are then unknown, and of those with a result", async () => {
    const store = new WatchedStore();
    const [begun, never] = [signalled(), signalled()];
    const buy = (): Promise<string> => {
      begun.resolve();
      return never.promise.then(() => "bought");
    };
    const look = (): Promise<string> => begun.promise.then(() => "two loaves");
    const tools = { look: tool({ inputSchema, execute: look }), buy: tool({ inputSchema, execute: buy }) };
    const script = [{ calls: [{ name: "look", input: { item: "bread" } }, buyBread] }];
    const isKept = store.whenKept("two loaves");
    const lost = await concierge({ model: scriptedModel(script), tools }, store);
    const call = lost.sendMessage(Prompt({ text: "Buy bread" }), ada);
    const outcome = expect(call).rejects.toThrow();
    await isKept;
    // Another runtime takes the store over, as it does when the process of the first one is killed.
    const model = scriptedModel([{ text: "I don't know whether I bought it." }]);
    const next = await concierge({ model, tools }, store);
    await next.sendMessage(Prompt({ text: "And?" }), ada);
    const prompt = model.calls[0]?.prompt ?? [];
    expect(prompt.map(({ role }) => role)).toEqual(["user", "assistant", "tool", "user"]);
    const results = prompt[2]?.content;
    expect(results).toMatchObject([
      { toolName: "look", output: { value: expect.stringContaining("two loaves") } },
      { toolName: "buy", output: { type: "error-text", value: expect.stringContaining("unknown: The agent stopped") } },
    ]);
    await next.close();
    never.resolve();
    await lost.close();
    await outcome;
  });
});
