import { describe, expect, test } from "vitest";
import { z } from "zod";
import { AgentId, defineMessage, type MessageContext } from "../../../src/core/index.ts";
import type { WorkerRuntime } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { jsonOf, jsonPayload, next, requestFrame, responseFrame } from "../../support/worker/frames.ts";
import { FunctionAgent, type OnMessage } from "../../support/worker/function-agent.ts";
import { openStage, turns } from "../../support/worker/stage.ts";
import { startRig, type Transport } from "../../support/worker/worker-rig.ts";

const Line = defineMessage("Line", z.object({ text: z.string() }));
const Poem = defineMessage("Poem", z.object({ text: z.string() }));
const AskPoem = defineMessage("AskPoem", z.object({ text: z.string() }), { answer: Poem, chunk: Line });
const poet = new AgentId("poet", "k");
const line = (text: string) => Line({ text });

async function serve(worker: WorkerRuntime, onMessage: OnMessage): Promise<void> {
  worker.addMessageSerializer([AskPoem, Poem, Line]);
  await worker.registerFactory("poet", () => new FunctionAgent(onMessage));
}

/** Yields lines without end, and tells how it ended. */
const endless = (ended: Inbox<unknown>) =>
  async function* (_message: unknown, { signal }: MessageContext) {
    try {
      for (;;) yield line("x".repeat(100));
    } finally {
      ended.put((signal.reason as { readonly code?: unknown }).code);
    }
  };

/** Reads to the end. Returns the texts, and the code of the error. */
async function readAll(stream: AsyncIterable<{ readonly text: string }>) {
  const texts: string[] = [];
  try {
    for await (const { text } of stream) texts.push(text);
  } catch (error) {
    return { texts, code: (error as { readonly code?: unknown }).code };
  }
  return { texts, code: undefined };
}

describe.each<Transport>(["memory", "gRPC"])("streams between workers, over %s", (transport) => {
  test("a handler that holds the only slot hears that its reader has read, past the calls that wait for the slot", async () => {
    await using rig = await startRig(transport);
    const target = await rig.worker({ maxConcurrentHandlers: 1, maxParkedMessages: 20 });
    const begun = new Gate();
    const count = 2_000;
    await serve(target, async function* ({ text }: { readonly text: string }) {
      if (text !== "long") return Poem({ text });
      begun.open();
      for (let at = 0; at < count; at += 1) yield line(`${at}`);
      return Poem({ text });
    } as OnMessage);
    const caller = await rig.worker();
    const iterator = caller.stream(AskPoem({ text: "long" }), poet, { windowBytes: 1024 })[Symbol.asyncIterator]();
    await begun.opened;
    const parked = Array.from({ length: 60 }, (_, at) => caller.sendMessage(AskPoem({ text: `${at}` }), poet));
    while (target.handlers.parked < 10) await turns(1);
    let read = 0;
    while ((await iterator.next()).done !== true) read += 1;
    expect(read).toBe(count);
    expect(await Promise.all(parked)).toHaveLength(60);
  });

  test("a reader whose target stops without time to drain has the chunks so far, then shutting-down", async () => {
    await using rig = await startRig(transport);
    const target = await rig.worker({ drainTimeoutMs: 0 });
    await serve(target, async function* () {
      yield line("one");
      await new Promise(() => undefined);
    });
    const caller = await rig.worker();
    const stream = caller.stream(AskPoem({ text: "x" }), poet);
    const iterator = stream[Symbol.asyncIterator]();
    expect(await iterator.next()).toMatchObject({ value: { text: "one" } });
    const last = iterator.next();
    last.catch(() => undefined);
    await target.stop();
    await expect(last).rejects.toMatchObject({ code: "shutting-down" });
  });

  test("a handler whose reader's worker is gone ends as caller-gone", async () => {
    await using rig = await startRig(transport);
    const ended = new Inbox<unknown>();
    await serve(await rig.worker(), endless(ended));
    const caller = await rig.worker();
    const stream = caller.stream(AskPoem({ text: "x" }), poet);
    await stream[Symbol.asyncIterator]().next();
    await caller.stop();
    expect(await ended.take()).toBe("caller-gone");
    await expect(stream.answer).rejects.toMatchObject({ code: "shutting-down" });
  });

  test("a stream ends with its host, on both sides", async () => {
    await using rig = await startRig(transport);
    const ended = new Inbox<unknown>();
    await serve(await rig.worker(), endless(ended));
    const caller = await rig.worker();
    const stream = caller.stream(AskPoem({ text: "x" }), poet);
    const all = readAll(stream);
    await turns();
    await rig.host.stop({ graceMs: 0 });
    expect((await all).code).toMatch(/^(disconnected|shutting-down)$/);
    expect(await ended.take()).toMatch(/^(caller-gone|cancelled|shutting-down)$/);
  });

  test("a stopping worker lets its stream end", async () => {
    await using rig = await startRig(transport);
    const target = await rig.worker();
    const goOn = new Gate();
    await serve(target, async function* () {
      yield line("one");
      await goOn.opened;
      yield line("two");
      return Poem({ text: "done" });
    });
    const caller = await rig.worker();
    const stream = caller.stream(AskPoem({ text: "x" }), poet);
    const iterator = stream[Symbol.asyncIterator]();
    await iterator.next();
    const stopped = target.stop();
    goOn.open();
    expect(await iterator.next()).toMatchObject({ value: { text: "two" } });
    expect(await iterator.next()).toMatchObject({ done: true, value: { text: "done" } });
    await stopped;
  });
});

