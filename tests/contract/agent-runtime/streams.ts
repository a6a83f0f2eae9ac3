import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  AgentId,
  ClosureAgent,
  DropMessage,
  defineMessage,
  handlerTable,
  type MessageContext,
  type MessageStreamOptions,
  RoutedAgent,
  TopicId,
  TypeSubscription,
} from "../../../src/core/index.ts";
import { Inbox } from "../../support/inbox.ts";
import { Answer, Ask, Note, type Stage, type Suite } from "./world.ts";

export const Line = defineMessage("ContractLine", z.object({ text: z.string() }));
export const Poem = defineMessage("ContractPoem", z.object({ text: z.string() }));
export const AskPoem = defineMessage("ContractAskPoem", z.object({ text: z.string() }), {
  answer: Poem,
  chunk: Line,
  whole: ({ text }) => text.split(" ").map((word) => Line({ text: word })),
});
type AskPoem = ReturnType<typeof AskPoem>;

export const poet = new AgentId("poet", "k");

type Compose = (ask: AskPoem, context: MessageContext, poet: Poet) => AsyncGenerator<unknown, unknown, undefined>;

/** Streams what its function yields. */
class Poet extends RoutedAgent {
  readonly #compose: Compose;

  static override readonly handlers = handlerTable<Poet>().rpc(AskPoem, function (ask, context) {
    // The test chooses what is yielded, also what must not be.
    return this.compose(ask, context) as AsyncGenerator<ReturnType<typeof Line>, ReturnType<typeof Poem>, undefined>;
  });

  constructor(compose: Compose) {
    super("a poet");
    this.#compose = compose;
  }

  compose(ask: AskPoem, context: MessageContext) {
    return this.#compose(ask, context, this);
  }
}

const words: Compose = async function* ({ text }) {
  for (const word of text.split(" ")) yield Line({ text: word });
  return Poem({ text });
};

/** Yields without end. `log` hears of each line that was taken, and of the end. */
export const endless = (log: Inbox<string>): Compose =>
  async function* (_ask, { signal }) {
    try {
      for (let line = 0; ; line += 1) {
        yield Line({ text: String(line) });
        log.put(`taken ${line}`);
      }
    } finally {
      log.put(`ended ${(signal.reason as { readonly code?: unknown } | undefined)?.code}`);
    }
  };

export async function hostPoet(stage: Stage, compose: Compose, options = {}): Promise<void> {
  for (const runtime of new Set([stage.caller, stage.callee])) runtime.addMessageSerializer([AskPoem, Poem, Line]);
  await Poet.register(stage.callee, "poet", () => new Poet(compose), options);
}

export const open = (stage: Stage, text: string, options?: MessageStreamOptions) =>
  stage.caller.stream(AskPoem({ text }), poet, options);

export async function read(stream: AsyncIterable<{ readonly text: string }>): Promise<string[]> {
  const texts: string[] = [];
  for await (const { text } of stream) texts.push(text);
  return texts;
}

/** Takes from the inbox until the line comes. */
export async function untilLine(log: Inbox<string>, line: string): Promise<void> {
  while ((await log.take()) !== line) {}
}

