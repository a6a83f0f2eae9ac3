import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import {
  AgentId,
  BaseAgent,
  defineMessage,
  defineState,
  persistentAgent,
  SingleThreadedAgentRuntime,
  TopicId,
  TroupeError,
  TypeSubscription,
} from "../../../src/core/index.ts";
import { StoreError } from "../../../src/storage/index.ts";
import { WatchedStore } from "../../support/watched-store.ts";

// Turns that run ahead of commits which are slow, fail, are refused, meet another writer, or end unknown, in any order. The model is the
// promise itself: what is left is what the written turns alone do, one after the other.

type Op = "add" | "say" | "wait" | "fail";
type Fate = "written" | "failed" | "refused" | "conflict" | "unknown and written" | "unknown and lost";

interface Program {
  /** Turns that are asked for together; each group a little after the one before. */
  readonly groups: readonly (readonly (readonly Op[])[])[];
  /** What becomes of the commits, and how long each takes; later ones are written at once. */
  readonly fates: readonly { readonly fate: Fate; readonly waits: number }[];
  readonly runAhead: number;
}

const ops = fc.array(fc.constantFrom<Op>("add", "add", "say", "wait", "fail"), { maxLength: 4 });
const fate = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Fate>("written") },
  { weight: 2, arbitrary: fc.constantFrom<Fate>("failed", "refused") },
  { weight: 1, arbitrary: fc.constantFrom<Fate>("conflict", "unknown and written", "unknown and lost") },
);
const programs: fc.Arbitrary<Program> = fc.record({
  groups: fc.array(fc.array(ops, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 }),
  fates: fc.array(fc.record({ fate, waits: fc.nat(6) }), { maxLength: 8 }),
  runAhead: fc.constantFrom(1, 2, 3, 50),
});

const Run = defineMessage("RunAhead", z.object({ ops: z.custom<readonly Op[]>(), mark: z.string() }));
const Done = defineMessage("DoneAhead", z.object({ list: z.array(z.string()) }));
const Said = defineMessage("SaidAhead", z.object({ text: z.string() }));
const List = defineState(z.object({ list: z.array(z.string()) }), { initial: { list: [] } });
const actor = new AgentId("actor", "a");
const topic = new TopicId("said", "s");

class Actor extends persistentAgent(List, BaseAgent) {
  /** The turns that have begun, in order. */
  readonly begun: string[];

  constructor(begun: string[]) {
    super("acts");
    this.begun = begun;
  }

  protected override async onMessageImpl(message: { ops: readonly Op[]; mark: string }) {
    this.begun.push(message.mark);
    for (const [at, op] of message.ops.entries()) {
      const own = `${message.mark}.${at}`;
      if (op === "add") this.state.list.push(own);
      else if (op === "say") await this.publishMessage(Said({ text: own }), topic);
      else if (op === "wait") await nextRound();
      else throw new Error(own);
    }
    return Done({ list: [...this.state.list] });
  }
}

class Listener extends BaseAgent {
  readonly heard: string[] = [];
  protected override onMessageImpl({ text }: { text: string }): void {
    this.heard.push(text);
  }
}

function nextRound(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function storeOf({ fates }: Program): WatchedStore {
  const store = new WatchedStore();
  let commits = 0;
  store.beforeCommit = async () => {
    const next = fates[commits++];
    for (let left = next?.waits ?? 0; left > 0; left -= 1) await nextRound();
    store.afterCommit = () => undefined;
    store.decide = () => undefined;
    switch (next?.fate) {
      case "failed":
        throw new StoreError("unavailable", "no disk");
      case "unknown and lost":
        throw new StoreError("unknown", "a cut");
      case "unknown and written":
        store.afterCommit = () => {
          throw new StoreError("unknown", "a cut");
        };
        return;
      case "refused":
        store.decide = () => ({ at: "refused", limit: "1" });
        return;
      case "conflict":
        store.decide = () => ({ at: "conflict" });
    }
  };
  return store;
}

interface Played {
  readonly ops: readonly Op[];
  readonly mark: string;
  /** The list of the answer, or the code of the error. */
  readonly outcome: readonly string[] | string;
}

async function played(program: Program) {
  const store = storeOf(program);
  const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  await using runtime = new SingleThreadedAgentRuntime({ stateStore: store, logger: silent });
  const listener = new Listener("hears");
  await runtime.start();
  const begun: string[] = [];
  await Actor.register(runtime, "actor", () => new Actor(begun), { runAhead: program.runAhead });
  await runtime.registerFactory("listener", () => listener);
  await runtime.addSubscription(new TypeSubscription("said", "listener"));
  const turns: Promise<Played>[] = [];
  for (const [number, group] of program.groups.entries()) {
    for (const [at, script] of group.entries()) {
      const mark = `${number}.${at}`;
      const call = runtime.sendMessage(Run({ ops: script, mark }), actor, { answer: Done });
      const outcome = call.then(
        ({ list }) => list,
        (error: unknown) => TroupeError.from(error).code,
      );
      turns.push(outcome.then((known) => ({ ops: script, mark, outcome: known })));
    }
    await nextRound();
  }
  const all = await Promise.all(turns);
  // A turn that was about to begin when its activation ended has its place behind those that waited.
  const handled = all.sort((one, other) => begun.indexOf(one.mark) - begun.indexOf(other.mark));
  await runtime.stopWhenIdle();
  // Typed by the schema that wrote it.
  const stored = ((await store.stored(actor)) as { list: string[] } | undefined)?.list ?? [];
  return { turns: handled, stored, heard: listener.heard };
}

function marks({ ops: script, mark }: Played, op: Op): readonly string[] {
  return script.flatMap((one, at) => (one === op ? [`${mark}.${at}`] : []));
}

test("what is left of turns that run ahead is what the written ones alone do, one after the other", async () => {
  await fc.assert(
    fc.asyncProperty(programs, async (program) => {
      const { turns, stored, heard } = await played(program);
      const model: string[] = [];
      const said: string[] = [];
      for (const turn of turns) {
        const adds = marks(turn, "add");
        const isAnswered = typeof turn.outcome !== "string";
        // Of a commit of unknown outcome the events are not sent.
        const isWritten =
          isAnswered || (turn.outcome === "state-unknown" && adds.every((mark) => stored.includes(mark)));
        if (isWritten) model.push(...adds);
        if (isAnswered) said.push(...marks(turn, "say"));
        if (isAnswered) expect(turn.outcome).toEqual(model);
      }
      expect(stored).toEqual(model);
      expect(heard).toEqual(said);
    }),
    { numRuns: 500 },
  );
});
