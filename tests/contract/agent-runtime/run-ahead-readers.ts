import { describe, expect, test } from "vitest";
import { z } from "zod";
import { AgentId, defineMessage, handlerTable, persistentAgent } from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { outcomesOf, SlowStore, unavailable } from "./ahead-cast.ts";
import { Kept } from "./keepers.ts";
import { Answer, Ask, Order, type Suite } from "./world.ts";

const Look = defineMessage("ContractLook", z.object({ text: z.string() }), { answer: Answer });

export function describeReadersAhead(suite: Suite): void {
  describe("a handler that only reads, of a persistent agent that runs ahead", () => {
    test("answers a handler that only reads when what it has read is written", async () => {
      await using cast = await openReader(suite);
      const written = cast.ask("1");
      await cast.slow.asked.opened;
      let isAnswered = false;
      const looked = cast.look().finally(() => {
        isAnswered = true;
      });
      await cast.slow.seen;
      expect(await cast.shown()).toBe("1");
      expect(isAnswered).toBe(false);
      cast.slow.go.open();
      expect(await Promise.all([written, looked])).toEqual(["1", "1"]);
    });

    test("fails a handler that has read what could not be written", async () => {
      await using cast = await openReader(suite);
      cast.slow.first = unavailable;
      const calls = [cast.ask("1")];
      await cast.slow.asked.opened;
      calls.push(cast.look());
      await cast.slow.seen;
      cast.slow.go.open();
      expect(await outcomesOf(calls)).toEqual(["state-unavailable", "state-unavailable"]);
      expect(await cast.look()).toBe("0");
    });
  });
}

/** A keeper with a handler that reads, and does not interleave. */
async function openReader({ openStage }: Suite) {
  const slow = Object.assign(new SlowStore(), { seen: Promise.resolve() });
  const looked = new Gate();
  slow.seen = looked.opened;
  const stage = await openStage({ stateStore: slow });
  class Reader extends persistentAgent(Kept) {
    static override readonly handlers = handlerTable<Reader>()
      .rpc(Ask, function ({ text }) {
        this.state.total += Number(text);
        return Answer({ text: String(this.state.total) });
      })
      .rpc(
        Look,
        function () {
          looked.open();
          return Answer({ text: String(this.state.total) });
        },
        { readOnly: true },
      )
      .rpc(
        Order,
        function () {
          return Answer({ text: String(this.state.total) });
        },
        { readOnly: true, interleaves: true },
      );
  }
  await Reader.register(stage.callee, "reader", () => new Reader("reads"), { runAhead: 10 });
  const reader = new AgentId("reader", "ada");
  return {
    slow,
    ask: async (text: string) => (await stage.caller.sendMessage(Ask({ text }), reader)).text,
    look: async () => (await stage.caller.sendMessage(Look({ text: "" }), reader)).text,
    shown: async () => (await stage.caller.sendMessage(Order({ text: "" }), reader, { answer: Answer })).text,
    [Symbol.asyncDispose]: () => stage[Symbol.asyncDispose](),
  };
}
