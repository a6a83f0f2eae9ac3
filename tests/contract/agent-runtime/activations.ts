import { describe, expect, test } from "vitest";
import {
  type ActivationContext,
  type AgentConcurrency,
  AgentId,
  BaseAgent,
  type DeactivationReason,
  type LifeOptions,
  type MessageContext,
  type RuntimeOptions,
  type Timer,
  type TurnOptions,
} from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { Answer, Ask, type Stage, type Suite } from "./world.ts";

const ada = new AgentId("lived", "ada");
const bea = new AgentId("lived", "bea");
const cleo = new AgentId("lived", "cleo");

/** What a test changes about the lives of its agents. Each hook gets the number of the object, from 1 on. */
interface Script {
  readonly onActivate?: (agent: Lived, context: ActivationContext) => unknown;
  readonly onDeactivate?: (agent: Lived, reason: DeactivationReason) => unknown;
  readonly handle?: (agent: Lived, text: string, context: MessageContext) => unknown;
}

/** An agent that notes its life. */
class Lived extends BaseAgent {
  readonly number: number;
  readonly #life: Life;

  constructor(life: Life) {
    super("lives");
    this.#life = life;
    life.made += 1;
    this.number = life.made;
  }

  override async onActivate(context: ActivationContext): Promise<void> {
    this.#note("activating");
    await this.#life.script.onActivate?.(this, context);
    this.#note("active");
  }

  override async onDeactivate(reason: DeactivationReason): Promise<void> {
    this.#note(`leaving (${reason})`);
    await this.#life.script.onDeactivate?.(this, reason);
    this.#note("left");
  }

  override close(): void {
    this.#note("closed");
    this.#life.ended.put(this.id.key);
  }

  protected override async onMessageImpl({ text }: { readonly text: string }, context: MessageContext) {
    this.#note(`begin ${text}`);
    const answer = await this.#life.script.handle?.(this, text, context);
    this.#note(`end ${text}`);
    return answer ?? Answer({ text: `${text} by ${this.number}` });
  }

  #note(what: string): void {
    this.#life.lines.push(`${this.id.key}${this.number} ${what}`);
  }
}

/** The lives of a type's agents. */
class Life {
  readonly lines: string[] = [];
  /** Keys of agents that were closed. */
  readonly ended = new Inbox<string>();
  readonly script: Script;
  made = 0;

  constructor(script: Script) {
    this.script = script;
  }

  /** The lines without those of handlers. */
  get hooks(): string[] {
    return this.lines.filter((line) => !/ (begin|end) /.test(line));
  }
}

async function host(stage: Stage, script: Script = {}, options: LifeOptions & TurnOptions = {}): Promise<Life> {
  const life = new Life(script);
  await stage.callee.registerFactory("lived", () => new Lived(life), options);
  return life;
}

function ask(stage: Stage, text: string, id = ada): Promise<{ readonly text: string }> {
  return stage.caller.sendMessage(Ask({ text }), id);
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** What handlers of a test wait for: a message "wait" tells that its handler has begun, and ends with the gate. */
class Pause {
  readonly begun = new Gate();
  readonly gate = new Gate();

  readonly handle = async (_agent: Lived, text: string): Promise<void> => {
    if (text !== "wait") return;
    this.begun.open();
    await this.gate.opened;
  };
}

const concurrencies: readonly AgentConcurrency[] = ["interleaved", "sequential"];

/** Each with limits, so that the runtime tracks the agents, and without. */
const kinds = concurrencies.flatMap((concurrency) => [
  { concurrency, tracked: "", options: { concurrency } },
  { concurrency, tracked: " with a cap", options: { concurrency, maxLive: 100 } },
]);

export function describeActivations({ openStage }: Suite): void {
  describe("the activation of an agent", () => {
    describe.each(kinds)("that is $concurrency$tracked", ({ options }) => {
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
        const calls = ["1", "2"].map((text) => ask(stage, text));
        const ends = Promise.allSettled(calls);
        await pause.begun.opened;
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
      await host(stage, { handle });
      await ask(stage, "start");
      await heard.take();
      await stage.callee.deactivateAgent(ada);
      const ticks = heard.rest.length;
      await ask(stage, "start");
      expect((await heard.takeMany(ticks + 2)).slice(ticks)).toEqual(["tick of 2", "tick of 2"]);
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
