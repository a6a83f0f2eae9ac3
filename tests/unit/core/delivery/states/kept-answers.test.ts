import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  AgentId,
  defineMessage,
  defineState,
  handlerTable,
  persistentAgent,
  SingleThreadedAgentRuntime,
} from "../../../../../src/core/index.ts";
import { MemoryStateStore } from "../../../../../src/storage/index.ts";

const Count = defineState(z.object({ total: z.number() }), { initial: { total: 0 } });
const id = new AgentId("counter", "ada");
const idempotencyKey = "order-7";

/** Calls a counter under the key, by a program whose answers have this name. Returns the answer and the number of turns. */
async function call(stateStore: MemoryStateStore, answerName: string) {
  const Total = defineMessage(answerName, z.object({ value: z.number() }));
  const Add = defineMessage("Add", z.object({}), { answer: Total });
  let turns = 0;
  class Counter extends persistentAgent(Count) {
    static override readonly handlers = handlerTable<Counter>().rpc(Add, function () {
      turns += 1;
      this.state.total += 1;
      return Total({ value: this.state.total });
    });
  }
  await using runtime = new SingleThreadedAgentRuntime({ stateStore });
  await Counter.register(runtime, "counter", () => new Counter("counts"));
  await runtime.start();
  const answered = runtime.sendMessage(Add({}), id, { idempotencyKey });
  const answer = await answered.then(
    ({ value }) => value,
    (error: unknown) => error,
  );
  return { answer, turns };
}

describe("an answer that is kept under an idempotencyKey", () => {
  it("is not handled again by a newer program that can't read it: the call fails", async () => {
    const store = new MemoryStateStore();
    expect(await call(store, "Total")).toEqual({ answer: 1, turns: 1 });
    expect(await call(store, "Sum")).toMatchObject({ answer: { code: "unexpected-answer" }, turns: 0 });
  });

  it.each(["", "no line", '["Total"]\n', "{}\n", "not JSON\n"])(
    "that is damaged in the store (%j) fails the call, which says that it was handled",
    async (text) => {
      const store = new MemoryStateStore();
      await call(store, "Total");
      const answer = new TextEncoder().encode(text);
      const remembered = store.remembered.bind(store);
      store.remembered = async (...args) => {
        const known = await remembered(...args);
        return known && { ...known, answer };
      };
      expect(await call(store, "Total")).toMatchObject({
        answer: { code: "unexpected-answer", message: expect.stringContaining("The call was handled") },
        turns: 0,
      });
    },
  );
});
