import { describe, expect, test } from "vitest";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { AskPoem, endless, hostPoet, Line, Poem, poet } from "./streams.ts";
import type { Suite } from "./world.ts";

export function describeRuns({ openStage }: Suite): void {
  describe("runs", () => {
    test("an early and a late reader of a run read the same chunks at the same offsets, and the answer", async () => {
      await using stage = await openStage();
      const gate = new Gate();
      const hasYielded = new Gate();
      await hostPoet(stage, async function* () {
        yield Line({ text: "a" });
        yield Line({ text: "b" });
        hasYielded.open();
        await gate.opened;
        yield Line({ text: "c" });
        return Poem({ text: "a b c" });
      });
      const run = await stage.caller.startRun(AskPoem({ text: "x" }), poet, { id: "poem-1" });
      const early = readAll(run.read());
      await hasYielded.opened;
      gate.open();
      const answer = await run.answer();
      const late = readAll(stage.caller.attachRun(poet, "poem-1", { message: AskPoem }).read());
      const all = { chunks: ["0 a", "1 b", "2 c"], answer: "a b c" };
      expect(answer.text).toBe("a b c");
      expect(await early).toEqual(all);
      expect(await late).toEqual(all);
      expect(await readAll(run.read({ from: 2 }))).toEqual({ chunks: ["2 c"], answer: "a b c" });
    });

    test("a run that is started twice under one id with an equal message runs once", async () => {
      await using stage = await openStage();
      let begun = 0;
      await hostPoet(stage, async function* ({ text }) {
        begun += 1;
        yield Line({ text });
        return Poem({ text });
      });
      const first = await stage.caller.startRun(AskPoem({ text: "x" }), poet, { id: "r" });
      const second = await stage.caller.startRun(AskPoem({ text: "x" }), poet, { id: "r" });
      expect([(await first.answer()).text, (await second.answer()).text, begun]).toEqual(["x", "x", 1]);
      await expect(stage.caller.startRun(AskPoem({ text: "y" }), poet, { id: "r" })).rejects.toMatchObject({
        code: "already-exists",
      });
    });

    test("a reader that leaves does not end a run, and cancel does", async () => {
      await using stage = await openStage();
      const ended = new Inbox<string>();
      const { promise: aborted, resolve } = withResolvers<void>();
      await hostPoet(stage, async function* (_ask, { signal }) {
        signal.addEventListener("abort", () => resolve());
        try {
          yield Line({ text: "0" });
          await aborted;
          yield Line({ text: "1" });
        } finally {
          ended.put(String((signal.reason as { readonly code?: unknown }).code));
        }
        return Poem({ text: "" });
      });
      const run = await stage.caller.startRun(AskPoem({ text: "x" }), poet, { id: "r" });
      for await (const _line of run) break;
      expect((await run.status()).status).toBe("working");
      const { status, error } = await run.cancel("enough");
      expect([status, error?.code]).toEqual(["cancelled", "cancelled"]);
      expect(await ended.take()).toBe("cancelled");
      await expect(run.answer()).rejects.toMatchObject({ code: "cancelled" });
    });

    test("a reader that leaves while it waits for a chunk ends at once", async () => {
      await using stage = await openStage();
      const gate = new Gate();
      await hostPoet(stage, async function* ({ text }) {
        yield Line({ text });
        await gate.opened;
        return Poem({ text });
      });
      const run = await stage.caller.startRun(AskPoem({ text: "x" }), poet, { id: "r" });
      for (const chunks of [run, run.read()]) {
        const reader = chunks[Symbol.asyncIterator]();
        expect((await reader.next()).done).toBe(false);
        const waiting = reader.next();
        await reader.return?.();
        expect([await waiting, await reader.next()]).toEqual(Array(2).fill({ done: true, value: undefined }));
      }
      gate.open();
      expect(await readAll(run.read())).toEqual({ chunks: ["0 x"], answer: "x" });
    });

    test("a run that has failed gives its readers the chunks, then the error of its handler", async () => {
      await using stage = await openStage();
      await hostPoet(stage, async function* ({ text }) {
        yield Line({ text });
        throw new Error("no more");
      });
      const run = await stage.caller.startRun(AskPoem({ text: "x" }), poet);
      const seen: string[] = [];
      const reading = (async () => {
        for await (const { text } of run) seen.push(text);
      })();
      await expect(reading).rejects.toMatchObject({ code: "handler-failed", message: "no more" });
      expect(seen).toEqual(["x"]);
    });

    test("a run beyond its bytes drops its oldest chunks, and a reader behind them is told the first that is kept", async () => {
      await using stage = await openStage({ callee: { runs: { maxBytesPerRun: 4_096 } } });
      await hostPoet(stage, async function* ({ text }) {
        for (let line = 0; line < 40; line += 1) yield Line({ text: `${line} ${"x".repeat(100)}` });
        return Poem({ text });
      });
      const run = await stage.caller.startRun(AskPoem({ text: "x" }), poet);
      await run.answer();
      const { first, next } = await run.status();
      expect(next).toBe(40);
      expect(first).toBeGreaterThan(0);
      const { chunks } = await readAll(run.read());
      expect(chunks.length).toBe(next - first);
      await expect(readAll(run.read({ from: 0 }))).rejects.toMatchObject({
        code: "gone",
        message: expect.stringContaining(`Read from ${first} on.`),
      });
    });

    test("one caller can have half of the runs that may run, and another one still starts some", async () => {
      await using stage = await openStage({ callee: { runs: { maxRunning: 4 } } });
      await hostPoet(stage, endless(new Inbox<string>()));
      const start = (id: string, owner: string) => stage.caller.startRun(AskPoem({ text: "x" }), poet, { id, owner });
      const runs = [await start("1", "a"), await start("2", "a")];
      await expect(start("3", "a")).rejects.toMatchObject({ code: "overloaded" });
      runs.push(await start("4", "b"));
      const { runs: listed } = await stage.caller.listRuns(poet, { owner: "a", status: "working" });
      expect(listed.map(({ id }) => id)).toEqual(["1", "2"]);
      for (const run of runs) await run.cancel();
    });

    test("a run with an owner is found only by callers that give this owner", async () => {
      await using stage = await openStage();
      await hostPoet(stage, async function* ({ text }) {
        yield Line({ text });
        return Poem({ text });
      });
      const run = await stage.caller.startRun(AskPoem({ text: "x" }), poet, { id: "r", owner: "ada" });
      expect((await run.answer()).text).toBe("x");
      for (const owner of [undefined, "", "bob"]) {
        const other = stage.caller.attachRun(poet, "r", { owner });
        for (const asked of [other.status(), other.answer(), other.cancel(), readAll(other.read())]) {
          await expect(asked).rejects.toMatchObject({ code: "not-found" });
        }
        expect((await stage.caller.listRuns(poet, { owner })).runs).toEqual([]);
      }
      const own = stage.caller.attachRun(poet, "r", { owner: "ada", message: AskPoem });
      expect((await own.answer()).text).toBe("x");
      expect((await stage.caller.listRuns(poet, { owner: "ada" })).runs.map(({ id }) => id)).toEqual(["r"]);
    });

    test("a run that no one has started is not found", async () => {
      await using stage = await openStage();
      await hostPoet(stage, async function* ({ text }) {
        yield Line({ text });
        return Poem({ text });
      });
      const run = stage.caller.attachRun(poet, "none");
      const asks = [() => run.status(), () => run.answer(), () => run.cancel(), () => readAll(run.read())];
      for (const ask of asks) {
        await expect(ask()).rejects.toMatchObject({ code: "not-found" });
      }
    });

    test("interventions see the message of a run and its answer, and not what carries them", async () => {
      const seen: string[] = [];
      const nameOf = (message: unknown) => {
        if (Poem.is(message)) return "poem";
        return AskPoem.is(message) ? "ask" : "other";
      };
      const watch = (kind: string) => (message: unknown) => {
        seen.push(`${kind} ${nameOf(message)}`);
        return message;
      };
      const interventionHandlers = [{ onSend: watch("send"), onResponse: watch("answer") }];
      await using stage = await openStage({ caller: { interventionHandlers } });
      await hostPoet(stage, async function* ({ text }) {
        yield Line({ text });
        return Poem({ text });
      });
      const run = await stage.caller.startRun(AskPoem({ text: "x" }), poet);
      await run.answer();
      expect(seen).toEqual(["send ask", "answer poem"]);
    });
  });
}

async function readAll(
  chunks: AsyncIterable<{ readonly offset: number; readonly chunk: unknown }, unknown>,
): Promise<{ readonly chunks: readonly string[]; readonly answer: string }> {
  const iterator = chunks[Symbol.asyncIterator]();
  const seen: string[] = [];
  for (;;) {
    const step = await iterator.next();
    if (step.done === true) return { chunks: seen, answer: textOf(step.value) };
    seen.push(`${step.value.offset} ${textOf(step.value.chunk)}`);
  }
}

function textOf(message: unknown): string {
  return Line.is(message) || Poem.is(message) ? message.text : "?";
}

function withResolvers<T>() {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
