import { describe, expect, test } from "vitest";
import { AgentId, handlerTable, persistentAgent, TopicId, TypeSubscription } from "../../../src/core/index.ts";
import { StoreError } from "../../../src/storage/index.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { WatchedStore } from "../../support/watched-store.ts";
import { add, id, Keeper, Kept, openCast } from "./keepers.ts";
import { Answer, Ask, Note, Order, type Suite } from "./world.ts";

const topic = new TopicId("notes", "ada");

export function describeLostStates(suite: Suite): void {
  describe("a persistent agent whose state another program has written", () => {
    test("handles the message that is tried again before those that came after it", async () => {
      const store = new WatchedStore();
      await using cast = await openCast(suite, add, { store });
      await cast.ask("1");
      await store.write(id, { total: 10, log: [] });
      await Promise.all(["2", "3", "4"].map((text) => cast.ask(text)));
      expect(await cast.stored()).toEqual({ total: 19, log: ["2", "3", "4"] });
      expect(cast.made).toHaveLength(2);
    });

    test("and that was registered as an instance tries the message again before those that came after it", async () => {
      const store = new WatchedStore();
      await using stage = await suite.openStage({ stateStore: store });
      await new Keeper(add).registerInstance(stage.callee, id);
      const ask = (text: string) => stage.caller.sendMessage(Ask({ text }), id);
      await ask("1");
      await store.write(id, { total: 10, log: [] });
      await Promise.all(["2", "3", "4"].map(ask));
      expect(await store.stored(id)).toEqual({ total: 19, log: ["2", "3", "4"] });
    });

    test("is made anew for the same message if its onActivate met that program, and says so if it meets it again", async () => {
      const store = new WatchedStore();
      await using stage = await suite.openStage({ stateStore: store });
      class Starting extends persistentAgent(Kept) {
        static override readonly handlers = handlerTable<Starting>().rpc(Ask, function () {
          return Answer({ text: String(this.state.total) });
        });

        override onActivate(): void {
          this.state.total += 1;
        }
      }
      await Starting.register(stage.callee, "keeper", () => new Starting("counts its activations"));
      const other = new AgentId(id.type, "other");
      store.beforeCommit = async () => {
        store.beforeCommit = () => undefined;
        await store.write(other, { total: 100, log: [] });
      };
      expect((await stage.caller.sendMessage(Ask({ text: "0" }), other)).text).toBe("101");
      let writes = 0;
      store.beforeCommit = async () => {
        writes += 1;
        if (writes === 2) store.beforeCommit = () => undefined;
        await store.write(id, { total: 100 * writes, log: [] });
      };
      const refused = stage.caller.sendMessage(Ask({ text: "1" }), id);
      await expect(refused).rejects.toMatchObject({
        code: "state-conflict",
        message: expect.stringMatching(/while the agent's onActivate or onDeactivate ran\. Nothing of that is written/),
      });
      expect((await stage.caller.sendMessage(Ask({ text: "2" }), id)).text).toBe("201");
    });

    test("sends no event of a turn that goes on without its state, also not with a turn of its next activation", async () => {
      const store = new WatchedStore();
      const inside = new Gate();
      const crossed = new Gate();
      const isLost = new Gate();
      const isNextInside = new Gate();
      const hasPublished = new Gate();
      let runs = 0;
      let refusal: unknown;
      await using cast = await openCast(
        suite,
        async (text, agent) => {
          if (text === "next") {
            isNextInside.open();
            await hasPublished.opened;
            await agent.publishMessage(Note({ text: "of the next turn" }), topic);
          }
          runs += text === "hold" ? 1 : 0;
          if (text !== "hold" || runs > 1) return add("1", agent);
          inside.open();
          await crossed.opened;
          agent.state.total = -1;
          await agent.saveNow().catch(() => undefined);
          isLost.open();
          await isNextInside.opened;
          await agent.publishMessage(Note({ text: "of the lost turn" }), topic).catch((error: unknown) => {
            refusal = error;
          });
          hasPublished.open();
          return "";
        },
        { store },
      );
      const heard = new Inbox<string>();
      await Keeper.register(cast.stage.callee, "ear", () => new Keeper((text) => heard.put(text)));
      await cast.stage.callee.addSubscription(new TypeSubscription("notes", "ear"));
      await cast.ask("1");
      const held = cast.ask("hold");
      await inside.opened;
      await store.write(id, { total: 10, log: [] });
      crossed.open();
      await isLost.opened;
      expect(await cast.ask("next")).toBe("11");
      expect(await held).toBe("12");
      expect(await heard.take()).toBe("of the next turn");
      expect(refusal).toMatchObject({ code: "state-conflict" });
    });

    test("is destroyed by destroyAgent, also if it is made anew meanwhile", async () => {
      const store = new WatchedStore();
      const inside = new Gate();
      const gate = new Gate();
      await using cast = await openCast(
        suite,
        async (text, agent) => {
          if (text === "2") {
            inside.open();
            await gate.opened;
          }
          return add(text, agent);
        },
        { store },
      );
      await cast.ask("1");
      const held = cast.ask("2");
      await inside.opened;
      await store.write(id, { total: 10, log: [] });
      const destroyed = cast.stage.callee.destroyAgent(id);
      gate.open();
      await destroyed;
      expect(await held).toBe("12");
      expect(await cast.stored()).toBeUndefined();
      expect(await cast.ask("1")).toBe("1");
    });
  });

  describe("a persistent agent that ends", () => {
    test("after a nested turn has destroyed it begins anew, also if the turn around that fails", async () => {
      await using cast = await openCast(suite, async (text, agent, { signal }) => {
        if (text === "inner") return agent.destroySelf();
        if (text !== "outer") return add(text, agent);
        await agent.sendMessage(Ask({ text: "inner" }), id, { signal });
        throw new Error("it failed");
      });
      await cast.ask("5");
      await expect(cast.ask("outer")).rejects.toThrow("it failed");
      expect(await cast.ask("1")).toBe("1");
      expect(cast.made).toHaveLength(2);
      expect(await cast.stored()).toEqual({ total: 1, log: ["1"] });
    });

    test("goes with the end of a turn inside the one that called destroySelf, and the events leave, though the outer turn fails", async () => {
      await using cast = await openCast(suite, async (text, agent, { signal }) => {
        if (text !== "outer") return add(text, agent);
        await agent.publishMessage(Note({ text: "goodbye" }), topic);
        agent.destroySelf();
        await agent.sendMessage(Ask({ text: "2" }), id, { signal });
        await agent.publishMessage(Note({ text: "never said" }), topic);
        throw new Error("it failed");
      });
      await cast.stage.listen("notes", "listener");
      await cast.ask("5");
      await expect(cast.ask("outer")).rejects.toThrow("it failed");
      expect(await cast.stored()).toBeUndefined();
      expect((await cast.stage.seen.take()).text).toBe("goodbye");
      expect(await cast.ask("1")).toBe("1");
      expect(cast.stage.seen.rest).toEqual([]);
    });

    test("after a nested turn has destroyed it ends when the readOnly handler around that has ended", async () => {
      await using stage = await suite.openStage({ stateStore: new WatchedStore() });
      const seen: string[] = [];
      class Reader extends persistentAgent(Kept) {
        static override readonly handlers = handlerTable<Reader>()
          .rpc(Ask, function () {
            this.destroySelf();
            return Answer({ text: "destroyed" });
          })
          .rpc(
            Order,
            async function (_order, { signal }) {
              await this.sendMessage(Ask({ text: "inner" }), this.id, { signal });
              seen.push("has read");
              return Answer({ text: "read" });
            },
            { readOnly: true },
          );

        override onDeactivate(): void {
          seen.push("ends");
        }
      }
      await Reader.register(stage.callee, "keeper", () => new Reader("reads"));
      await stage.caller.sendMessage(Order({ text: "read" }), id, { answer: Answer });
      await stage.callee.deactivateAgent(id);
      expect(seen).toEqual(["has read", "ends"]);
    });

    test("sends the events of onDeactivate when its last change is written, and none if that fails", async () => {
      const store = new WatchedStore();
      await using stage = await suite.openStage({ stateStore: store });
      const heard = new Inbox<string>();
      class Parting extends Keeper {
        override async onDeactivate(): Promise<void> {
          this.state.log.push("parting");
          await this.publishMessage(Note({ text: `parting with ${this.state.total}` }), topic);
        }
      }
      await Parting.register(stage.callee, "keeper", () => new Parting(add));
      await Keeper.register(stage.callee, "ear", () => new Keeper((text) => heard.put(text)));
      await stage.callee.addSubscription(new TypeSubscription("notes", "ear"));
      await stage.caller.sendMessage(Ask({ text: "1" }), id);
      store.beforeCommit = () => {
        throw new StoreError("unavailable", "agents.db: locked");
      };
      await stage.callee.deactivateAgent(id);
      store.beforeCommit = () => undefined;
      expect((await stage.caller.sendMessage(Ask({ text: "1" }), id)).text).toBe("2");
      await stage.callee.deactivateAgent(id);
      expect(await heard.take()).toBe("parting with 2");
      expect(await store.stored(id)).toEqual({ total: 2, log: ["1", "1", "parting"] });
    });

    test("finishes a loadState first that is under way", async () => {
      const inside = new Gate();
      const gate = new Gate();
      const store = new WatchedStore();
      await using stage = await suite.openStage({ stateStore: store });
      const lines: string[] = [];
      class Slow extends Keeper {
        override async loadState(saved: { readonly [name: string]: unknown }): Promise<void> {
          inside.open();
          await gate.opened;
          await super.loadState(saved);
          lines.push("loaded");
        }
        override onDeactivate(): void {
          lines.push("onDeactivate");
        }
      }
      await Slow.register(stage.callee, "keeper", () => new Slow(add));
      await stage.caller.sendMessage(Ask({ text: "1" }), id);
      const loaded = stage.callee.agentLoadState(id, { version: 1, state: { total: 100, log: [] } });
      await inside.opened;
      const ended = stage.callee.deactivateAgent(id);
      // Makes certain that the deactivation has begun.
      await new Promise((resolve) => setImmediate(resolve));
      gate.open();
      await Promise.all([loaded, ended]);
      expect(lines).toEqual(["loaded", "onDeactivate"]);
      expect(await store.stored(id)).toEqual({ total: 100, log: [] });
    });
  });
}
