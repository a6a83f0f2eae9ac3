import { describe, expect, test } from "vitest";
import { AiAgent, type AiAgentOptions, agentTool, Prompt, Reply } from "../../../src/ai/index.ts";
import { type ScriptedModel, scriptedModel } from "../../../src/ai/testing/index.ts";
import { AgentId, handlerTable, type MessageContext, RoutedAgent } from "../../../src/core/index.ts";
import { UiPart } from "../../../src/teams/index.ts";
import { Gate } from "../../support/gate.ts";
import type { Stage, Suite } from "./world.ts";

type Answers = (text: string, agent: Between, context: MessageContext) => string | Promise<string>;

/** An agent without a model. */
class Between extends RoutedAgent {
  static override readonly handlers = handlerTable<Between>().rpc(Prompt, async function ({ text }, context) {
    return Reply({ text: await this.#answers(text, this, context) });
  });

  readonly #answers: Answers;

  constructor(answers: Answers) {
    super("stands between");
    this.#answers = answers;
  }

  /** Returns the text of the answer, or of the error with its code. */
  async ask(type: string, { signal }: MessageContext): Promise<string> {
    const answer = this.sendMessage(Prompt({ text: "inner" }), new AgentId(type, "k"), { signal });
    return answer.then(
      ({ text }) => text,
      ({ code, message }) => `${code}: ${message}`,
    );
  }
}

/** A model that calls its tool `ask` first, and then says `ends` to all that it reads. */
function askingModel(ends: string, whenAsked: () => Promise<unknown> | undefined = () => undefined): ScriptedModel {
  let hasAsked = false;
  return scriptedModel(() => {
    if (hasAsked) return { text: ends };
    hasAsked = true;
    return { calls: [{ name: "ask", input: { text: "go on" } }], after: whenAsked() };
  });
}

/** Registers an agent that thinks, whose tool `ask` asks the agent `k` of a type. */
async function thinker(stage: Stage, type: string, asks: string, options: AiAgentOptions): Promise<void> {
  const tools = { ask: agentTool(Prompt, { to: new AgentId(asks, "k"), description: "Asks another agent" }) };
  await AiAgent.register(stage.callee, type, () => new AiAgent({ ...options, tools }));
}

async function between(stage: Stage, type: string, answers: Answers, concurrency: "interleaved" | "sequential") {
  await Between.register(stage.caller, type, () => new Between(answers), { concurrency });
}

function knowPrompts(stage: Stage): void {
  for (const runtime of new Set([stage.caller, stage.callee])) runtime.addMessageSerializer([Prompt, Reply, UiPart]);
}

const prompt = (stage: Stage, type: string) =>
  stage.caller.sendMessage(Prompt({ text: "outer" }), new AgentId(type, "k"));

/** The last thing that a model was given to read. */
const lastRead = ({ calls }: ScriptedModel) => JSON.stringify(calls.at(-1)?.prompt.at(-1));

export function describeThinkingRings({ openStage }: Suite): void {
  describe("a call that comes back to an agent that thinks", () => {
    test.each([
      ["interleaved", "queue"],
      ["interleaved", "steer"],
      ["sequential", "queue"],
      ["sequential", "steer"],
    ] as const)(
      "by way of one that is %s fails at once as deadlock with its path, with %s",
      async (concurrency, whenBusy) => {
        // Rings are not looked for: the path alone tells.
        await using stage = await openStage({ caller: { stuckAfterMs: 0 }, callee: { stuckAfterMs: 0 } });
        knowPrompts(stage);
        const model = askingModel("done");
        await thinker(stage, "thinker", "between", { model, whenBusy });
        const heard = new Gate<string>();
        const answers: Answers = async (_text, agent, context) => {
          heard.open(await agent.ask("thinker", context));
          return "it is busy";
        };
        await between(stage, "between", answers, concurrency);
        expect((await prompt(stage, "thinker")).text).toBe("done");
        expect(await heard.opened).toMatch(/^deadlock: .*: thinker\/k → between\/k → thinker\/k\. /);
        expect(lastRead(model)).toContain("it is busy");
      },
    );

    test("by way of another that thinks fails as deadlock, which the model of that one reads", async () => {
      await using stage = await openStage({ caller: { stuckAfterMs: 0 }, callee: { stuckAfterMs: 0 } });
      knowPrompts(stage);
      const [first, second] = [askingModel("first is done"), askingModel("second is done")];
      await thinker(stage, "first", "second", { model: first });
      await thinker(stage, "second", "first", { model: second });
      expect((await prompt(stage, "first")).text).toBe("first is done");
      expect(lastRead(second)).toMatch(/deadlock: .*first\/k → second\/k → first\/k/);
      expect(lastRead(first)).toContain("second is done");
    });

    test("interrupts the turn that waits for it, and is cancelled with it", async () => {
      await using stage = await openStage();
      knowPrompts(stage);
      await thinker(stage, "thinker", "between", { model: askingModel("not read"), whenBusy: "interrupt" });
      const heard = new Gate<string>();
      const answers: Answers = async (_text, agent, context) => {
        heard.open(await agent.ask("thinker", context));
        return "late";
      };
      await between(stage, "between", answers, "interleaved");
      await expect(prompt(stage, "thinker")).rejects.toMatchObject({ code: "cancelled" });
      expect(await heard.opened).toMatch(/^cancelled/);
    });

    test("is answered in its turn if it comes from a handler whose caller has given it up", async () => {
      await using stage = await openStage();
      knowPrompts(stage);
      const [begun, given, go] = [new Gate(), new Gate(), new Gate()];
      await thinker(stage, "thinker", "between", { model: askingModel("its own turn") });
      const heard = new Gate<string>();
      const answers: Answers = async (_text, agent, { signal }) => {
        begun.open();
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        given.open();
        await go.opened;
        const answer = agent.sendMessage(Prompt({ text: "inner" }), new AgentId("thinker", "k"));
        heard.open((await answer).text);
        return "late";
      };
      await between(stage, "between", answers, "sequential");
      const leaves = new AbortController();
      const outer = stage.caller.sendMessage(Prompt({ text: "outer" }), new AgentId("thinker", "k"), {
        signal: leaves.signal,
      });
      await begun.opened;
      leaves.abort();
      await expect(outer).rejects.toMatchObject({ code: "cancelled" });
      await given.opened;
      go.open();
      expect(await heard.opened).toBe("its own turn");
    });
  });

  describe("calls of agents that think, and that wait for each other", () => {
    test.each(["queue", "steer"] as const)(
      "end with deadlock for one of them, which its model reads, with %s",
      async (whenBusy) => {
        await using stage = await openStage({ caller: { stuckAfterMs: 20 }, callee: { stuckAfterMs: 20 } });
        knowPrompts(stage);
        const both = new Gate();
        let begun = 0;
        const whenAsked = () => {
          begun += 1;
          if (begun === 2) both.open();
          return both.opened;
        };
        const models = [askingModel("first", whenAsked), askingModel("second", whenAsked)] as const;
        await thinker(stage, "first", "second", { model: models[0], whenBusy });
        await thinker(stage, "second", "first", { model: models[1], whenBusy });
        const ends = await Promise.all([prompt(stage, "first"), prompt(stage, "second")]);
        expect(ends.map(({ text }) => text)).toEqual(["first", "second"]);
        const read = models.map(({ calls }) => JSON.stringify(calls.map((call) => call.prompt)));
        const failed = read.filter((text) => text.includes("deadlock: These calls wait for each other"));
        expect(failed).toHaveLength(1);
      },
    );

    test("end with deadlock for one of them, if one is sequential and has no model", async () => {
      await using stage = await openStage({ caller: { stuckAfterMs: 20 }, callee: { stuckAfterMs: 20 } });
      knowPrompts(stage);
      const [thinks, stands] = [new Gate(), new Gate()];
      const model = askingModel("thought", () => {
        thinks.open();
        return stands.opened;
      });
      await thinker(stage, "thinker", "between", { model });
      const answers: Answers = async (text, agent, context) => {
        if (text !== "outer") return "asked";
        stands.open();
        await thinks.opened;
        return agent.ask("thinker", context);
      };
      await between(stage, "between", answers, "sequential");
      const [thought, stood] = await Promise.all([prompt(stage, "thinker"), prompt(stage, "between")]);
      expect(thought.text).toBe("thought");
      const outcomes = [stood.text, ...model.calls.map(({ prompt: read }) => JSON.stringify(read.at(-1)))];
      expect(outcomes.filter((text) => text.includes("deadlock: These calls wait for each other"))).toHaveLength(1);
    });
  });
}
