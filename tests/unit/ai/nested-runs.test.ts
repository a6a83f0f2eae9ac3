import { readFileSync } from "node:fs";
import { join } from "node:path";
import { AgentId, type AgentRuntime, handlerTable, RoutedAgent, SingleThreadedAgentRuntime } from "troupe";
import { AiAgent, Prompt, Reply } from "troupe/ai";
import { MemoryStateStore, type StateStore } from "troupe/storage";
import { describe, expect, test } from "vitest";
import { countingBuyer } from "../../support/counting-buyer.ts";
import { countingPlanner } from "../../support/counting-planner.ts";
import { Gate } from "../../support/gate.ts";
import { Opened } from "../../support/opened.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { newFolder } from "../../support/sqlite-stores.ts";
import { WatchedStore } from "../../support/watched-store.ts";

const planner = new AgentId("planner", "ada");
const buyer = new AgentId("buyer", "ada");

async function openRuntime(opened: Opened, stateStore: StateStore) {
  const runtime = new SingleThreadedAgentRuntime({ stateStore, logger: new RecordingLogger() });
  // A disposal would wait for handlers that hang.
  opened.use({ [Symbol.asyncDispose]: () => runtime.close() });
  runtime.start();
  return runtime;
}

/** The process of the store's holder is lost: what it writes from now on is refused. */
async function lose(store: MemoryStateStore): Promise<MemoryStateStore> {
  await store.close();
  return store.reopen();
}

async function readParts(runtime: AgentRuntime, until?: string) {
  const parts: string[] = [];
  const reading = runtime.attachRun(planner, "r", { message: Prompt }).read()[Symbol.asyncIterator]();
  for (;;) {
    const step = await reading.next();
    if (step.done === true) return { parts, text: step.value.text };
    const { type, data } = step.value.chunk;
    // The tool writes such parts.
    const part = data as { readonly part: { readonly type: string; readonly delta?: string } } | undefined;
    parts.push(part === undefined ? type : `agent ${part.part.delta ?? part.part.type}`);
    if (parts.at(-1) === until) return { parts, text: "" };
  }
}

const look = ["start-step", "text-start", "I look", " for it.", "text-end", "tool-input-available"];
const buy = ["start-step", "text-start", "I buy it.", "text-end", "tool-input-available"];
const rest = ["start-step", "text-start", "It is", " done.", "text-end", "finish-step", "finish"];
const outcome = ["tool-output-available", "finish-step"];
const bought = ["start", ...look, ...outcome, ...buy, ...outcome, ...rest].map((part) => `agent ${part}`);
const asked = ["start", "start-step", "text-start", "text-delta", "text-end", "tool-input-available"];
const told = ["tool-output-available", "finish-step"];
const said = ["start-step", "text-start", "text-delta", "text-end", "finish-step", "finish"];

/** An agent without a state, whose answer waits. */
class Slow extends RoutedAgent {
  static override readonly handlers = handlerTable<Slow>().rpc(Prompt, function (_prompt, { signal }) {
    return this.answer(signal);
  });

  readonly answer: (signal: AbortSignal) => Promise<Reply>;

  constructor(answer: (signal: AbortSignal) => Promise<Reply>) {
    super("takes its time");
    this.answer = answer;
  }
}

