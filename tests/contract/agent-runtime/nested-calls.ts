import { describe, expect, test } from "vitest";
import { AgentId, type MessageContext, type RegisterOptions, type SendOptions } from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { add, id, type Keeper, openCast } from "./keepers.ts";
import { Answer, Ask, Probe, type Suite } from "./world.ts";

/** Calls of a turn that is nested in another one of its agent, when a call of their chain was given up. */
export function describeNestedCalls(suite: Suite): void {
  describe.each([0, 10])("with runAhead %i, a turn that goes on though its call runs on inside it", (runAhead) => {
    const register = { runAhead };

    test.each<[string, "keeper" | "helper", RegisterOptions]>([
      ["itself", "keeper", {}],
      ["a sequential agent", "helper", { concurrency: "sequential" }],
      ["an interleaving agent", "helper", {}],
    ])("lets in what the turn inside it calls, which came by way of %s", async (_way, by, helper) => {
      const [inside, go] = [new Gate(), new Gate()];
      const callBack = (text: string, agent: Probe | Keeper, options: SendOptions) =>
        agent.sendMessage(Ask({ text }), id, options);
      const body = async (text: string, agent: Keeper, { scope }: MessageContext) => {
        if (text === "inner") {
          add("2", agent);
          inside.open();
          await go.opened;
          await callBack("4", agent, { scope });
          return add("8", agent);
        }
        add(text, agent);
        if (text !== "1") return agent.state.total;
        const giving = new AbortController();
        const call = agent.sendMessage(Ask({ text: "inner" }), new AgentId(by, "ada"), {
          scope,
          signal: giving.signal,
        });
        await inside.opened;
        giving.abort();
        await call.catch(() => undefined);
        setImmediate(() => go.open());
        return agent.state.total;
      };
      await using cast = await openCast(suite, body, { register });
      await cast.stage.callee.registerFactory(
        "helper",
        () => new Probe(({ text }, { scope }, probe) => callBack(text, probe, { scope })),
        helper,
      );
      expect(await cast.ask("1")).toBe("3");
      expect(await cast.stored()).toEqual({ total: 15, log: ["1", "2", "4", "8"] });
      expect(await cast.ask("16")).toBe("31");
    });

    test("lets in what the turn inside it calls, though another agent has given up a call between its own turns", async () => {
      const [inside, go] = [new Gate(), new Gate()];
      const helper = new AgentId("helper", "ada");
      const call = (text: string, to: AgentId, agent: Probe | Keeper, options: SendOptions) =>
        agent.sendMessage(Ask({ text }), to, options);
      const body = async (text: string, agent: Keeper, { scope }: MessageContext) => {
        add(text, agent);
        if (text === "2") {
          inside.open();
          await go.opened;
          await call("4", id, agent, { scope });
        }
        if (text !== "1") return agent.state.total;
        await call("outer", helper, agent, { scope });
        setImmediate(() => go.open());
        return agent.state.total;
      };
      await using cast = await openCast(suite, body, { register });
      const help = async ({ text }: { readonly text: string }, { scope }: MessageContext, probe: Probe) => {
        if (text === "inner") return call("2", id, probe, { scope });
        const giving = new AbortController();
        const inner = call("inner", helper, probe, { scope, signal: giving.signal });
        await inside.opened;
        giving.abort();
        await inner.catch(() => undefined);
        return Answer({ text: "given up" });
      };
      await cast.stage.callee.registerFactory("helper", () => new Probe(help), { concurrency: "sequential" });
      expect(await cast.ask("1")).toBe("3");
      expect(await cast.stored()).toEqual({ total: 7, log: ["1", "2", "4"] });
    });
  });
}
