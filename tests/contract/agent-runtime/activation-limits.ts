import { describe, expect, test } from "vitest";
import {
  AgentId,
  type LifeOptions,
  type MessageContext,
  type RuntimeOptions,
  type Timer,
} from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { ada, ask, bea, cleo, host, Life, Lived, Pause } from "./lived-agents.ts";
import { Ask, type Suite } from "./world.ts";

export function describeActivationLimits({ openStage }: Suite): void {
  describe("an agent that is not used", () => {
    test("is deactivated after its idle time; a running turn keeps it", async () => {
      await using stage = await openStage();
      const pause = new Pause();
      const life = await host(stage, pause, { idleAfterMs: 1 });
      const call = ask(stage, "wait");
      await pause.begun.opened;
      await ask(stage, "1", bea);
      expect(await life.ended.take()).toBe("bea");
      await ask(stage, "2", bea);
      expect(await life.ended.take()).toBe("bea");
      expect(life.hooks.filter((line) => line.startsWith("ada"))).toEqual(["ada1 activating", "ada1 active"]);
      pause.gate.open();
      await call;
      expect(await life.ended.take()).toBe("ada");
      expect(life.hooks).toContain("ada1 leaving (idle)");
    });

    test("and none of its type says otherwise, stays", async () => {
      await using stage = await openStage();
      const life = await host(stage);
      const idle = new Life({});
      await stage.callee.registerFactory("idle", () => new Lived(idle), { idleAfterMs: 1 });
      await ask(stage, "1");
      await ask(stage, "2", new AgentId("idle", "k"));
      await idle.ended.take();
      expect((await ask(stage, "3")).text).toBe("3 by 1");
      expect(life.made).toBe(1);
    });
  });

  describe("a cap of live agents", () => {
    const caps: readonly [string, LifeOptions, RuntimeOptions][] = [
      ["maxLive", { maxLive: 2 }, {}],
      ["maxLiveAgents", {}, { maxLiveAgents: 2 }],
    ];
    test.each(caps)("(%s) lets the agent go that was unused for the longest time", async (_name, options, callee) => {
      await using stage = await openStage({ callee });
      const life = await host(stage, {}, options);
      await ask(stage, "1", ada);
      await ask(stage, "2", bea);
      await ask(stage, "3", ada);
      await ask(stage, "4", cleo);
      expect(await life.ended.take()).toBe("bea");
      expect(life.hooks).toContain("bea2 leaving (capacity)");
      expect((await ask(stage, "5", ada)).text).toBe("5 by 1");
      expect((await ask(stage, "6", bea)).text).toBe("6 by 4");
      expect(await life.ended.take()).toBe("cleo");
      expect(life.ended.rest).toEqual([]);
    });

    test.each(caps)(
      "(%s) leaves busy agents alone, and is made good when one is done",
      async (_name, options, callee) => {
        await using stage = await openStage({ callee });
        const pauses = [new Pause(), new Pause(), new Pause()];
        const life = await host(
          stage,
          { handle: (agent, text) => pauses[agent.number - 1]?.handle(agent, text) },
          options,
        );
        const calls: Promise<unknown>[] = [];
        for (const [index, id] of [ada, bea, cleo].entries()) {
          calls.push(ask(stage, "wait", id));
          await pauses[index]?.begun.opened;
        }
        expect(life.ended.rest).toEqual([]);
        pauses[1]?.gate.open();
        expect(await life.ended.take()).toBe("bea");
        for (const { gate } of pauses) gate.open();
        await Promise.all(calls);
        expect(life.ended.rest).toEqual([]);
      },
    );

    test("is one for all types of a runtime, beside their own", async () => {
      await using stage = await openStage({ callee: { maxLiveAgents: 2 } });
      const life = await host(stage);
      const other = new Life({});
      await stage.callee.registerFactory("other", () => new Lived(other), { maxLive: 1 });
      await ask(stage, "1", ada);
      await ask(stage, "2", new AgentId("other", "x"));
      await ask(stage, "3", new AgentId("other", "y"));
      expect(await other.ended.take()).toBe("x");
      await ask(stage, "4", bea);
      expect(await life.ended.take()).toBe("ada");
    });
  });

  describe("a timer of an agent", () => {
    test("delivers its message as a call of the agent itself, once or again and again, until it is cancelled", async () => {
      await using stage = await openStage();
      const heard = new Inbox<string>();
      let ticks: Timer | undefined;
      const handle = (agent: Lived, text: string, { sender, isRpc, topicId }: MessageContext) => {
        if (text === "start") {
          agent.startTimer(0, Ask({ text: "once" }));
          ticks = agent.startTimer(1, Ask({ text: "tick" }), { repeats: true });
          agent.startTimer(0, Ask({ text: "never" })).cancel();
          return undefined;
        }
        if (text === "stop") ticks?.cancel();
        heard.put(`${text} from ${sender} ${isRpc} ${topicId}`);
        return undefined;
      };
      await host(stage, { handle });
      await ask(stage, "start");
      const lines = (await heard.takeMany(4)).sort();
      expect(lines).toEqual([
        "once from lived/ada true undefined",
        ...Array.from({ length: 3 }, () => "tick from lived/ada true undefined"),
      ]);
      await ask(stage, "stop");
      const pending = heard.rest.length;
      // Timers of the same length fire in their order.
      await ask(stage, "start", bea);
      await heard.takeMany(pending);
      const later = await heard.takeMany(4);
      expect(later.filter((line) => line.includes("lived/ada"))).toEqual([]);
    });

    test("ends with the activation", async () => {
      await using stage = await openStage();
      const heard = new Inbox<string>();
      const handle = (agent: Lived, text: string) => {
        if (text === "start") agent.startTimer(1, Ask({ text: "tick" }), { repeats: true });
        if (text === "tick") heard.put(`tick of ${agent.number}`);
      };
      const life = await host(stage, { handle });
      await ask(stage, "start");
      await heard.take();
      await stage.callee.deactivateAgent(ada);
      // Timers of the same length fire in their order: one of the agent that has left would have made it anew meanwhile.
      await ask(stage, "start", bea);
      while ((await heard.take()) !== "tick of 2");
      await heard.takeMany(3);
      expect(life.made).toBe(2);
      expect(life.lines.filter((line) => line.startsWith("ada")).at(-1)).toBe("ada1 closed");
    });

    test("takes its turn at a sequential agent", async () => {
      await using stage = await openStage();
      const pause = new Pause();
      const ticked = new Gate();
      const handle = (agent: Lived, text: string) => {
        if (text === "wait") agent.startTimer(0, Ask({ text: "tick" }));
        if (text === "tick") ticked.open();
        return pause.handle(agent, text);
      };
      const life = await host(stage, { handle }, { concurrency: "sequential" });
      const call = ask(stage, "wait");
      await pause.begun.opened;
      await ask(stage, "other", bea);
      pause.gate.open();
      await Promise.all([call, ticked.opened]);
      const own = life.lines.filter((line) => line.startsWith("ada1 b") || line.startsWith("ada1 e"));
      expect(own.slice(0, 3)).toEqual(["ada1 begin wait", "ada1 end wait", "ada1 begin tick"]);
    });

    test("is refused outside an activation, with a wrong delay, and beyond 1 000", async () => {
      await using stage = await openStage();
      const errors: unknown[] = [];
      const attempt = (body: () => void) => {
        try {
          body();
        } catch (error) {
          errors.push(error);
        }
      };
      let kept: Lived | undefined;
      const handle = (agent: Lived) => {
        kept = agent;
        attempt(() => agent.startTimer(-1, Ask({ text: "x" })));
        attempt(() => agent.startTimer(0, Ask({ text: "x" }), { repeats: true }));
        for (let count = 0; count <= 1_000; count += 1) attempt(() => agent.startTimer(60_000, Ask({ text: "x" })));
      };
      await host(stage, { handle });
      await ask(stage, "1");
      await stage.callee.deactivateAgent(ada);
      attempt(() => kept?.startTimer(1, Ask({ text: "x" })));
      const codes = ["invalid-argument", "invalid-argument", "overloaded", "wrong-state"];
      expect(errors).toMatchObject(codes.map((code) => ({ code })));
    });
  });

  test("wrong limits of live agents are refused where they are given", async () => {
    await using stage = await openStage();
    for (const options of [{ idleAfterMs: 0 }, { maxLive: 0 }, { maxLive: "2" as never }]) {
      const refused = stage.callee.registerFactory("lived", () => new Lived(new Life({})), options);
      await expect(refused).rejects.toMatchObject({ code: "invalid-argument" });
    }
    class Short extends Lived {
      static override readonly maxLive = 0.5;
    }
    const refused = Short.register(stage.callee, "lived", () => new Short(new Life({})));
    await expect(refused).rejects.toMatchObject({ code: "invalid-argument" });
  });
}
