import { describe, expect } from "vitest";
import { handlerTable, persistentAgent, type RegisterOptions } from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { WatchedStore } from "../../support/watched-store.ts";
import { Kept } from "./keepers.ts";
import { AskPoem, hostPoet, Line, open, Poem, poet } from "./streams.ts";
import type { Stage, Suite } from "./world.ts";

/** A persistent agent that adds 1 for each chunk. */
class Counting extends persistentAgent(Kept) {
  static override readonly handlers = handlerTable<Counting>().rpc(AskPoem, async function* ({ text }) {
    for (const word of text.split(" ")) {
      if (word === "throw") throw new Error("no more");
      this.state.total += 1;
      yield Line({ text: word });
    }
    return Poem({ text: String(this.state.total) });
  });
}

async function hostCounting(stage: Stage, options: RegisterOptions = {}): Promise<void> {
  for (const runtime of new Set([stage.caller, stage.callee])) runtime.addMessageSerializer([AskPoem, Poem, Line]);
  await Counting.register(stage.callee, "poet", () => new Counting("counts"), options);
}

export function describeStreamedTurns({ openStage, unless }: Suite): void {
  describe("streams of agents that take turns", () => {
    unless("no-streams", "a sequential agent has one stream at a time", async () => {
      await using stage = await openStage();
      const log: string[] = [];
      const gate = new Gate();
      const begun = new Gate();
      await hostPoet(
        stage,
        async function* ({ text }) {
          log.push(`begin ${text}`);
          begun.open();
          yield Line({ text });
          await gate.opened;
          log.push(`end ${text}`);
          return Poem({ text });
        },
        { concurrency: "sequential" },
      );
      const both = Promise.all(["a", "b"].map((text) => open(stage, text).whole()));
      await begun.opened;
      gate.open();
      await both;
      expect(log).toEqual(["begin a", "end a", "begin b", "end b"]);
    });

    unless("no-streams", "the end of an activation waits for its stream", async () => {
      await using stage = await openStage();
      const log = new Inbox<string>();
      const gate = new Gate();
      await hostPoet(stage, async function* ({ text }) {
        yield Line({ text });
        await gate.opened;
        log.put("handler ended");
        return Poem({ text });
      });
      const iterator = open(stage, "x")[Symbol.asyncIterator]();
      await iterator.next();
      const ended = stage.callee.deactivateAgent(poet).then(() => log.put("deactivated"));
      gate.open();
      await iterator.next();
      await ended;
      expect(await log.takeMany(2)).toEqual(["handler ended", "deactivated"]);
    });

    unless("no-streams", "a persistent agent's answer comes when its state is written, its chunks before", async () => {
      const store = new WatchedStore();
      await using stage = await openStage({ stateStore: store });
      await hostCounting(stage);
      // Where hosts share a store, the first turn of an agent begins with a commit.
      await open(stage, "first").whole();
      const mayCommit = new Gate();
      store.beforeCommit = () => mayCommit.opened;
      const stream = open(stage, "a b c");
      const iterator = stream[Symbol.asyncIterator]();
      for (const word of ["a", "b", "c"]) expect(await iterator.next()).toMatchObject({ value: { text: word } });
      mayCommit.open();
      expect(await iterator.next()).toMatchObject({ done: true, value: { text: "4" } });
      expect(await store.stored(poet)).toMatchObject({ total: 4 });
    });

    unless(
      "no-streams",
      "a persistent agent's stream that fails, or whose reader leaves, changes nothing",
      async () => {
        const store = new WatchedStore();
        await using stage = await openStage({ stateStore: store });
        await hostCounting(stage);
        await open(stage, "a").whole();
        await expect(open(stage, "b c throw").whole()).rejects.toThrow("no more");
        for await (const { text } of open(stage, Array.from({ length: 5_000 }, () => "d").join(" "))) {
          if (text === "d") break;
        }
        expect((await open(stage, "e").whole()).text).toBe("2");
        expect(await store.stored(poet)).toMatchObject({ total: 2 });
      },
    );

    unless("no-streams", "a turn that met another writer is not tried again after its first chunk", async () => {
      const store = new WatchedStore();
      await using stage = await openStage({ stateStore: store });
      await hostCounting(stage);
      await open(stage, "a").whole();
      await store.write(poet, { total: 10, log: [] });
      const texts: string[] = [];
      const reading = (async () => {
        for await (const { text } of open(stage, "b c")) texts.push(text);
      })();
      await expect(reading).rejects.toMatchObject({ code: "state-conflict" });
      expect(texts).toEqual(["b", "c"]);
      // Nothing was sent before the conflict of a caller that reads no chunks: it is tried again.
      await store.write(poet, { total: 20, log: [] });
      expect((await stage.caller.sendMessage(AskPoem({ text: "d" }), poet)).text).toBe("21");
    });
  });
}
