import { describe, expect, test } from "vitest";
import { type AgentConcurrency, AgentId, type MessageContext } from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { ada, ask, bea, host, Life, Lived, Pause, type Script, turn } from "./lived-agents.ts";
import { Answer, Ask, type Suite } from "./world.ts";

const concurrencies: readonly AgentConcurrency[] = ["interleaved", "sequential"];

/** Each with limits, so that the runtime tracks the agents, and without. */
const kinds = concurrencies.flatMap((concurrency) => [
  { name: concurrency, options: { concurrency } },
  { name: `${concurrency} with a cap`, options: { concurrency, maxLive: 100 } },
]);

export function describeActivations({ openStage }: Suite): void {
  describe("the activation of an agent", () => {
    describe.each(kinds)("that is $name", ({ options }) => {
      test("begins before its first message: what comes meanwhile waits, in order", async () => {
        await using stage = await openStage();
        const pause = new Pause();
        const life = await host(stage, { onActivate: (agent) => pause.handle(agent, "wait") }, options);
        const calls = ["1", "2", "3"].map((text) => ask(stage, text));
        await pause.begun.opened;
        await turn();
        expect(life.lines).toEqual(["ada1 activating"]);
        pause.gate.open();
        await Promise.all(calls);
        expect(life.lines.slice(0, 3)).toEqual(["ada1 activating", "ada1 active", "ada1 begin 1"]);
        const begun = life.lines.filter((line) => line.includes("begin"));
        expect(begun).toEqual(["ada1 begin 1", "ada1 begin 2", "ada1 begin 3"]);
      });

      test("that fails gives each waiting call the error and closes the agent; the next message tries again", async () => {
        await using stage = await openStage();
        const pause = new Pause();
        const script: Script = {
          async onActivate(agent) {
            if (agent.number > 1) return;
            await pause.handle(agent, "wait");
            throw new Error("no line to the bank");
          },
        };
        const life = await host(stage, script, options);
        await stage.host("behind", () => Answer({ text: "" }));
        const calls = ["1", "2"].map((text) => ask(stage, text));
        const ends = Promise.allSettled(calls);
        await pause.begun.opened;
        // It comes behind both: so both wait for the activation.
        await stage.caller.sendMessage(Ask({ text: "" }), new AgentId("behind", "k"));
        pause.gate.open();
        for (const end of await ends) {
          expect(end).toMatchObject({ status: "rejected", reason: { message: expect.stringContaining("no line to") } });
        }
        expect((await ask(stage, "3")).text).toBe("3 by 2");
        expect(life.hooks).toEqual(["ada1 activating", "ada1 closed", "ada2 activating", "ada2 active"]);
      });

      test("ends when it is asked for, and the next message begins another one", async () => {
        await using stage = await openStage();
        const news: boolean[] = [];
        const life = await host(stage, { onActivate: (_agent, { isNew }) => news.push(isNew) }, options);
        await ask(stage, "1");
        await stage.caller.deactivateAgent(ada);
        expect(life.lines).toEqual([
          ...["ada1 activating", "ada1 active", "ada1 begin 1", "ada1 end 1"],
          ...["ada1 leaving (asked)", "ada1 left", "ada1 closed"],
        ]);
        expect((await ask(stage, "2")).text).toBe("2 by 2");
        expect(news).toEqual([true, true]);
      });

      test("waits, when it is to end, for the running turn", async () => {
        await using stage = await openStage();
        const pause = new Pause();
        const life = await host(stage, pause, options);
        const call = ask(stage, "wait");
        await pause.begun.opened;
        const gone = stage.callee.deactivateAgent(ada);
        await turn();
        expect(life.hooks).toEqual(["ada1 activating", "ada1 active"]);
        pause.gate.open();
        await Promise.all([call, gone]);
        expect(life.lines.slice(2)).toEqual([
          ...["ada1 begin wait", "ada1 end wait"],
          ...["ada1 leaving (asked)", "ada1 left", "ada1 closed"],
        ]);
      });

      test("lets in, while it waits to end, the calls for which its running turn waits", async () => {
        await using stage = await openStage();
        const begun = new Gate();
        const gate = new Gate();
        await stage.host("other", (_message, { signal }, other) =>
          other.sendMessage(Ask({ text: "back" }), ada, { signal }),
        );
        const handle = async (agent: Lived, text: string, { signal }: MessageContext) => {
          if (text !== "out") return undefined;
          begun.open();
          await gate.opened;
          return agent.sendMessage(Ask({ text: "over" }), new AgentId("other", "k"), { signal });
        };
        const life = await host(stage, { handle }, options);
        const call = ask(stage, "out");
        await begun.opened;
        const gone = stage.callee.deactivateAgent(ada);
        gate.open();
        expect((await call).text).toBe("back by 1");
        await gone;
        expect(life.hooks.slice(2)).toEqual(["ada1 leaving (asked)", "ada1 left", "ada1 closed"]);
      });

      test("has no turn any more when its end has begun: what comes waits for the next one, in order", async () => {
        await using stage = await openStage();
        const pause = new Pause();
        const life = await host(stage, { onDeactivate: (agent) => pause.handle(agent, "wait") }, options);
        await ask(stage, "0");
        const gone = stage.callee.deactivateAgent(ada);
        await pause.begun.opened;
        const calls = ["1", "2", "3"].map((text) => ask(stage, text));
        await turn();
        expect(life.lines.slice(4)).toEqual(["ada1 leaving (asked)"]);
        pause.gate.open();
        await gone;
        expect((await Promise.all(calls)).map(({ text }) => text)).toEqual(["1 by 2", "2 by 2", "3 by 2"]);
        expect(life.lines.slice(4, 10)).toEqual([
          ...["ada1 leaving (asked)", "ada1 left", "ada1 closed"],
          ...["ada2 activating", "ada2 active", "ada2 begin 1"],
        ]);
      });

      test("that does not end in time is dropped, and one that fails to end is logged: the next one begins", async () => {
        await using stage = await openStage({ callee: { deactivationTimeoutMs: 20 } });
        const script: Script = {
          onDeactivate(agent) {
            if (agent.number === 1) return new Promise(() => undefined);
            throw new Error("no pen");
          },
        };
        const life = await host(stage, script, options);
        await ask(stage, "1");
        await stage.callee.deactivateAgent(ada);
        expect((await ask(stage, "2")).text).toBe("2 by 2");
        await stage.callee.deactivateAgent(ada);
        expect((await ask(stage, "3")).text).toBe("3 by 3");
        expect(life.hooks).toEqual([
          ...["ada1 activating", "ada1 active", "ada1 leaving (asked)", "ada1 closed"],
          ...["ada2 activating", "ada2 active", "ada2 leaving (asked)", "ada2 closed"],
          ...["ada3 activating", "ada3 active"],
        ]);
        const logged = stage.logger.lines.map(({ text }) => text);
        expect(logged).toContainEqual(
          expect.stringContaining("lived/ada did not end onDeactivate (asked) within 20 ms"),
        );
        expect(logged).toContainEqual(expect.stringContaining("lived/ada failed in onDeactivate (asked)"));
      });

      test("ends with the runtime, before the agent is closed", async () => {
        await using stage = await openStage();
        const life = await host(stage, { onDeactivate: turn }, options);
        await ask(stage, "1");
        await stage.world.close();
        expect(life.hooks.slice(2)).toEqual(["ada1 leaving (shutting-down)", "ada1 left", "ada1 closed"]);
      });
    });

    test("of a sequential agent ends after its running turn: the messages that wait go to the next one, in order", async () => {
      await using stage = await openStage();
      const pause = new Pause();
      const life = await host(stage, pause, { concurrency: "sequential" });
      const first = ask(stage, "wait");
      await pause.begun.opened;
      const before = ["1", "2"].map((text) => ask(stage, text));
      // A call to another agent, so that those have arrived.
      await ask(stage, "arrived", bea);
      const gone = stage.callee.deactivateAgent(ada);
      const after = ["3", "4"].map((text) => ask(stage, text));
      await ask(stage, "arrived", bea);
      pause.gate.open();
      await Promise.all([first, gone]);
      const answers = await Promise.all([...before, ...after]);
      expect(answers.map(({ text }) => text)).toEqual(["1 by 3", "2 by 3", "3 by 3", "4 by 3"]);
      const begun = life.lines.filter((line) => line.startsWith("ada") && line.includes("begin"));
      expect(begun).toEqual(["ada1 begin wait", ...["1", "2", "3", "4"].map((text) => `ada3 begin ${text}`)]);
    });

    test("that a waiting message needs, and that fails, gives the message the error", async () => {
      await using stage = await openStage();
      const pause = new Pause();
      const onActivate = (agent: Lived) => {
        if (agent.number === 2) throw new Error("no second life");
      };
      await host(stage, { handle: pause.handle, onActivate }, { concurrency: "sequential" });
      const first = ask(stage, "wait");
      await pause.begun.opened;
      const waiting = ask(stage, "1");
      const refused = expect(waiting).rejects.toMatchObject({ message: expect.stringContaining("no second life") });
      const gone = stage.callee.deactivateAgent(ada);
      // Over a link the call must have arrived before the turn ends.
      await stage.caller.agentMetadata(ada);
      pause.gate.open();
      await Promise.all([first, gone, refused]);
      expect((await ask(stage, "2")).text).toBe("2 by 3");
    });

    test("can be ended by the agent's own handler, which must not wait for it", async () => {
      await using stage = await openStage();
      const refused: unknown[] = [];
      const handle = async (agent: Lived, _text: string, { signal }: MessageContext) => {
        const own = agent.runtime.deactivateAgent(agent.id, { signal });
        refused.push(await own.catch((error: unknown) => error));
        void agent.runtime.deactivateAgent(agent.id);
      };
      const life = await host(stage, { handle });
      await ask(stage, "1");
      expect(await life.ended.take()).toBe("ada");
      expect(refused).toMatchObject([{ code: "wrong-state" }]);
    });

    test("of an instance begins and ends, but not before the runtime ends", async () => {
      await using stage = await openStage();
      const life = new Life({});
      await stage.callee.registerAgentInstance(new Lived(life), ada);
      await ask(stage, "1");
      await expect(stage.callee.deactivateAgent(ada)).rejects.toMatchObject({ code: "invalid-argument" });
      await expect(stage.callee.destroyAgent(ada)).rejects.toMatchObject({ code: "invalid-argument" });
      await stage.world.close();
      expect(life.hooks).toEqual([
        ...["ada1 activating", "ada1 active"],
        ...["ada1 leaving (shutting-down)", "ada1 left", "ada1 closed"],
      ]);
    });

    test("that is not there needs no end, and no agent is made for it; an unknown type is an error", async () => {
      await using stage = await openStage();
      const life = await host(stage);
      await stage.caller.deactivateAgent(ada);
      await stage.caller.destroyAgent(ada);
      expect(life.made).toBe(0);
      const unknown = new AgentId("nobody", "k");
      await expect(stage.caller.deactivateAgent(unknown)).rejects.toMatchObject({
        code: expect.stringMatching(/^(not-found|not-accessible)$/),
        message: expect.stringContaining("nobody"),
      });
    });

    test("of an agent that is destroyed ends as destroyed", async () => {
      await using stage = await openStage();
      const life = await host(stage);
      await ask(stage, "1");
      await stage.caller.destroyAgent(ada);
      expect(life.hooks.slice(2)).toEqual(["ada1 leaving (destroyed)", "ada1 left", "ada1 closed"]);
    });
  });
}