export function describeStreams({ openStage, unless }: Suite): void {
  describe("streams", () => {
    unless("no-streams", "chunks come in order, then the answer", async () => {
      await using stage = await openStage();
      await hostPoet(stage, words);
      const stream = open(stage, "the sea is wide");
      expect(await read(stream)).toEqual(["the", "sea", "is", "wide"]);
      expect(await stream.answer).toBeInstanceOf(Poem);
      expect((await stream.answer).text).toBe("the sea is wide");
    });

    unless("no-streams", "chunks have the type that the message names", async () => {
      await using stage = await openStage();
      await hostPoet(stage, words);
      for await (const line of open(stage, "a b")) expect(line).toBeInstanceOf(Line);
    });

    unless("no-streams", "more chunks than the window holds all come, in order", async () => {
      await using stage = await openStage();
      const count = 1_000;
      await hostPoet(stage, async function* () {
        for (let line = 0; line < count; line += 1) yield Line({ text: String(line) });
        return Poem({ text: "long" });
      });
      const texts = await read(open(stage, "x", { windowBytes: 1024 }));
      expect(texts).toEqual(Array.from({ length: count }, (_, line) => String(line)));
    });

    unless("no-streams", "streams of one caller beside each other each get their own chunks", async () => {
      await using stage = await openStage();
      await hostPoet(stage, words);
      const texts = Array.from({ length: 20 }, (_, at) => `${at}a ${at}b ${at}c`);
      const all = await Promise.all(texts.map((text) => read(open(stage, text, { windowBytes: 1024 }))));
      expect(all).toEqual(texts.map((text) => text.split(" ")));
    });

    unless("no-streams", "a closure that is a generator streams", async () => {
      await using stage = await openStage();
      for (const runtime of new Set([stage.caller, stage.callee])) runtime.addMessageSerializer([AskPoem, Poem, Line]);
      await ClosureAgent.registerClosure(
        stage.callee,
        "poet",
        async function* (_agent, { text }, { isStreamed }) {
          yield Line({ text: `${isStreamed}` });
          return Poem({ text });
        },
        { types: AskPoem },
      );
      const stream = open(stage, "x");
      expect(await read(stream)).toEqual(["true"]);
      expect((await stream.answer).text).toBe("x");
    });

    unless("no-streams", "an agent passes on what another one streams, and has its answer", async () => {
      await using stage = await openStage();
      await hostPoet(stage, words);
      const editor = new AgentId("editor", "k");
      class Editor extends RoutedAgent {
        static override readonly handlers = handlerTable<Editor>().rpc(AskPoem, async function* (ask, { signal }) {
          const poem = yield* this.stream(ask, poet, { signal });
          return Poem({ text: `${poem.text}!` });
        });
      }
      await Editor.register(stage.caller, "editor", () => new Editor("adds to a poem"));
      const stream = stage.caller.stream(AskPoem({ text: "a b" }), editor);
      expect(await read(stream)).toEqual(["a", "b"]);
      expect((await stream.answer).text).toBe("a b!");
    });

    test("a caller that reads no chunks gets the answer of a generator alone", async () => {
      await using stage = await openStage();
      const log = new Inbox<string>();
      await hostPoet(stage, async function* ({ text }, { isStreamed }) {
        log.put(`${isStreamed}`);
        for (let line = 0; line < 1_000; line += 1) yield Line({ text: "x".repeat(1_000) });
        return Poem({ text });
      });
      expect((await stage.caller.sendMessage(AskPoem({ text: "whole" }), poet)).text).toBe("whole");
      expect(await log.take()).toBe("false");
    });

    test("an event's handler that is a generator runs to its end", async () => {
      await using stage = await openStage();
      const log = new Inbox<string>();
      await stage.host("listener", async function* () {
        yield Note({ text: "thrown away" });
        log.put("ended");
      });
      await stage.callee.addSubscription(new TypeSubscription("notes", "listener"));
      await stage.caller.publishMessage(Note({ text: "x" }), new TopicId("notes", "k"));
      expect(await log.take()).toBe("ended");
    });

    unless("no-streams", "a handler that is no generator answers a stream without a chunk", async () => {
      await using stage = await openStage();
      await stage.host("echo");
      const stream = stage.caller.stream(Ask({ text: "hi" }), new AgentId("echo", "k"));
      for await (const _chunk of stream) expect.unreachable();
      expect((await stream.answer).text).toBe("hi from echo/k");
    });

    unless(
      "no-streams",
      "an answer that came in one piece is shown as the chunks that its message makes of it",
      async () => {
        await using stage = await openStage();
        for (const runtime of new Set([stage.caller, stage.callee]))
          runtime.addMessageSerializer([AskPoem, Poem, Line]);
        await stage.host("poet", ({ text }) => Poem({ text }));
        const stream = open(stage, "a b");
        expect(await read(stream)).toEqual(["a", "b"]);
        expect((await stream.answer).text).toBe("a b");
      },
    );

    unless("no-streams", "a reader that reads nothing makes the handler wait at its window", async () => {
      await using stage = await openStage();
      const log = new Inbox<string>();
      await hostPoet(stage, endless(log));
      const ask = () => stage.caller.sendMessage(Ask({ text: "x" }), new AgentId("echo", "k"));
      await stage.host("echo");
      // In some worlds the host is replaced at the first call.
      await ask();
      const stream = open(stage, "x", { windowBytes: 4096 });
      const iterator = stream[Symbol.asyncIterator]();
      // A chunk counts 64 bytes at least, so that 64 fill the window. Calls beside it pass.
      for (let at = 0; at < 200; at += 1) await ask();
      expect(log.rest.length).toBeLessThanOrEqual(64);
      const first = [await iterator.next(), await iterator.next()];
      expect(first.map(({ value }) => (value as { text: string }).text)).toEqual(["0", "1"]);
      await iterator.return?.();
      await untilLine(log, "ended cancelled");
    });

    unless("no-streams", "whole() reads all chunks and resolves to the answer", async () => {
      await using stage = await openStage();
      await hostPoet(stage, async function* ({ text }) {
        for (let line = 0; line < 500; line += 1) yield Line({ text: String(line) });
        return Poem({ text });
      });
      expect((await open(stage, "all of it", { windowBytes: 1024 }).whole()).text).toBe("all of it");
    });

    unless(
      "no-streams",
      "a stream is sent when it is opened, and its chunks may be read behind its answer",
      async () => {
        await using stage = await openStage();
        const log = new Inbox<string>();
        await hostPoet(stage, async function* (ask, context, agent) {
          log.put("begun");
          return yield* words(ask, context, agent);
        });
        const stream = open(stage, "a b");
        expect(await log.take()).toBe("begun");
        expect((await stream.answer).text).toBe("a b");
        expect(await read(stream)).toEqual(["a", "b"]);
      },
    );

    unless("no-streams", "a stream has one reader", async () => {
      await using stage = await openStage();
      await hostPoet(stage, words);
      const stream = open(stage, "a");
      await read(stream);
      expect(() => stream[Symbol.asyncIterator]()).toThrow(expect.objectContaining({ code: "wrong-state" }));
    });

    unless(
      "no-streams",
      "a chunk of another type than the message names ends the stream, and the handler",
      async () => {
        await using stage = await openStage();
        const log = new Inbox<string>();
        await hostPoet(stage, async function* ({ text }) {
          try {
            yield Line({ text: "right" });
            yield Answer({ text: "wrong" });
            log.put("went on");
          } finally {
            log.put("ended");
          }
          return Poem({ text });
        });
        const stream = open(stage, "x");
        await expect(read(stream)).rejects.toThrow("its chunks must be ContractLine");
        expect(await log.take()).toBe("ended");
      },
    );

    unless("no-streams", "a chunk of no message type ends the stream", async () => {
      await using stage = await openStage();
      for (const runtime of new Set([stage.caller, stage.callee])) runtime.addMessageSerializer([AskPoem, Poem, Line]);
      await stage.host("poet", async function* () {
        yield "a text";
      });
      await expect(read(open(stage, "x"))).rejects.toMatchObject({ code: "invalid-message" });
    });

    unless("no-streams", "a generator whose answer is of another type ends the stream with that error", async () => {
      await using stage = await openStage();
      await hostPoet(stage, async function* () {
        yield Line({ text: "one" });
        return Line({ text: "no poem" });
      });
      await expect(read(open(stage, "x"))).rejects.toMatchObject({ code: "unexpected-answer" });
    });

    unless("no-streams", "interventions see each chunk when it is read", async () => {
      const onChunk = (chunk: unknown, { sender }: { readonly sender: AgentId }) => {
        const { text } = chunk as { readonly text: string };
        if (text === "secret") return DropMessage;
        if (text === "bad") throw new RangeError("a bad word");
        return Line({ text: `${sender.type}:${text}` });
      };
      await using stage = await openStage({ caller: { interventionHandlers: [{ onChunk }] } });
      await hostPoet(stage, words);
      expect(await read(open(stage, "a secret b"))).toEqual(["poet:a", "poet:b"]);
      await expect(read(open(stage, "a bad b"))).rejects.toThrow("a bad word");
    });

    unless("no-streams", "an intervention must not return a promise for a chunk", async () => {
      const onChunk = async (chunk: unknown) => chunk;
      await using stage = await openStage({ caller: { interventionHandlers: [{ onChunk }] } });
      await hostPoet(stage, words);
      await expect(read(open(stage, "a"))).rejects.toMatchObject({ code: "wrong-state" });
    });

    unless("no-streams", "an interceptor sees a stream as one call, until its answer", async () => {
      const log: string[] = [];
      const interceptor = async (_delivery: unknown, next: () => Promise<unknown>) => {
        log.push("begins");
        const answer = await next();
        log.push("ends");
        return answer;
      };
      await using stage = await openStage({ callee: { interceptors: [interceptor] } });
      await hostPoet(stage, async function* ({ text }) {
        yield Line({ text });
        log.push("handler goes on");
        return Poem({ text });
      });
      await open(stage, "x").whole();
      expect(log).toEqual(["begins", "handler goes on", "ends"]);
    });
  });
}
