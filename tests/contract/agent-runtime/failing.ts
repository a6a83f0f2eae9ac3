import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import {
  AgentId,
  CantHandleException,
  DropMessage,
  HandlerError,
  type InterventionHandler,
  type MessageLogRecord,
  TopicId,
  TroupeError,
  TypeSubscription,
} from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { SpanRecorder } from "../../support/span-recorder.ts";
import {
  Answer,
  Ask,
  brief,
  type Handle,
  Note,
  Order,
  Probe,
  type Stage,
  type Suite,
  type WorldOptions,
} from "./world.ts";

const id = new AgentId("writer", "k");
const news = new TopicId("news", "k");

/** A stage on which everything that observers are told is kept. */
interface Observed {
  readonly stage: Stage;
  /** Waits for so many records of the message log, ends the runtimes, and returns all that was told. */
  end(records: number): Promise<{ readonly records: string[]; readonly spans: string[]; readonly errors: unknown[] }>;
}

async function observe({ openStage }: Suite, options: WorldOptions = {}): Promise<Observed> {
  const told = new Inbox<string>();
  const all: string[] = [];
  const emit = (event: MessageLogRecord) => {
    all.push(brief(event));
    told.put(brief(event));
  };
  const tracing = new SpanRecorder();
  const observing = { messageLog: { withPayloads: false, emit }, tracing };
  const stage = await openStage({
    caller: { ...observing, ...options.caller },
    callee: { ...observing, ...options.callee },
  });
  return {
    stage,
    end: async (records) => {
      await told.takeMany(records);
      await stage.world.close();
      const errors = stage.logger.lines.filter(({ level }) => level === "error");
      return { records: all, spans: tracing.spans.sort(), errors };
    },
  };
}

/** What a call ended with. */
function outcome(call: Promise<unknown>): Promise<unknown> {
  return call.catch((error: unknown) => error);
}

const called = ["DIRECT/SEND null -> writer/k", "DIRECT/DELIVER null -> writer/k"];
const published = ["PUBLISH/SEND null -> news/k", "PUBLISH/DELIVER null -> null"];
const failedCall = ["ack failed", "create failed", "process failed", "send ok"];

function throwing(error: unknown): Handle {
  return () => {
    throw error;
  };
}

/** The one line about a failed handler. */
function lineAbout(messageType: string, text: unknown, error: unknown) {
  return { level: "error", text, fields: { agent: "writer/k", messageType, error } };
}

