import { describe, expect, test } from "vitest";
import { handlerTable, persistentAgent } from "../../../src/core/index.ts";
import { WatchedStore } from "../../support/watched-store.ts";
import { id, Kept } from "./keepers.ts";
import { Answer, Ask, type Suite } from "./world.ts";

export function describeReadOnlyHandlers(suite: Suite): void {
  describe("a persistent agent", () => {
    test("that changes its state in a readOnly handler fails as invalid-state, and nothing is changed", async () => {
      const store = new WatchedStore();
      await using stage = await suite.openStage({ stateStore: store });
      class Reader extends persistentAgent(Kept) {
        static override readonly handlers = handlerTable<Reader>().rpc(
          Ask,
          function ({ text }) {
            if (text === "change") this.state.total += 1;
            return Answer({ text: String(this.state.total) });
          },
          { readOnly: true },
        );
      }
      await Reader.register(stage.callee, "keeper", () => new Reader("reads"));
      const ask = async (text: string) => (await stage.caller.sendMessage(Ask({ text }), id)).text;
      await expect(ask("change")).rejects.toMatchObject({ code: "invalid-state" });
      expect(await ask("look")).toBe("0");
      expect(store.commits).toEqual([]);
    });

    test.each([{ interleaves: false }, { interleaves: true }])(
      "that calls saveNow in a readOnly handler is refused, and nothing is saved (%o)",
      async ({ interleaves }) => {
        const store = new WatchedStore();
        await using stage = await suite.openStage({ stateStore: store });
        class Saver extends persistentAgent(Kept) {
          static override readonly handlers = handlerTable<Saver>().rpc(
            Ask,
            async function ({ text }) {
              if (text === "change") this.state.total += 1;
              if (text !== "look") await this.saveNow();
              return Answer({ text: String(this.state.total) });
            },
            { readOnly: true, interleaves },
          );
        }
        await Saver.register(stage.callee, "keeper", () => new Saver("saves"));
        const ask = async (text: string) => (await stage.caller.sendMessage(Ask({ text }), id)).text;
        await expect(ask("change")).rejects.toMatchObject({ code: "invalid-state" });
        await expect(ask("save")).rejects.toMatchObject({
          code: "wrong-state",
          message: expect.stringContaining("declare the handler without readOnly"),
        });
        expect(await ask("look")).toBe("0");
        expect(store.commits).toEqual([]);
      },
    );
  });
}
