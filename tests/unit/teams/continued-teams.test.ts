import { AgentId, type AgentRuntime, handlerTable, RoutedAgent, SingleThreadedAgentRuntime } from "troupe";
import type { StateStore } from "troupe/storage";
import {
  maxMessages,
  participant,
  RunTeam,
  roundRobin,
  StopTeam,
  TakeTurn,
  Team,
  type TeamOptions,
  TurnTaken,
  textParts,
} from "troupe/teams";
import { describe, expect, test } from "vitest";
import { Gate } from "../../support/gate.ts";
import { Opened } from "../../support/opened.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { WatchedStore } from "../../support/watched-store.ts";

const team = new AgentId("team", "t1");

/** A participant that says its name around what was said last. `before`: runs before it answers. */
class Echo extends RoutedAgent {
  static override readonly handlers = handlerTable<Echo>().rpc(TakeTurn, async function* ({ messages }) {
    await this.before(this.id.type);
    const content = `${this.id.type}(${messages.at(-1)?.content ?? ""})`;
    yield* textParts(content);
    return TurnTaken({ content });
  });

  readonly before: (name: string) => unknown;

  constructor(before: (name: string) => unknown) {
    super("says it again");
    this.before = before;
  }
}

interface World {
  readonly store: StateStore;
  readonly options?: Partial<TeamOptions> | undefined;
  readonly before?: ((name: string) => unknown) | undefined;
}

async function openRuntime(opened: Opened, { store, options, before = () => undefined }: World) {
  const runtime = new SingleThreadedAgentRuntime({ stateStore: store, logger: new RecordingLogger() });
  // A disposal would wait for handlers that hang.
  opened.use({ [Symbol.asyncDispose]: () => runtime.close() });
  runtime.start();
  const participants = [participant("a", "one", { run: true }), participant("b", "other")];
  for (const name of ["a", "b"]) await Echo.register(runtime, name, () => new Echo(before));
  const common = { participants, next: roundRobin(), until: maxMessages(5) };
  await Team.register(runtime, "team", () => new Team({ ...common, ...options }));
  return runtime;
}

/** Reads a run of the team to its end: the messages, the chunks of turns, and why it stopped. */
async function read(runtime: AgentRuntime) {
  const said: string[] = [];
  const parts: string[] = [];
  const reading = runtime.attachRun(team, "r", { message: RunTeam }).read()[Symbol.asyncIterator]();
  for (;;) {
    const step = await reading.next();
    if (step.done === true) return { said, parts, reason: step.value.stop_reason, result: step.value.messages };
    const { content, part, source } = step.value.chunk;
    if (part === null) said.push(content);
    else parts.push(`${source} ${part.type}`);
  }
}

const all = ["x", "a(x)", "b(a(x))", "a(b(a(x)))", "b(a(b(a(x))))"];

/** The process of the store's holder is lost: what it writes from now on is refused. */
async function lose(store: WatchedStore): Promise<StateStore> {
  await store.inner.close();
  return store.inner.reopen();
}

describe("a kept run of a team whose worker is lost", () => {
  test.for([false, true])(
    "continues at the next one, wherever it was: its readers have each message once (shareChunks: %s)",
    async (shareChunks) => {
      let places = 0;
      for (let lostAfter = 1, isLost = true; isLost; lostAfter += 1) {
        await using opened = new Opened();
        const [store, lost] = [new WatchedStore(), new Gate()];
        let commits = 0;
        isLost = false;
        store.afterCommit = ({ agent, runs = [] }) => {
          if (agent.type !== "team") return;
          commits += 1;
          if (commits === lostAfter) isLost = true;
          if (isLost || runs.some(({ at }) => at === "end")) lost.open();
          if (isLost) throw new Error("The worker is lost.");
        };
        store.beforeCommit = () => {
          if (isLost) throw new Error("The worker is lost.");
        };
        const first = await openRuntime(opened, { store, options: { shareChunks } });
        const start = first.startRun(RunTeam({ task: "x" }), team, { id: "r" });
        start.catch(() => undefined);
        await lost.opened;
        const next = await openRuntime(opened, { store: await lose(store), options: { shareChunks } });
        const { said, reason, result } = await read(next);
        expect(said).toEqual(all);
        expect(result.map(({ content }) => content)).toEqual(all);
        expect(reason).toBe("Maximum number of messages 5 reached, current message count: 5");
        if (isLost) places += 1;
      }
      // A run is created and begun, and saved before and behind each of four turns.
      expect(places).toBeGreaterThan(9);
    },
  );

  test("does not choose again who speaks, and stops for a StopTeam that came before", async () => {
    await using opened = new Opened();
    const [store, halted] = [new WatchedStore(), new Gate()];
    const chosen: string[] = [];
    const options = {
      next: ({ turns }: { readonly turns: number }) => {
        chosen.push(`turn ${turns}`);
        return "b";
      },
    };
    const before = () => {
      halted.open();
      return new Promise(() => undefined);
    };
    const first = await openRuntime(opened, { store, options, before });
    await first.startRun(RunTeam({ task: "x" }), team, { id: "r" });
    await halted.opened;
    await first.sendMessage(StopTeam({ reason: "enough" }), team);
    const next = await openRuntime(opened, { store: await lose(store), options });
    const { said, reason } = await read(next);
    expect({ said, reason, chosen }).toEqual({ said: ["x", "b(x)"], reason: "enough", chosen: ["turn 0"] });
  });

  test("does not ask a participant again that is not repeatable: its turn fails", async () => {
    await using opened = new Opened();
    const [store, halted] = [new WatchedStore(), new Gate()];
    let asked = 0;
    const participants = [participant("b", "other", { repeatable: false }), participant("a", "one")];
    const options = { participants, whenTurnFails: "skip", until: maxMessages(3) } as const;
    const before = (name: string) => {
      if (name !== "b") return undefined;
      asked += 1;
      halted.open();
      return new Promise(() => undefined);
    };
    const first = await openRuntime(opened, { store, options, before });
    await first.startRun(RunTeam({ task: "x" }), team, { id: "r" });
    await halted.opened;
    const next = await openRuntime(opened, { store: await lose(store), options, before });
    const note = "b did not take its turn (disconnected).";
    expect((await read(next)).said).toEqual(["x", note, `a(${note})`]);
    expect(asked).toBe(1);
  });

  test("fails if the team was given another task before", async () => {
    await using opened = new Opened();
    const [store, halted] = [new WatchedStore(), new Gate()];
    const before = () => {
      halted.open();
      return new Promise(() => undefined);
    };
    const first = await openRuntime(opened, { store, before });
    await first.startRun(RunTeam({ task: "x" }), team, { id: "r" });
    await halted.opened;
    const next = await openRuntime(opened, { store: await lose(store) });
    const { messages } = await next.sendMessage(RunTeam({ task: "y" }), team);
    expect(messages.map(({ content }) => content)).toEqual(["y", "a(y)", "b(a(y))", "a(b(a(y)))", "b(a(b(a(y))))"]);
    await expect(read(next)).rejects.toMatchObject({
      code: "wrong-state",
      message: expect.stringContaining("another task"),
    });
  });
});
