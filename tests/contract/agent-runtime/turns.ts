import { describe, expect, test } from "vitest";
import {
  type AgentConcurrency,
  AgentId,
  ClosureAgent,
  handlerTable,
  type RegisterOptions,
  RoutedAgent,
  TopicId,
  TypeSubscription,
} from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { Answer, Ask, Note, Order, type Stage, type Suite } from "./world.ts";

const id = new AgentId("account", "ada");
const topic = new TopicId("notes", "ada");

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** What the handlers of an account did, in order. Its messages say what to do: `wait` waits for the gate. */
class Log {
  readonly lines: string[] = [];
  readonly gate = new Gate();
  /** Opens when a handler waits at the gate. */
  readonly waiting = new Gate();
}

/** Asks and notes have their turn alone; an order interleaves. */
class Account extends RoutedAgent {
  readonly log: Log;

  static override readonly handlers = handlerTable<Account>()
    .rpc(Ask, async function ({ text }) {
      await this.handle(text);
      return Answer({ text });
    })
    .event(Note, async function ({ text }) {
      await this.handle(text);
    })
    .rpc(
      Order,
      function ({ text }) {
        this.log.lines.push(text);
        return undefined;
      },
      { interleaves: true },
    );

  constructor(log: Log) {
    super("an account");
    this.log = log;
  }

  async handle(text: string): Promise<void> {
    this.log.lines.push(`begin ${text}`);
    if (text === "wait") {
      this.log.waiting.open();
      await this.log.gate.opened;
    }
    await turn();
    this.log.lines.push(`end ${text}`);
  }
}

class SequentialAccount extends Account {
  static override readonly concurrency: AgentConcurrency = "sequential";
}

// @ts-expect-error no such way to share an agent
class MistakenAccount extends Account {
  static override readonly concurrency = "parallel";
}

async function register(stage: Stage, options: RegisterOptions, agentClass: typeof Account = Account): Promise<Log> {
  const log = new Log();
  await agentClass.register(stage.callee, "account", () => new agentClass(log), options);
  await stage.callee.addSubscription(new TypeSubscription("notes", "account"));
  return log;
}

function ask(stage: Stage, text: string, options: { readonly signal?: AbortSignal; readonly timeoutMs?: number } = {}) {
  return stage.caller.sendMessage(Ask({ text }), id, options);
}

/** Resolves when all that was sent before has arrived. */
function arrived(stage: Stage): Promise<unknown> {
  return stage.caller.sendMessage(Order({ text: "interleaved" }), id);
}

const oneByOne = ["begin 1", "end 1", "begin 2", "end 2"];

