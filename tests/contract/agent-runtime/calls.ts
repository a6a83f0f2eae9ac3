import { describe, expect, test } from "vitest";
import {
  AgentId,
  CancelledError,
  CantHandleException,
  TimedOutError,
  UndeliverableException,
} from "../../../src/core/index.ts";
import { errorText } from "../../../src/core/internal.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { Answer, Ask, Note, Order, Probe, type Suite, seeInto } from "./world.ts";

const echoId = new AgentId("echo", "k");

export function describeCalls({ openStage, unless }: Suite): void {
  describe("calls", () => {
    test("the answer of the handler reaches the caller as the type that the message names", async () => {
      await using stage = await openStage();
      await stage.host("echo");
      const answer = await stage.caller.sendMessage(Ask({ text: "hello" }), echoId);
      expect(answer.text).toBe("hello from echo/k");
      expect(answer).toBeInstanceOf(Answer);
    });

    test("the handler learns that it is a call, who asks, and an id", async () => {
      await using stage = await openStage();
      await stage.host("echo", seeInto(stage.seen));
      const sender = new AgentId("someone", "s");
      await stage.caller.sendMessage(Order({ text: "x" }), echoId, { sender });
      const { context } = await stage.seen.take();
      expect(context.isRpc).toBe(true);
      expect(context.topicId).toBeUndefined();
      expect(context.sender?.toString()).toBe("someone/s");
      expect(context.messageId).not.toBe("");
      expect(context.signal.aborted).toBe(false);
    });

    test("a call by nobody has no sender", async () => {
      await using stage = await openStage();
      await stage.host("echo", seeInto(stage.seen));
      await stage.caller.sendMessage(Order({ text: "x" }), echoId);
      expect((await stage.seen.take()).context.sender).toBeUndefined();
    });

    unless("calls-have-wire-ids", "the handler sees the message id that the caller gave", async () => {
      await using stage = await openStage();
      await stage.host("echo", seeInto(stage.seen));
      await stage.caller.sendMessage(Order({ text: "x" }), echoId, { messageId: "m-1" });
      expect((await stage.seen.take()).context.messageId).toBe("m-1");
    });

    test("a sender whose type lives nowhere does not matter [§8.129]", async () => {
      await using stage = await openStage();
      await stage.host("echo");
      const sender = new AgentId("nowhere", "x");
      const answer = await stage.caller.sendMessage(Ask({ text: "hi" }), echoId, { sender });
      expect(answer.text).toBe("hi from echo/k");
    });

    test("a handler that returns nothing answers with undefined [§8.85]", async () => {
      await using stage = await openStage();
      await stage.host("echo", () => undefined);
      expect(await stage.caller.sendMessage(Order({ text: "x" }), echoId)).toBeUndefined();
    });

    test("calls that are answered in another order each get their own answer [§8.42]", async () => {
      await using stage = await openStage();
      const gates = new Map<string, Gate>(["1", "2", "3"].map((text) => [text, new Gate()]));
      const arrived = new Inbox<string>();
      await stage.host("echo", async ({ text }) => {
        arrived.put(text);
        await gates.get(text)?.opened;
        return Answer({ text });
      });
      const calls = ["1", "2", "3"].map((text) => stage.caller.sendMessage(Ask({ text }), echoId));
      await arrived.takeMany(3);
      for (const text of ["3", "1", "2"]) gates.get(text)?.open();
      expect((await Promise.all(calls)).map((answer) => answer.text)).toEqual(["1", "2", "3"]);
    });

    test("the calls of one caller reach an agent in the order they were sent", async () => {
      await using stage = await openStage();
      await stage.host("echo", seeInto(stage.seen));
      const texts = Array.from({ length: 50 }, (_, index) => `${index}`);
      await Promise.all(texts.map((text) => stage.caller.sendMessage(Order({ text }), echoId)));
      expect((await stage.seen.takeMany(50)).map((seen) => seen.text)).toEqual(texts);
    });

    test("agents may call each other in a ring while they handle a call [§8.43]", async () => {
      await using stage = await openStage();
      await stage.host("a", async ({ text }, _context, probe) =>
        text === "inner" ? Answer({ text: "core" }) : probe.sendMessage(Ask({ text }), new AgentId("b", "k")),
      );
      await stage.host("b", async (_message, context, probe) => {
        const inner = await probe.sendMessage(Ask({ text: "inner" }), new AgentId("a", "k"));
        return Answer({ text: `${inner.text} for ${context.sender}` });
      });
      const answer = await stage.caller.sendMessage(Ask({ text: "outer" }), new AgentId("a", "k"));
      expect(answer.text).toBe("core for a/k");
    });

    test("a type that lives nowhere is undeliverable, at once [§8.44]", async () => {
      await using stage = await openStage();
      const call = stage.caller.sendMessage(Ask({ text: "x" }), new AgentId("nowhere", "k"));
      await expect(call).rejects.toBeInstanceOf(UndeliverableException);
      await expect(call).rejects.toMatchObject({ code: "undeliverable" });
    });

    test("what the handler throws reaches the caller with its text", async () => {
      await using stage = await openStage();
      await stage.host("echo", async () => {
        throw new Error("boom");
      });
      await expect(stage.caller.sendMessage(Ask({ text: "x" }), echoId)).rejects.toThrow("boom");
    });

    test("an error without text is still an error to the caller", async () => {
      await using stage = await openStage();
      await stage.host("echo", () => {
        throw new Error("");
      });
      const error = await stage.caller.sendMessage(Ask({ text: "x" }), echoId).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(Error);
      expect(errorText(error)).not.toBe("");
    });

    test("an agent that refuses a message says so by the class of its error [§8.97]", async () => {
      await using stage = await openStage();
      await stage.host("echo", () => {
        throw new CantHandleException("not my kind");
      });
      const call = stage.caller.sendMessage(Ask({ text: "x" }), echoId);
      await expect(call).rejects.toBeInstanceOf(CantHandleException);
      await expect(call).rejects.toThrow("not my kind");
    });

    test("a factory that throws fails the call with its text, and the next call tries again [§8.87]", async () => {
      await using stage = await openStage();
      let attempts = 0;
      await stage.callee.registerFactory("echo", () => {
        attempts += 1;
        if (attempts === 1) throw new Error("no model key");
        return new Probe(() => Answer({ text: "ready" }));
      });
      await expect(stage.caller.sendMessage(Ask({ text: "x" }), echoId)).rejects.toThrow("no model key");
      expect((await stage.caller.sendMessage(Ask({ text: "x" }), echoId)).text).toBe("ready");
    });

    test("an answer of another type than the message names is refused", async () => {
      await using stage = await openStage();
      await stage.host("echo", ({ text }) => Note({ text }));
      const call = stage.caller.sendMessage(Ask({ text: "x" }), echoId);
      await expect(call).rejects.toMatchObject({ code: "unexpected-answer" });
    });

    test("a promised answer that does not come says that there may be no handler", async () => {
      await using stage = await openStage();
      await stage.host("echo", () => undefined);
      const text = "echo/k answered with nothing where ContractAnswer was promised: it has no handler for the message";
      await expect(stage.caller.sendMessage(Ask({ text: "x" }), echoId)).rejects.toThrow(text);
    });

    test("the caller can name the type of the answer with the call", async () => {
      await using stage = await openStage();
      await stage.host("echo", ({ text }) => (text === "right" ? Answer({ text }) : Note({ text })));
      const right = await stage.caller.sendMessage(Order({ text: "right" }), echoId, { answer: Answer });
      expect(right.text).toBe("right");
      const wrong = stage.caller.sendMessage(Order({ text: "wrong" }), echoId, { answer: Answer });
      await expect(wrong).rejects.toMatchObject({ code: "unexpected-answer" });
    });
  });

  describe("bounds of calls", () => {
    test("a call that is not answered in time rejects, and its late answer is ignored [§8.90]", async () => {
      await using stage = await openStage();
      const gate = new Gate();
      await stage.host("echo", async ({ text }) => {
        if (text === "slow") await gate.opened;
        return Answer({ text });
      });
      const slow = stage.caller.sendMessage(Ask({ text: "slow" }), echoId, { timeoutMs: 20 });
      await expect(slow).rejects.toBeInstanceOf(TimedOutError);
      gate.open();
      expect((await stage.caller.sendMessage(Ask({ text: "next" }), echoId)).text).toBe("next");
    });

    test("the runtime can have a timeout for all calls", async () => {
      await using stage = await openStage({ caller: { defaultTimeoutMs: 20 } });
      await stage.host("echo", () => new Promise(() => undefined));
      await expect(stage.caller.sendMessage(Ask({ text: "x" }), echoId)).rejects.toMatchObject({ code: "timed-out" });
    });

    test("a caller that aborts is rejected at once, with its reason as the cause", async () => {
      await using stage = await openStage();
      const gate = new Gate();
      const arrived = new Gate();
      await stage.host("echo", async ({ text }) => {
        arrived.open();
        if (text === "slow") await gate.opened;
        return Answer({ text });
      });
      const aborting = new AbortController();
      const call = stage.caller.sendMessage(Ask({ text: "slow" }), echoId, { signal: aborting.signal });
      await arrived.opened;
      aborting.abort("enough");
      await expect(call).rejects.toBeInstanceOf(CancelledError);
      await expect(call).rejects.toMatchObject({ code: "cancelled", cause: "enough" });
      gate.open();
      expect((await stage.caller.sendMessage(Ask({ text: "next" }), echoId)).text).toBe("next");
    });

    test("a call whose signal has aborted before is not sent", async () => {
      await using stage = await openStage();
      await stage.host("echo", seeInto(stage.seen));
      const signal = AbortSignal.abort("never mind");
      await expect(stage.caller.sendMessage(Order({ text: "no" }), echoId, { signal })).rejects.toMatchObject({
        code: "cancelled",
      });
      await stage.caller.sendMessage(Order({ text: "yes" }), echoId);
      expect((await stage.seen.take()).text).toBe("yes");
    });

    test("the handler learns that its caller has given up", async () => {
      await using stage = await openStage();
      const told = new Inbox<string>();
      const arrived = new Gate();
      await stage.host("echo", ({ text }, { signal }) => {
        return new Promise((resolve) => {
          const giveUp = () => {
            told.put(text);
            resolve(undefined);
          };
          // A short time may be up before the handler begins; then its signal has aborted already.
          if (signal.aborted) giveUp();
          else signal.addEventListener("abort", giveUp);
          if (text === "abort") arrived.open();
        });
      });
      const aborting = new AbortController();
      const calls = [
        stage.caller.sendMessage(Ask({ text: "timeout" }), echoId, { timeoutMs: 10 }),
        stage.caller.sendMessage(Ask({ text: "abort" }), echoId, { signal: aborting.signal }),
      ];
      const ends = Promise.allSettled(calls);
      await arrived.opened;
      aborting.abort();
      expect((await told.takeMany(2)).sort()).toEqual(["abort", "timeout"]);
      expect((await ends).map((end) => end.status)).toEqual(["rejected", "rejected"]);
    });
  });
}
