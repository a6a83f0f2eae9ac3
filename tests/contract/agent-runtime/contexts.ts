import { AsyncLocalStorage } from "node:async_hooks";
import { context as otelContext, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AgentInstantiationContext, ambientContexts } from "../../../src/context/index.ts";
import { AgentId, TopicId, TypeSubscription } from "../../../src/core/index.ts";
import { openTelemetryTracing } from "../../../src/telemetry/otel/index.ts";
import { Inbox } from "../../support/inbox.ts";
import { Answer, Ask, echo, Note, Order, Probe, type Stage, type Suite } from "./world.ts";

/** What a web server keeps about the request that it works on. */
const who = new AsyncLocalStorage<string>();

const id = new AgentId("who", "k");

/** The runtimes are made and started while the first request is handled, as a lazy program does. */
function openInRequest(suite: Suite, options?: Parameters<Suite["openStage"]>[0]): Promise<Stage> {
  return who.run("boot", () => suite.openStage(options));
}

/** Whose async context handlers run in: their sender's in one process, nobody's over a link. Never that of another request. */
export function describeContexts(suite: Suite): void {
  const senderOrNone = (stage: Stage, sender: string) => (stage.caller === stage.callee ? sender : undefined);

  describe("a handler's async context", () => {
    test("is that of its call's sender or nobody's, never that of the request which started the runtime", async () => {
      await using stage = await openInRequest(suite);
      await who.run("boot", () =>
        stage.host("who", async () => {
          const before = who.getStore();
          await Promise.resolve();
          return Answer({ text: `${before} ${who.getStore()}` });
        }),
      );
      const ask = (user: string) => who.run(user, () => stage.caller.sendMessage(Ask({ text: user }), id));
      const users = ["alice", "bob", "carol"];
      const atOnce = await Promise.all(users.map(ask));
      const oneByOne = [await ask("dave"), await ask("erin")];
      for (const [at, user] of [...users, "dave", "erin"].entries()) {
        const seen = senderOrNone(stage, user);
        expect([...atOnce, ...oneByOne][at]?.text).toBe(`${seen} ${seen}`);
      }
    });

    test("is that of its event's publisher or nobody's", async () => {
      await using stage = await openInRequest(suite);
      const seen = new Inbox<[string, string | undefined]>();
      await who.run("boot", () => stage.host("who", ({ text }) => seen.put([text, who.getStore()])));
      await stage.callee.addSubscription(new TypeSubscription("t", "who"));
      await stage.callee.addSubscription(new TypeSubscription("t2", "who"));
      for (const user of ["alice", "bob"]) {
        await who.run(user, () => stage.caller.publishMessage(Note({ text: user }), new TopicId("t", "s")));
        await who.run(`${user}2`, () =>
          stage.caller.publishMessage(Note({ text: `${user}2` }), new TopicId("t2", user)),
        );
      }
      const all = await seen.takeMany(4);
      for (const [user, store] of all) expect(store).toBe(senderOrNone(stage, user));
      expect(all.map(([user]) => user).sort()).toEqual(["alice", "alice2", "bob", "bob2"]);
    });

    test("is right for a message that waits for its agent to be made, or for its turn", async () => {
      await using stage = await openInRequest(suite, { callee: { sequentialAgents: true } });
      const { promise: made, resolve: make } = withResolvers();
      await stage.callee.registerFactory("who", async () => {
        await made;
        return new Probe(async () => {
          await Promise.resolve();
          return Answer({ text: String(who.getStore()) });
        });
      });
      const users = ["alice", "bob", "carol"];
      const answers = users.map((user) => who.run(user, () => stage.caller.sendMessage(Ask({ text: user }), id)));
      who.run("maker", make);
      const texts = (await Promise.all(answers)).map(({ text }) => text);
      expect(texts).toEqual(users.map((user) => String(senderOrNone(stage, user))));
    });

    test("keeps what a handler sets with enterWith from the next one", async () => {
      await using stage = await openInRequest(suite);
      await stage.host("who", ({ text }) => {
        const before = who.getStore();
        who.enterWith(text);
        return Answer({ text: String(before) });
      });
      const texts: string[] = [];
      for (const user of ["alice", "bob", "carol"]) {
        texts.push((await stage.caller.sendMessage(Ask({ text: user }), id)).text);
      }
      expect(texts).toEqual(["undefined", "undefined", "undefined"]);
    });

    test("is the caller's in interventions on its calls, events and answers", async () => {
      const seen: string[] = [];
      const look = async (what: string, message: unknown) => {
        seen.push(`${what} ${who.getStore()}`);
        await Promise.resolve();
        return message;
      };
      await using stage = await openInRequest(suite, {
        caller: {
          interventionHandlers: [
            {
              onSend: (message) => look("call", message),
              onPublish: (message) => look("event", message),
              onResponse: (message) => look("answer", message),
            },
          ],
        },
      });
      await stage.host("who");
      await stage.listen("t", "listener");
      for (const user of ["alice", "bob"]) {
        await who.run(user, () => stage.caller.sendMessage(Ask({ text: user }), id));
        await who.run(user, () => stage.caller.publishMessage(Note({ text: user }), new TopicId("t", "s")));
        await stage.seen.take();
      }
      const of = (user: string) => [`call ${user}`, `answer ${user}`, `event ${user}`];
      expect(seen).toEqual([...of("alice"), ...of("bob")]);
    });

    test("is not that of the starting request when state is saved", async () => {
      await using stage = await openInRequest(suite);
      class Keeper extends Probe {
        override saveState() {
          return { who: String(who.getStore()) };
        }
      }
      await stage.callee.registerFactory("who", () => new Keeper(echo));
      const state = await who.run("alice", () => stage.caller.agentSaveState(id));
      expect(state).toEqual({ who: String(senderOrNone(stage, "alice")) });
    });

    test("with ambient contexts a factory is in no handler, and a handler in no factory", async () => {
      const seen = new Inbox<string>();
      const inFactory = (name: string) =>
        seen.put(`${name}: ${ambientContexts.handlerAgentId()} ${AgentInstantiationContext.isInFactoryCall()}`);
      await using stage = await suite.openStage({
        callee: { ambient: ambientContexts },
        caller: { ambient: ambientContexts },
      });
      await stage.callee.registerFactory("inner", ({ runtime }) => {
        inFactory("inner is made");
        void runtime.sendMessage(Order({ text: "from a factory" }), new AgentId("last", "k"));
        return new Probe(() => Answer({ text: "" }));
      });
      await stage.host("last", () => inFactory("last"));
      await stage.host("outer", async (_message, { signal }, probe) => {
        await probe.sendMessage(Ask({ text: "" }), new AgentId("inner", "k"), { signal });
        return Answer({ text: "" });
      });
      await stage.caller.sendMessage(Ask({ text: "" }), new AgentId("outer", "k"));
      expect(await seen.take()).toBe("inner is made: undefined true");
      expect(await seen.take()).toBe("last: last/k false");
    });
  });

  describe("the span of a handler", () => {
    beforeEach(() => otelContext.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
    afterEach(() => otelContext.disable());

    test("belongs to the trace of its message, not to the span in which the runtime was started", async () => {
      const exporter = new InMemorySpanExporter();
      const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
      const tracer = tracerProvider.getTracer("program");
      const tracing = openTelemetryTracing({ tracerProvider });
      await using stage = await tracer.startActiveSpan("boot", async (boot) => {
        const opened = await suite.openStage({ caller: { tracing }, callee: { tracing } });
        await opened.host("who", async () => {
          await Promise.resolve();
          tracer.startSpan("work").end();
          return Answer({ text: "" });
        });
        await opened.listen("t", "listener");
        boot.end();
        return opened;
      });
      const traces: string[] = [];
      for (const request of ["first", "second"]) {
        await tracer.startActiveSpan(request, async (span) => {
          traces.push(span.spanContext().traceId);
          await stage.caller.sendMessage(Ask({ text: "" }), id);
          await stage.caller.publishMessage(Note({ text: "" }), new TopicId("t", "s"));
          await stage.seen.take();
          span.end();
        });
      }
      await stage[Symbol.asyncDispose]();
      const tracesOf = (name: string) =>
        exporter.getFinishedSpans().flatMap((span) => (span.name === name ? [span.spanContext().traceId] : []));
      expect(tracesOf("autogen process who.(k)-A")).toEqual(traces);
      expect(tracesOf("work")).toEqual(traces);
      expect(tracesOf("autogen process listener.(s)-A")).toEqual(traces);
      expect(trace.getActiveSpan()).toBeUndefined();
    });
  });
}

function withResolvers(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