export function describeTurns({ openStage }: Suite): void {
  describe("the turns of an agent", () => {
    test.each<[string, RegisterOptions, typeof Account, boolean]>([
      ["a type registered as sequential", { concurrency: "sequential" }, Account, false],
      ["a class that says sequential", {}, SequentialAccount, false],
      ["sequentialAgents", {}, Account, true],
    ])("%s takes one message at a time", async (_title, options, agentClass, sequentialAgents) => {
      await using stage = await openStage({ callee: { sequentialAgents } });
      const log = await register(stage, options, agentClass);
      await Promise.all([ask(stage, "1"), ask(stage, "2")]);
      expect(log.lines).toEqual(oneByOne);
    });

    test.each<[string, RegisterOptions, typeof Account, boolean]>([
      ["without any of them an agent", {}, Account, false],
      ["a registration goes before the class, and", { concurrency: "interleaved" }, SequentialAccount, false],
      ["a registration goes before sequentialAgents, and", { concurrency: "interleaved" }, Account, true],
    ])("%s does not take one message at a time", async (_title, options, agentClass, sequentialAgents) => {
      await using stage = await openStage({ callee: { sequentialAgents } });
      const log = await register(stage, options, agentClass);
      const first = ask(stage, "wait");
      await log.waiting.opened;
      await ask(stage, "2");
      log.gate.open();
      await first;
      expect(log.lines).toEqual(["begin wait", "begin 2", "end 2", "end wait"]);
    });

    test("events and calls of a sequential agent have their turns in the order of their arrival", async () => {
      await using stage = await openStage();
      const log = await register(stage, { concurrency: "sequential" });
      await stage.caller.publishMessage(Note({ text: "1" }), topic);
      await stage.caller.publishMessage(Note({ text: "2" }), topic);
      await ask(stage, "3");
      expect(log.lines).toEqual([...oneByOne, "begin 3", "end 3"]);
    });

    test("agents of a sequential type do not wait for each other, nor for those of another type", async () => {
      await using stage = await openStage();
      const log = await register(stage, { concurrency: "sequential" });
      const first = ask(stage, "wait");
      await log.waiting.opened;
      await stage.caller.sendMessage(Ask({ text: "other" }), new AgentId("account", "bea"));
      log.gate.open();
      await first;
      expect(log.lines).toEqual(["begin wait", "begin other", "end other", "end wait"]);
    });

    test("an instance and a closure agent can be sequential", async () => {
      await using stage = await openStage();
      const log = new Log();
      await new Account(log).registerInstance(stage.callee, id, { concurrency: "sequential" });
      await Promise.all([ask(stage, "1"), ask(stage, "2")]);
      expect(log.lines).toEqual(oneByOne);

      const lines: string[] = [];
      const closure = async (_agent: unknown, { text }: { readonly text: string }) => {
        lines.push(`begin ${text}`);
        await turn();
        lines.push(`end ${text}`);
        return Answer({ text });
      };
      await ClosureAgent.registerClosure(stage.callee, "closure", closure, { types: Ask, concurrency: "sequential" });
      const calls = ["1", "2"].map((text) => stage.caller.sendMessage(Ask({ text }), new AgentId("closure", "k")));
      await Promise.all(calls);
      expect(lines).toEqual(oneByOne);
    });

    test("a handler that interleaves begins while another one runs", async () => {
      await using stage = await openStage();
      const log = await register(stage, { concurrency: "sequential" });
      const first = ask(stage, "wait");
      await log.waiting.opened;
      await arrived(stage);
      log.gate.open();
      await first;
      expect(log.lines).toEqual(["begin wait", "interleaved", "end wait"]);
    });

    test("read-only handlers run together, and never beside another one", async () => {
      const lines: string[] = [];
      const bothRead = new Gate();
      let reading = 0;
      class Book extends RoutedAgent {
        static override readonly handlers = handlerTable<Book>()
          .rpc(
            Ask,
            async ({ text }) => {
              lines.push(`read ${text}`);
              reading += 1;
              if (reading === 2) bothRead.open();
              await bothRead.opened;
              lines.push(`have read ${text}`);
              return Answer({ text });
            },
            { readOnly: true },
          )
          .rpc(Order, async ({ text }) => {
            lines.push(`write ${text}`);
            await turn();
            lines.push(`have written ${text}`);
          });
      }
      await using stage = await openStage();
      await Book.register(stage.callee, "account", () => new Book("a book"), { concurrency: "sequential" });
      const messages = [Order({ text: "1" }), Ask({ text: "2" }), Ask({ text: "3" }), Order({ text: "4" })];
      await Promise.all(messages.map((message) => stage.caller.sendMessage(message, id)));
      const written = (text: string) => [`write ${text}`, `have written ${text}`];
      expect(lines).toEqual([...written("1"), "read 2", "read 3", "have read 2", "have read 3", ...written("4")]);
    });

    test("a call beyond maxQueuedPerAgent is refused as overloaded, and no handler has seen it", async () => {
      await using stage = await openStage();
      const log = await register(stage, { concurrency: "sequential", maxQueuedPerAgent: 1 });
      const first = ask(stage, "wait");
      await log.waiting.opened;
      const second = ask(stage, "2");
      await expect(ask(stage, "3")).rejects.toMatchObject({
        code: "overloaded",
        notHandled: true,
        message: expect.stringContaining("account/ada"),
      });
      log.gate.open();
      await Promise.all([first, second]);
      await ask(stage, "4");
      expect(log.lines.filter((line) => line.startsWith("begin"))).toEqual(["begin wait", "begin 2", "begin 4"]);
    });

    test("an event beyond maxQueuedPerAgent is dropped, with a line in the log", async () => {
      await using stage = await openStage();
      const log = await register(stage, { concurrency: "sequential", maxQueuedPerAgent: 1 });
      const first = ask(stage, "wait");
      await log.waiting.opened;
      for (const text of ["2", "3"]) await stage.caller.publishMessage(Note({ text }), topic);
      await arrived(stage);
      log.gate.open();
      await first;
      await ask(stage, "4");
      expect(log.lines.filter((line) => line.startsWith("begin"))).toEqual(["begin wait", "begin 2", "begin 4"]);
      const lines = stage.logger.lines.filter(({ text }) => text.includes("dropped"));
      expect(lines.map(({ level }) => level)).toEqual(["warn"]);
    });

    test("a call that is cancelled while it waits has no turn, and the next one has", async () => {
      await using stage = await openStage();
      const log = await register(stage, { concurrency: "sequential", maxQueuedPerAgent: 1 });
      const first = ask(stage, "wait");
      await log.waiting.opened;
      const giving = new AbortController();
      const second = ask(stage, "2", { signal: giving.signal });
      await arrived(stage);
      giving.abort();
      await expect(second).rejects.toMatchObject({ code: "cancelled" });
      await arrived(stage);
      const third = ask(stage, "3");
      await arrived(stage);
      log.gate.open();
      await Promise.all([first, third]);
      expect(log.lines.filter((line) => line.startsWith("begin"))).toEqual(["begin wait", "begin 3"]);
    });

    test("a call whose time is up while it waits has no turn", async () => {
      await using stage = await openStage();
      const log = await register(stage, { concurrency: "sequential" });
      const first = ask(stage, "wait");
      await log.waiting.opened;
      await expect(ask(stage, "2", { timeoutMs: 20 })).rejects.toMatchObject({ code: "timed-out" });
      await arrived(stage);
      log.gate.open();
      await first;
      await ask(stage, "3");
      expect(log.lines.filter((line) => line.startsWith("begin"))).toEqual(["begin wait", "begin 3"]);
    });

    test("a call that waits when its runtime ends is refused, and no handler begins", async () => {
      await using stage = await openStage();
      const log = await register(stage, { concurrency: "sequential" });
      const outcomes = ["wait", "2"].map((text) => ask(stage, text).catch((error: unknown) => error));
      await log.waiting.opened;
      await arrived(stage);
      await stage.world.close();
      expect(await outcomes[1]).toMatchObject({ name: "UndeliverableException" });
      log.gate.open();
      await turn();
      expect(log.lines.filter((line) => line.startsWith("begin"))).toEqual(["begin wait"]);
    });

    test.each<[string, object]>([
      ["concurrency", { concurrency: "parallel" }],
      ["maxQueuedPerAgent", { maxQueuedPerAgent: -1 }],
      ["maxQueuedBytesPerAgent", { maxQueuedBytesPerAgent: "1" }],
    ])("a wrong %s is refused", async (name, options) => {
      await using stage = await openStage();
      const refusal = { code: "invalid-argument", message: expect.stringContaining(name) };
      await expect(register(stage, options)).rejects.toMatchObject(refusal);
    });

    test("a class with a wrong concurrency is refused", async () => {
      await using stage = await openStage();
      const registered = MistakenAccount.register(stage.callee, "account", () => new MistakenAccount(new Log()));
      await expect(registered).rejects.toMatchObject({
        code: "invalid-argument",
        message: expect.stringContaining("static concurrency of class MistakenAccount"),
      });
    });
  });
}
