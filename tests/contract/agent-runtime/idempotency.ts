import { describe, expect, test } from "vitest";
import { AgentId } from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { WatchedStore } from "../../support/watched-store.ts";
import { add, type Body, id, Keeper, openCast } from "./keepers.ts";
import { Ask, type Suite } from "./world.ts";

const keyed = { idempotencyKey: "order-7" };

export function describeIdempotency(suite: Suite): void {
  describe("a call with an idempotencyKey", () => {
    test("sent again gets the answer of the first one, and no handler runs", async () => {
      await using cast = await openCast(suite, add);
      expect(await cast.ask("2", keyed)).toBe("2");
      await cast.ask("3");
      expect(await cast.ask("2", keyed)).toBe("2");
      expect(await cast.ask("2", { idempotencyKey: "order-8" })).toBe("7");
      expect(await cast.stored()).toEqual({ total: 7, log: ["2", "3", "2"] });
    });

    test("gets the answer of the first one in another runtime", async () => {
      const store = new WatchedStore();
      {
        await using cast = await openCast(suite, add, { store });
        await cast.ask("2", keyed);
      }
      await using cast = await openCast(suite, add, { store: new WatchedStore(store.inner) });
      expect(await cast.ask("2", keyed)).toBe("2");
      expect(await cast.stored()).toEqual({ total: 2, log: ["2"] });
    });

    test("waits for the first one while that runs", async () => {
      const gate = new Gate();
      const begun = new Gate();
      let runs = 0;
      await using cast = await openCast(suite, async (text, agent) => {
        runs += 1;
        begun.open();
        await gate.opened;
        return add(text, agent);
      });
      const first = cast.ask("2", keyed);
      await begun.opened;
      const second = cast.ask("2", keyed);
      await cast.seen();
      gate.open();
      expect(await Promise.all([first, second])).toEqual(["2", "2"]);
      expect(runs).toBe(1);
    });

    test("is remembered although its handler changes nothing", async () => {
      let runs = 0;
      await using cast = await openCast(suite, () => {
        runs += 1;
        return runs;
      });
      expect(await cast.ask("", keyed)).toBe("1");
      expect(await cast.ask("", keyed)).toBe("1");
    });

    test("is handled again after it failed", async () => {
      let runs = 0;
      const body: Body = (text, agent) => {
        runs += 1;
        if (runs === 1) throw new Error("not yet");
        return add(text, agent);
      };
      await using cast = await openCast(suite, body);
      await expect(cast.ask("2", keyed)).rejects.toThrow("not yet");
      expect(await cast.ask("2", keyed)).toBe("2");
    });

    test("whose answer is too long to be kept changes nothing", async () => {
      await using cast = await openCast(suite, (_text, agent) => {
        agent.state.total = 1;
        return "x".repeat(17 * 1024);
      });
      await expect(cast.ask("", keyed)).rejects.toMatchObject({ code: "message-too-large" });
      expect(await cast.stored()).toBeUndefined();
      expect(await cast.seen()).toEqual({ total: 0, log: [] });
    });

    test("to an agent that keeps no state is refused", async () => {
      await using stage = await suite.openStage();
      await stage.host("plain");
      const call = stage.caller.sendMessage(Ask({ text: "" }), new AgentId("plain", "k"), keyed);
      await expect(call).rejects.toMatchObject({
        code: "invalid-argument",
        message: expect.stringContaining("keeps no state"),
      });
    });

    test.each([[""], ["x".repeat(257)], [7]])("with a key like %j is refused", async (idempotencyKey) => {
      await using stage = await suite.openStage();
      await Keeper.register(stage.callee, "keeper", () => new Keeper(add));
      // A wrong kind of key, as plain JavaScript may pass it.
      const options = { idempotencyKey } as { idempotencyKey: string };
      await expect(stage.caller.sendMessage(Ask({ text: "1" }), id, options)).rejects.toMatchObject({
        code: "invalid-argument",
        message: expect.stringContaining("idempotencyKey"),
      });
    });
  });
}