describe("a tool that asks an agent by a run", () => {
  test("names the run after its own run and the tool call, and hands its chunks on once each", async () => {
    await using opened = new Opened();
    const file = join(newFolder(), "done.txt");
    const runtime = await openRuntime(opened, new MemoryStateStore());
    await AiAgent.register(runtime, "planner", () => countingPlanner({ file, ids: "p" }));
    await AiAgent.register(runtime, "buyer", () =>
      countingBuyer({ file, haltAt: "never", onHalt: () => undefined, ids: "b" }),
    );
    await runtime.startRun(Prompt({ text: "Plan" }), planner, { id: "r" });
    const { parts, text } = await readParts(runtime);
    expect(parts).toEqual([...asked, ...bought, ...told, ...said]);
    expect(text).toContain("It is done.");
    const { runs } = await runtime.listRuns(buyer);
    expect(runs.map(({ id, status }) => `${id} ${status}`)).toEqual(["r/p-call-1-1 completed"]);
  });

  test("makes a call in a turn outside of a run, and hands its chunks on, too", async () => {
    await using opened = new Opened();
    const file = join(newFolder(), "done.txt");
    const runtime = await openRuntime(opened, new MemoryStateStore());
    await AiAgent.register(runtime, "planner", () => countingPlanner({ file, ids: "p" }));
    await AiAgent.register(runtime, "buyer", () =>
      countingBuyer({ file, haltAt: "never", onHalt: () => undefined, ids: "b" }),
    );
    const types: string[] = [];
    for await (const { type } of runtime.stream(Prompt({ text: "Plan" }), planner)) types.push(type);
    expect(types).toEqual([...asked, ...bought.map(() => "data-agent"), ...told, ...said]);
    expect((await runtime.listRuns(buyer)).runs).toEqual([]);
  });

  test.for([
    ["in look", "agent I look", ["plan 0", "model 0", "look", "look", "model 1", "buy", "model 2", "plan 1"]],
    ["bought", "agent It is", ["plan 0", "model 0", "look", "model 1", "buy", "model 2", "model 2", "plan 1"]],
  ] as const)(
    "finds the run again when both agents lose their worker, and each tool has run as often as its own agent lets it: %s",
    async ([haltAt, until, done]) => {
      await using opened = new Opened();
      const file = join(newFolder(), "done.txt");
      const store = new MemoryStateStore();
      const halted = new Gate();
      const first = await openRuntime(opened, store);
      await AiAgent.register(first, "planner", () => countingPlanner({ file, ids: "p" }));
      await AiAgent.register(first, "buyer", () =>
        countingBuyer({ file, haltAt, onHalt: () => halted.open(), ids: "b" }),
      );
      await first.startRun(Prompt({ text: "Plan" }), planner, { id: "r" });
      await Promise.all([readParts(first, until), halted.opened]);
      const next = await openRuntime(opened, await lose(store));
      await AiAgent.register(next, "planner", () => countingPlanner({ file, ids: "q" }));
      await AiAgent.register(next, "buyer", () =>
        countingBuyer({ file, haltAt: "never", onHalt: () => undefined, ids: "c" }),
      );
      const { parts, text } = await readParts(next);
      expect(readFileSync(file, "utf8").trim().split("\n")).toEqual(done);
      expect(text).toContain("It is done.");
      const toldOf = parts.filter((part) => part.startsWith("agent "));
      expect(toldOf.filter((part) => part === "agent I buy it.")).toHaveLength(1);
      expect(parts.filter((part) => !part.startsWith("agent "))).toEqual([...asked, ...told, ...said]);
      expect((await next.listRuns(buyer)).runs.map(({ id }) => id)).toEqual(["r/p-call-1-1"]);
    },
  );

  test("tells the model that the outcome is unknown where the run was lost with its agent, and starts it no second time", async () => {
    await using opened = new Opened();
    const file = join(newFolder(), "done.txt");
    const { store, saved } = storeWithGate();
    const begun = new Gate();
    let asks = 0;
    const slow = () =>
      new Slow(() => {
        asks += 1;
        begun.open();
        return new Promise(() => undefined);
      });
    const first = await openRuntime(opened, store);
    await AiAgent.register(first, "planner", () => countingPlanner({ file, ids: "p" }));
    await Slow.register(first, "buyer", slow);
    await first.startRun(Prompt({ text: "Plan" }), planner, { id: "r" });
    await Promise.all([begun.opened, saved.opened]);
    const next = await openRuntime(opened, await lose(store.inner));
    await AiAgent.register(next, "planner", () => countingPlanner({ file, ids: "q" }));
    await Slow.register(next, "buyer", slow);
    expect((await readParts(next)).text).toContain("The outcome is unknown: buyer/ada does not keep the run");
    expect(asks).toBe(1);
  });

  test("starts the run again where it was lost with its agent, if the tool is repeatable", async () => {
    await using opened = new Opened();
    const file = join(newFolder(), "done.txt");
    const { store, saved } = storeWithGate();
    const begun = new Gate();
    const options = { repeatable: ["buyer"] };
    const first = await openRuntime(opened, store);
    await AiAgent.register(first, "planner", () => countingPlanner({ file, ids: "p", options }));
    await Slow.register(
      first,
      "buyer",
      () =>
        new Slow(() => {
          begun.open();
          return new Promise(() => undefined);
        }),
    );
    await first.startRun(Prompt({ text: "Plan" }), planner, { id: "r" });
    await Promise.all([begun.opened, saved.opened]);
    const next = await openRuntime(opened, await lose(store.inner));
    await AiAgent.register(next, "planner", () => countingPlanner({ file, ids: "q", options }));
    await Slow.register(next, "buyer", () => new Slow(async () => Reply({ text: "bought again" })));
    expect((await readParts(next)).text).toContain("bought again");
  });

  test("is cancelled with the run that has asked it", async () => {
    await using opened = new Opened();
    const file = join(newFolder(), "done.txt");
    const [begun, aborted] = [new Gate(), new Gate()];
    let reason: unknown;
    const runtime = await openRuntime(opened, new MemoryStateStore());
    await AiAgent.register(runtime, "planner", () => countingPlanner({ file, ids: "p" }));
    await Slow.register(
      runtime,
      "buyer",
      () =>
        new Slow(
          (signal) =>
            new Promise((_resolve, reject) => {
              signal.addEventListener("abort", () => {
                reason = signal.reason;
                aborted.open();
                reject(signal.reason);
              });
              begun.open();
            }),
        ),
    );
    const run = await runtime.startRun(Prompt({ text: "Plan" }), planner, { id: "r" });
    await begun.opened;
    await run.cancel("enough");
    await aborted.opened;
    expect(reason).toMatchObject({ code: "cancelled" });
  });
});

/** A store that opens a gate when the state of an agent says that the run of its tool call has begun. */
function storeWithGate(): { readonly store: WatchedStore; readonly saved: Gate } {
  const [store, saved] = [new WatchedStore(), new Gate()];
  store.afterCommit = ({ write }) => {
    if (write.at === "put" && new TextDecoder().decode(write.data).includes('"begun":true')) saved.open();
  };
  return { store, saved };
}