describe("a worker at a host that passes no chunks on", () => {
  test.each([true, false])("asks for none, and has the answer (of Troupe: %s)", async (isTroupe) => {
    await using stage = await openStage();
    const { host, worker } = stage;
    Object.assign(host, { isTroupe, capabilities: ["turns"] });
    await worker.start();
    const channel = await host.channels.take();
    worker.addMessageSerializer([AskPoem, Poem, Line]);
    const stream = worker.stream(AskPoem({ text: "x" }), poet);
    const { requestId, metadata } = await next(channel, "request");
    expect(metadata).toEqual({});
    channel.send(responseFrame(requestId, { payload: jsonPayload("Poem", { text: "whole" }) }));
    expect(await readAll(stream)).toEqual({ texts: [], code: undefined });
    expect((await stream.answer).text).toBe("whole");
  });

  test("answers a call that asks for chunks in one piece", async () => {
    await using stage = await openStage();
    const { host, worker } = stage;
    Object.assign(host, { isTroupe: true, capabilities: ["turns"] });
    await worker.start();
    const channel = await host.channels.take();
    await serve(worker, async function* (_message, { isStreamed }) {
      yield line("thrown away");
      return Poem({ text: `${isStreamed}` });
    });
    const payload = jsonPayload("AskPoem", { text: "x" });
    channel.send(requestFrame("poet/k", { payload, metadata: { agstream: "1024" } }));
    const answer = await next(channel, "response");
    expect(jsonOf(answer.payload)).toEqual({ text: "false" });
  });
});

describe("a handler whose reader grants without end", () => {
  test("is never more than 1 MiB and a chunk ahead of the last grant", async () => {
    await using stage = await openStage();
    const { host, worker } = stage;
    Object.assign(host, { isTroupe: true, capabilities: ["turns", "streams"] });
    await worker.start();
    const channel = await host.channels.take();
    let made = 0;
    await serve(worker, async function* () {
      for (; made < 200; made += 1) yield line("x".repeat(64 * 1024));
      return Poem({ text: "done" });
    });
    const payload = jsonPayload("AskPoem", { text: "x" });
    channel.send(requestFrame("poet/k", { payload, metadata: { agstream: "1024" } }));
    const { requestId } = await next(channel, "chunk");
    channel.send({ kind: "credit", requestId, bytes: Number.MAX_SAFE_INTEGER });
    for (let count = 0; count < 16; count += 1) await next(channel, "chunk");
    await turns();
    expect(made).toBeLessThan(20);
  });
});

describe("an answer of which chunks are lost", () => {
  test("ends its loop as disconnected, and is the answer all the same", async () => {
    await using stage = await openStage();
    const { host, worker } = stage;
    Object.assign(host, { isTroupe: true, capabilities: ["turns", "streams"] });
    await worker.start();
    const channel = await host.channels.take();
    worker.addMessageSerializer([AskPoem, Poem, Line]);
    const stream = worker.stream(AskPoem({ text: "x" }), poet);
    const { requestId } = await next(channel, "request");
    const data = new TextEncoder().encode(JSON.stringify({ text: "one" }));
    channel.send({ kind: "chunk", requestId, offset: 0, typeName: "Line", contentType: "application/json", data });
    const payload = jsonPayload("Poem", { text: "whole" });
    channel.send(responseFrame(requestId, { payload, metadata: { agchunks: "3" } }));
    expect(await readAll(stream)).toEqual({ texts: ["one"], code: "disconnected" });
    expect((await stream.answer).text).toBe("whole");
  });
});

describe("a chunk that is too large for the reader's worker", () => {
  test("ends its stream with an error that says so, and the call at its host", async () => {
    await using stage = await openStage({}, { maxReceiveMessageBytes: 10_000 });
    const { host, worker } = stage;
    Object.assign(host, { isTroupe: true, capabilities: ["turns", "streams"] });
    await worker.start();
    const channel = await host.channels.take();
    worker.addMessageSerializer([AskPoem, Poem, Line]);
    const reading = readAll(worker.stream(AskPoem({ text: "x" }), poet));
    const { requestId } = await next(channel, "request");
    const types = { typeName: "Line", contentType: "application/json" };
    channel.send({ kind: "chunk", requestId, offset: 0, ...types, data: new Uint8Array(20_000) });
    expect(await next(channel, "cancel")).toMatchObject({ requestId });
    expect(await reading).toEqual({ texts: [], code: "message-too-large" });
  });
});