export function describeFailing(suite: Suite): void {
  const { unless } = suite;

  describe("a call whose handler throws", () => {
    test.each(["at once", "later"])(
      "has the same records and spans everywhere, and one line in the log (%s)",
      async (when) => {
        const { stage, end } = await observe(suite);
        await using _ = stage;
        const thrown = new RangeError("boom", { cause: new Error("deep down") });
        await stage.host("writer", when === "at once" ? throwing(thrown) : () => Promise.reject(thrown));
        expect(await outcome(stage.caller.sendMessage(Ask({ text: "x" }), id))).toBeInstanceOf(Error);
        const { records, spans, errors } = await end(3);
        expect(records).toEqual([...called, "writer/k threw boom"]);
        expect(spans).toEqual(failedCall);
        expect(errors).toEqual([lineAbout("ContractAsk", "writer/k failed on a call (ContractAsk): boom", thrown)]);
      },
    );

    unless("one-runtime", "tells its caller which agent failed, and what was thrown", async () => {
      await using stage = await suite.openStage();
      const cause = Object.assign(new TypeError("no route"), { code: "EHOSTUNREACH" });
      const thrown = Object.assign(new RangeError("boom", { cause }), { status: 429, request: { secret: "s" } });
      await stage.host("writer", throwing(thrown));
      const error = await outcome(stage.caller.sendMessage(Ask({ text: "x" }), id));
      expect(error).toBeInstanceOf(HandlerError);
      expect(error).toMatchObject({
        message: "writer/k failed: boom",
        code: "handler-failed",
        remote: {
          name: "RangeError",
          detail: { status: 429 },
          causes: [{ name: "TypeError", code: "EHOSTUNREACH", message: "no route" }],
        },
      });
    });

    unless("one-runtime", "tells its caller the fields of a thrown object", async () => {
      await using stage = await suite.openStage();
      await stage.host("writer", throwing({ status: 429, headers: { "retry-after": "3" } }));
      const error = await outcome(stage.caller.sendMessage(Ask({ text: "x" }), id));
      expect(error).toMatchObject({
        message: 'writer/k failed: {"status":429,"headers":{"retry-after":"3"}}',
        remote: { name: "Object", detail: { status: 429, headers: { "retry-after": "3" } }, causes: [] },
      });
    });

    test("has one line in the log that quotes nothing of a message", async () => {
      await using stage = await suite.openStage();
      const quoting = new TroupeError("invalid-message", "Reply is no JSON", { cause: new SyntaxError("at: hunter2") });
      await stage.host("writer", throwing(new Error("outer", { cause: quoting })));
      await outcome(stage.caller.sendMessage(Ask({ text: "x" }), id));
      await stage.world.close();
      const [line] = stage.logger.lines.filter(({ level }) => level === "error");
      expect(line?.fields?.error).toMatchObject({ message: "outer", cause: { message: "Reply is no JSON" } });
      expect(inspect(stage.logger.lines, { depth: null })).not.toContain("hunter2");
    });

    test("leaves no control characters in the log, and no more of a long text than helps", async () => {
      await using stage = await suite.openStage();
      const text = `\u001b[2Jgone\n2030 error forged ${"x".repeat(5_000)}`;
      await stage.host("writer", throwing(new Error(text)));
      await outcome(stage.caller.sendMessage(Ask({ text: "x" }), id));
      await stage.world.close();
      const [line] = stage.logger.lines.filter(({ level }) => level === "error");
      expect(line?.text).toContain("writer/k failed on a call (ContractAsk): \\u001b[2Jgone\\n2030 error forged xxx");
      expect(line?.text.length).toBeLessThan(1_200);
      const error = String(line?.fields?.error);
      for (const harm of ["\u001b", "\n", "x".repeat(2_000)]) expect(error).not.toContain(harm);
    });
  });

  test("a call that its agent refuses is told as any other failure, with its code", async () => {
    const { stage, end } = await observe(suite);
    await using _ = stage;
    await stage.host("writer", throwing(new CantHandleException("not mine")));
    const error = await outcome(stage.caller.sendMessage(Ask({ text: "x" }), id));
    expect(error).toBeInstanceOf(CantHandleException);
    expect(error).toMatchObject({ code: "cant-handle", message: "not mine" });
    const { records, spans, errors } = await end(3);
    expect(records).toEqual([...called, "writer/k threw not mine"]);
    expect(spans).toEqual(failedCall);
    expect(errors).toHaveLength(1);
  });

  test("an event whose handler throws has its records, and one line in the log", async () => {
    const { stage, end } = await observe(suite);
    await using _ = stage;
    const thrown = new Error("boom");
    await stage.host("writer", throwing(thrown));
    await stage.callee.addSubscription(new TypeSubscription("news", "writer"));
    await stage.caller.publishMessage(Note({ text: "x" }), news);
    const { records, spans, errors } = await end(3);
    expect(records).toEqual([...published, "writer/k threw boom"]);
    expect(spans).toEqual(["create ok", "process failed", "publish ok"]);
    const text = "writer/k failed on an event from news/k (ContractNote): boom";
    expect(errors).toEqual([lineAbout("ContractNote", text, thrown)]);
  });

  test("a call to an agent whose factory throws is delivered, not made, and failed", async () => {
    const { stage, end } = await observe(suite);
    await using _ = stage;
    await stage.callee.registerFactory("writer", () => {
      throw new TroupeError("wrong-state", "no model");
    });
    expect(await outcome(stage.caller.sendMessage(Ask({ text: "x" }), id))).toMatchObject({ code: "wrong-state" });
    const { records, spans, errors } = await end(4);
    expect(records).toEqual([...called, "writer/k not made: no model", "writer/k threw no model"]);
    expect(spans).toEqual(["ack failed", "create failed", "send ok"]);
    expect(errors).toMatchObject([
      { text: "Error constructing agent writer/k: no model", fields: { agent: "writer/k" } },
    ]);
  });

  test("an event for an agent whose factory throws is delivered and not made", async () => {
    const { stage, end } = await observe(suite);
    await using _ = stage;
    await stage.callee.registerFactory("writer", async () => {
      throw new Error("no model");
    });
    await stage.callee.addSubscription(new TypeSubscription("news", "writer"));
    await stage.caller.publishMessage(Note({ text: "x" }), news);
    const { records, spans, errors } = await end(3);
    expect(records).toEqual([...published, "writer/k not made: no model"]);
    expect(spans).toEqual(["create ok", "publish ok"]);
    expect(errors).toMatchObject([{ text: "Error constructing agent writer/k: no model" }]);
  });

  test("a call to an instance that was not registered is delivered, not made, and failed", async () => {
    const { stage, end } = await observe(suite);
    await using _ = stage;
    await stage.callee.registerAgentInstance(new Probe(), new AgentId("writer", "other"));
    expect(await outcome(stage.caller.sendMessage(Ask({ text: "x" }), id))).toMatchObject({ code: "not-found" });
    const { records, errors } = await end(4);
    expect(records.slice(0, 2)).toEqual(called);
    expect(records[2]).toContain("writer/k not made: Agent factory was invoked for an agent instance");
    expect(records[3]).toContain("writer/k threw Agent factory was invoked for an agent instance");
    expect(errors).toHaveLength(1);
  });

  test("a call to an unknown type is sent and never delivered", async () => {
    const { stage, end } = await observe(suite);
    await using _ = stage;
    expect(await outcome(stage.caller.sendMessage(Ask({ text: "x" }), id))).toMatchObject({ code: "undeliverable" });
    const { records, spans, errors } = await end(1);
    expect(records).toEqual(["DIRECT/SEND null -> writer/k"]);
    expect(spans).toContain("create failed");
    expect(spans.filter((span) => span.startsWith("process"))).toEqual([]);
    expect(errors).toEqual([]);
  });

  test("an answer of another type than was promised is sent and not delivered", async () => {
    const { stage, end } = await observe(suite);
    await using _ = stage;
    await stage.host("writer", () => Note({ text: "no answer" }));
    expect(await outcome(stage.caller.sendMessage(Ask({ text: "x" }), id))).toMatchObject({
      code: "unexpected-answer",
    });
    const { records, spans, errors } = await end(3);
    expect(records).toEqual([...called, "RESPOND/SEND writer/k -> null"]);
    expect(spans).toEqual(["ack failed", "create failed", "process ok", "send ok"]);
    expect(errors).toEqual([]);
  });

  describe("what an intervention", () => {
    const intervening = async (interventionHandler: InterventionHandler) => {
      const observed = await observe(suite, { caller: { interventionHandlers: [interventionHandler] } });
      await observed.stage.host("writer");
      return observed;
    };

    test("drops on its way out has been sent, then dropped", async () => {
      const { stage, end } = await intervening({ onSend: () => DropMessage, onPublish: () => DropMessage });
      await using _ = stage;
      expect(await outcome(stage.caller.sendMessage(Ask({ text: "x" }), id))).toMatchObject({ code: "dropped" });
      await stage.caller.publishMessage(Note({ text: "x" }), news);
      const { records, spans } = await end(4);
      expect(records).toEqual([
        "DIRECT/SEND null -> writer/k",
        "dropped null -> writer/k",
        "PUBLISH/SEND null -> news/k",
        "dropped null -> news/k",
      ]);
      expect(spans).toEqual(["create failed", "create ok", "intercept ok", "intercept ok"]);
    });

    test("throws for has been sent and has that error", async () => {
      const { stage, end } = await intervening({
        onSend: () => {
          throw new TroupeError("not-authorized", "no");
        },
      });
      await using _ = stage;
      expect(await outcome(stage.caller.sendMessage(Ask({ text: "x" }), id))).toMatchObject({ code: "not-authorized" });
      const { records, spans } = await end(1);
      expect(records).toEqual(["DIRECT/SEND null -> writer/k"]);
      expect(spans).toEqual(["create failed", "intercept failed"]);
    });

    test("drops of the answers has been sent by the agent, then dropped", async () => {
      const { stage, end } = await intervening({ onResponse: () => DropMessage });
      await using _ = stage;
      expect(await outcome(stage.caller.sendMessage(Ask({ text: "x" }), id))).toMatchObject({ code: "dropped" });
      const { records, spans } = await end(4);
      expect(records).toEqual([...called, "RESPOND/SEND writer/k -> null", "dropped writer/k -> null"]);
      expect(spans).toEqual(["ack failed", "create failed", "process ok", "send ok"]);
    });
  });

  test("sequential agents take the next message after one that failed", async () => {
    const { stage, end } = await observe(suite, {
      caller: { sequentialAgents: true },
      callee: { sequentialAgents: true },
    });
    await using _ = stage;
    const gate = new Gate();
    await stage.host("writer", async ({ text }) => {
      if (text === "second") return Answer({ text });
      await gate.opened;
      throw new Error("boom");
    });
    const calls = ["first", "second"].map((text) => outcome(stage.caller.sendMessage(Ask({ text }), id)));
    await stage.callee.get(id, undefined, { lazy: false });
    gate.open();
    const [first, second] = await Promise.all(calls);
    expect(first).toBeInstanceOf(Error);
    expect(second).toMatchObject({ text: "second" });
    const { records, errors } = await end(7);
    expect(records.filter((line) => line.includes("threw") || line.startsWith("RESPOND"))).toEqual([
      "writer/k threw boom",
      "RESPOND/SEND writer/k -> null",
      "RESPOND/DELIVER writer/k -> null",
    ]);
    expect(errors).toHaveLength(1);
  });

  test("a handler that ends because its call was given up is no failure in the log", async () => {
    const { stage, end } = await observe(suite);
    await using _ = stage;
    const begun = new Gate();
    const aborted = new Gate();
    await stage.host("writer", async (_message, { signal }) => {
      signal.addEventListener("abort", () => aborted.open());
      begun.open();
      await aborted.opened;
      throw signal.reason;
    });
    const controller = new AbortController();
    const call = outcome(stage.caller.sendMessage(Ask({ text: "x" }), id, { signal: controller.signal }));
    await begun.opened;
    controller.abort();
    expect(await call).toMatchObject({ code: "cancelled" });
    const { records, spans, errors } = await end(3);
    expect(records.slice(0, 2)).toEqual(called);
    expect(records[2]).toContain("writer/k threw");
    expect(records).toHaveLength(3);
    expect(spans).toEqual(["create failed", "process failed", "send ok"]);
    expect(errors).toEqual([]);
  });

  test("an answer to a call that was given up leaves no record", async () => {
    const { stage, end } = await observe(suite);
    await using _ = stage;
    const begun = new Gate();
    const aborted = new Gate();
    await stage.host("writer", async ({ text }, { signal }) => {
      signal.addEventListener("abort", () => aborted.open());
      begun.open();
      await aborted.opened;
      return Answer({ text });
    });
    const controller = new AbortController();
    const call = outcome(stage.caller.sendMessage(Ask({ text: "x" }), id, { signal: controller.signal }));
    await begun.opened;
    controller.abort();
    expect(await call).toMatchObject({ code: "cancelled" });
    const { records, spans, errors } = await end(2);
    expect(records).toEqual(called);
    expect(spans).toEqual(["create failed", "process ok", "send ok"]);
    expect(errors).toEqual([]);
  });

  test("of an event's handlers the one that throws leaves the others their records", async () => {
    const { stage, end } = await observe(suite);
    await using _ = stage;
    await stage.host("writer", throwing(new Error("boom")));
    await stage.callee.addSubscription(new TypeSubscription("news", "writer"));
    await stage.listen("news", "reader");
    await stage.caller.publishMessage(Note({ text: "x" }), news);
    expect((await stage.seen.take()).by).toBe("reader/k");
    const { records, spans, errors } = await end(4);
    expect(records).toEqual([...published, "PUBLISH/DELIVER null -> null", "writer/k threw boom"]);
    expect(spans).toEqual(["create ok", "process failed", "process ok", "publish ok"]);
    expect(errors).toHaveLength(1);
  });

  test("an order without a promised answer may be answered with anything", async () => {
    const { stage, end } = await observe(suite);
    await using _ = stage;
    await stage.host("writer", () => Note({ text: "done" }));
    expect(await stage.caller.sendMessage(Order({ text: "x" }), id)).toMatchObject({ text: "done" });
    const { records, spans } = await end(4);
    expect(records).toEqual([...called, "RESPOND/SEND writer/k -> null", "RESPOND/DELIVER writer/k -> null"]);
    expect(spans).toEqual(["ack ok", "create ok", "process ok", "send ok"]);
  });
}
