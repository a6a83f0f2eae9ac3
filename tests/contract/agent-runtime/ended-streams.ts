import { describe, expect } from "vitest";
import { AgentId } from "../../../src/core/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { endless, hostPoet, Line, open, Poem, read, untilLine } from "./streams.ts";
import { Ask, type Suite } from "./world.ts";

export function describeEndedStreams({ openStage, unless }: Suite): void {
  describe("the end of a stream", () => {
    unless("no-streams", "leaving the loop ends the handler, whose finally runs", async () => {
      await using stage = await openStage();
      const log = new Inbox<string>();
      await hostPoet(stage, endless(log));
      const stream = open(stage, "x");
      for await (const { text } of stream) if (text === "3") break;
      await untilLine(log, "ended cancelled");
      await expect(stream.answer).rejects.toMatchObject({ code: "cancelled" });
    });

    unless("no-streams", "a handler that waits for its reader ends when the reader cancels", async () => {
      await using stage = await openStage();
      const log = new Inbox<string>();
      const stalled = new Gate();
      await hostPoet(stage, async function* (ask, context, agent) {
        // The window of the reader is full with this chunk.
        setImmediate(() => stalled.open());
        yield* endless(log)(ask, context, agent);
        return Poem({ text: "" });
      });
      const stream = open(stage, "x", { windowBytes: 1024 });
      await stalled.opened;
      stream.cancel();
      await untilLine(log, "ended cancelled");
      await expect(read(stream)).rejects.toMatchObject({ code: "cancelled" });
    });

    unless("no-streams", "a signal ends the stream of both sides", async () => {
      await using stage = await openStage();
      const log = new Inbox<string>();
      await hostPoet(stage, endless(log));
      const controller = new AbortController();
      const texts: string[] = [];
      const reading = (async () => {
        for await (const { text } of open(stage, "x", { signal: controller.signal })) {
          texts.push(text);
          if (text === "2") controller.abort(new Error("enough"));
        }
      })();
      await expect(reading).rejects.toMatchObject({ code: "cancelled", cause: { message: "enough" } });
      expect(texts).toEqual(["0", "1", "2"]);
      await untilLine(log, "ended cancelled");
    });

    unless("no-streams", "disposing of a stream ends its handler", async () => {
      await using stage = await openStage();
      const log = new Inbox<string>();
      await hostPoet(stage, endless(log));
      {
        await using stream = open(stage, "x");
        await stream[Symbol.asyncIterator]().next();
      }
      await untilLine(log, "ended cancelled");
    });

    unless("no-streams", "a handler that yields in its finally is run to its end", async () => {
      await using stage = await openStage();
      const log = new Inbox<string>();
      await hostPoet(stage, async function* () {
        try {
          for (;;) yield Line({ text: "x" });
        } finally {
          yield Line({ text: "thrown away" });
          log.put("released");
        }
        return Poem({ text: "" });
      });
      for await (const _line of open(stage, "x")) break;
      expect(await log.take()).toBe("released");
    });

    unless("no-streams", "a stream that is cancelled twice, or before its first chunk, ends once", async () => {
      await using stage = await openStage();
      const log = new Inbox<string>();
      await hostPoet(stage, endless(log));
      const early = open(stage, "x");
      early.cancel(new Error("no need"));
      early.cancel(new Error("again"));
      await expect(early.answer).rejects.toMatchObject({ code: "cancelled", cause: { message: "no need" } });
      await expect(early.whole()).rejects.toMatchObject({ code: "cancelled" });
      const signal = AbortSignal.abort(new Error("too late"));
      await expect(read(open(stage, "x", { signal }))).rejects.toMatchObject({ code: "cancelled" });
    });

    unless("no-streams", "a stream that is disposed of in its loop ends the loop", async () => {
      await using stage = await openStage();
      const log = new Inbox<string>();
      await hostPoet(stage, endless(log));
      const stream = open(stage, "x");
      let read = 0;
      for await (const _line of stream) {
        read += 1;
        await stream[Symbol.asyncDispose]();
        await stream[Symbol.asyncDispose]();
      }
      expect(read).toBe(1);
      await untilLine(log, "ended cancelled");
    });

    unless("no-streams", "a handler that throws in its finally ends, and its agent goes on", async () => {
      await using stage = await openStage();
      const log = new Inbox<string>();
      const release = (text: string): void => {
        log.put("ended");
        if (text === "long") throw new Error("can't clean up");
      };
      await hostPoet(stage, async function* ({ text }) {
        try {
          while (text === "long") yield Line({ text });
        } finally {
          release(text);
        }
        return Poem({ text });
      });
      for await (const _line of open(stage, "long")) break;
      await log.take();
      expect((await open(stage, "short").whole()).text).toBe("short");
    });

    unless("no-streams", "a handler that throws ends the stream with its error, behind its chunks", async () => {
      await using stage = await openStage();
      await hostPoet(stage, async function* () {
        yield Line({ text: "one" });
        yield Line({ text: "two" });
        throw new RangeError("no rhyme");
      });
      const stream = open(stage, "x");
      const texts: string[] = [];
      const reading = (async () => {
        for await (const { text } of stream) texts.push(text);
      })();
      await expect(reading).rejects.toThrow("no rhyme");
      expect(texts).toEqual(["one", "two"]);
      await expect(stream.answer).rejects.toThrow("no rhyme");
    });

    unless("no-streams", "a stream for a type that lives nowhere is undeliverable", async () => {
      await using stage = await openStage();
      await expect(read(open(stage, "x"))).rejects.toMatchObject({ code: "undeliverable" });
    });

    unless(
      "no-streams",
      "a stream in which nothing moves for idleTimeoutMs ends, and one that moves does not",
      async () => {
        const clock = new ManualClock();
        await using stage = await openStage({ caller: { clock }, callee: { clock } });
        const log = new Inbox<string>();
        const next = [new Gate(), new Gate()];
        await hostPoet(stage, async function* (_ask, { signal }) {
          yield Line({ text: "one" });
          await next[0]?.opened;
          yield Line({ text: "two" });
          signal.addEventListener("abort", () => log.put(signal.reason.code));
          await next[1]?.opened;
          return Poem({ text: "never" });
        });
        const iterator = open(stage, "x", { idleTimeoutMs: 1_000 })[Symbol.asyncIterator]();
        await iterator.next();
        await clock.advance(900);
        next[0]?.open();
        await iterator.next();
        await clock.advance(900);
        const last = iterator.next();
        last.catch(() => undefined);
        await clock.advance(100);
        await expect(last).rejects.toMatchObject({ code: "timed-out", message: expect.stringContaining("No chunk") });
        expect(await log.take()).toBe("timed-out");
        next[1]?.open();
      },
    );

    unless("no-streams", "a stream that is not read ends by its time limit, which says so", async () => {
      const clock = new ManualClock();
      await using stage = await openStage({ caller: { clock }, callee: { clock } });
      const log = new Inbox<string>();
      await hostPoet(stage, endless(log));
      const stream = open(stage, "x", { timeoutMs: 1_000, windowBytes: 1024 });
      await log.take();
      await stage.host("echo");
      for (let at = 0; at < 20; at += 1) {
        await stage.caller.sendMessage(Ask({ text: "x" }), new AgentId("echo", "k"));
      }
      await clock.advance(1_000);
      await expect(stream.answer).rejects.toMatchObject({
        code: "timed-out",
        message: expect.stringMatching(/read them in a loop, or call whole/),
      });
      await untilLine(log, "ended timed-out");
    });
  });
}
