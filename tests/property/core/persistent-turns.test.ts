import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import {
  AgentId,
  BaseAgent,
  defineMessage,
  defineState,
  type MessageContext,
  persistentAgent,
  SingleThreadedAgentRuntime,
  TopicId,
  TypeSubscription,
} from "../../../src/core/index.ts";
import { WatchedStore } from "../../support/watched-store.ts";

// Turns of one agent that add to its state, publish, save, call their agent again (by itself or by way of another one), fail and
// wait, in any order. The model knows no text and no store.

type Op =
  | { readonly do: "add" | "say" | "save" | "wait" | "fail" }
  | { readonly do: "call"; readonly by: "self" | "relay"; readonly catches: boolean; readonly ops: readonly Op[] };

const { op } = fc.letrec<{ op: Op }>((tie) => ({
  op: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    { weight: 5, arbitrary: fc.record({ do: fc.constantFrom("add", "add", "say", "save", "wait", "fail") }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("call"),
        by: fc.constantFrom("self", "relay"),
        catches: fc.boolean(),
        ops: fc.array(tie("op"), { maxLength: 4 }),
      }),
    },
  ),
}));
const turns = fc.array(fc.array(op, { maxLength: 5 }), { minLength: 1, maxLength: 4 });

const Run = defineMessage("Run", z.object({ ops: z.custom<readonly Op[]>(), mark: z.string() }));
const Done = defineMessage("Done", z.object({ list: z.array(z.string()) }));
const Said = defineMessage("Said", z.object({ text: z.string() }));
const List = defineState(z.object({ list: z.array(z.string()) }), { initial: { list: [] } });
const actor = new AgentId("actor", "a");
const relay = new AgentId("relay", "r");
const topic = new TopicId("said", "s");

class Actor extends persistentAgent(List, BaseAgent) {
  protected override async onMessageImpl(
    { ops, mark }: { ops: readonly Op[]; mark: string },
    { signal }: MessageContext,
  ) {
    for (const [at, step] of ops.entries()) {
      const own = `${mark}.${at}`;
      if (step.do === "add") this.state.list.push(own);
      else if (step.do === "say") await this.publishMessage(Said({ text: own }), topic);
      else if (step.do === "save") await this.saveNow();
      else if (step.do === "wait") await new Promise((resolve) => setImmediate(resolve));
      else if (step.do === "fail") throw new Error(own);
      else if (step.do === "call") {
        const call = this.sendMessage(Run({ ops: step.ops, mark: own }), step.by === "self" ? actor : relay, {
          signal,
        });
        await (step.catches ? call.catch(() => undefined) : call);
      }
    }
    return Done({ list: [...this.state.list] });
  }
}

class Relay extends BaseAgent {
  protected override onMessageImpl(message: { ops: readonly Op[]; mark: string }, { signal }: MessageContext) {
    return this.sendMessage(Run(message), actor, { signal });
  }
}

class Listener extends BaseAgent {
  readonly heard: string[] = [];
  protected override onMessageImpl({ text }: { text: string }): void {
    this.heard.push(text);
  }
}

/** The same with lists that are copied. */
class Model {
  live: readonly string[] = [];
  committed: readonly string[] = [];
  /** Each state that is written. */
  readonly puts: (readonly string[])[] = [];
  readonly sent: string[] = [];
  #effects: string[] = [];
  readonly #savepoints: { live: readonly string[]; effects: number }[] = [];

  turn(ops: readonly Op[], mark: string): readonly string[] {
    this.#savepoints.push({ live: this.live, effects: this.#effects.length });
    try {
      for (const [at, step] of ops.entries()) this.#step(step, `${mark}.${at}`);
      this.#commit();
      return this.live;
    } catch (error) {
      const { live, effects } = this.#savepoints.at(-1) ?? { live: [], effects: 0 };
      this.live = live;
      this.#effects.length = Math.min(effects, this.#effects.length);
      throw error;
    } finally {
      this.#savepoints.pop();
    }
  }

  #step(step: Op, own: string): void {
    if (step.do === "add") this.live = [...this.live, own];
    else if (step.do === "say") this.#effects.push(own);
    else if (step.do === "save") this.#commit();
    else if (step.do === "fail") throw new Error(own);
    else if (step.do === "call") {
      try {
        this.turn(step.ops, own);
      } catch (error) {
        if (!step.catches) throw error;
      }
    }
  }

  #commit(): void {
    if (this.live.length !== this.committed.length) this.puts.push(this.live);
    this.committed = this.live;
    this.sent.push(...this.#effects);
    this.#effects = [];
    for (const savepoint of this.#savepoints) Object.assign(savepoint, { live: this.live, effects: 0 });
  }
}

/** What came of a call: the list that it was answered with, or undefined. */
type Outcome = readonly string[] | undefined;

function modelled(program: readonly (readonly Op[])[]) {
  const model = new Model();
  const outcomes = program.map((ops, at): Outcome => {
    try {
      return model.turn(ops, String(at));
    } catch {
      return undefined;
    }
  });
  return { outcomes, puts: model.puts, sent: model.sent, stored: model.committed };
}

async function played(program: readonly (readonly Op[])[]) {
  const store = new WatchedStore();
  const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  await using runtime = new SingleThreadedAgentRuntime({ stateStore: store, logger: silent });
  const listener = new Listener("hears");
  await runtime.start();
  await Actor.register(runtime, "actor", () => new Actor("acts"));
  await runtime.registerFactory("relay", () => new Relay("relays"), { concurrency: "sequential" });
  await runtime.registerFactory("listener", () => listener);
  await runtime.addSubscription(new TypeSubscription("said", "listener"));
  const calls = program.map((ops, at) => runtime.sendMessage(Run({ ops, mark: String(at) }), actor, { answer: Done }));
  const settled = await Promise.allSettled(calls);
  const outcomes = settled.map((outcome): Outcome => (outcome.status === "fulfilled" ? outcome.value.list : undefined));
  await runtime.stopWhenIdle();
  const puts = store.commits.flatMap(({ write }) =>
    write.at === "put" ? [JSON.parse(new TextDecoder().decode(write.data)).list] : [],
  );
  // Typed by the schema that wrote it.
  const stored = ((await store.stored(actor)) as { list: string[] } | undefined)?.list ?? [];
  return { outcomes, puts, sent: listener.heard, stored };
}

test("whatever turns do, the state after each commit, the events and the answers are those of a model", async () => {
  await fc.assert(
    fc.asyncProperty(turns, async (program) => {
      expect(await played(program)).toEqual(modelled(program));
    }),
    { numRuns: 300 },
  );
});
