import { describe, expect, test } from "vitest";
import { AgentId, type HandlerInterceptor, TopicId, TroupeError } from "../../../src/core/index.ts";
import { Answer, Ask, Note, type Suite } from "./world.ts";

const id = new AgentId("writer", "k");
const news = new TopicId("news", "k");

export function describeInterceptors({ openStage }: Suite): void {
  /** In process the caller is the callee, and its options come last. */
  const intercepted = (...interceptors: readonly HandlerInterceptor[]) => openStage({ callee: { interceptors } });

  describe("interceptors of the handling side", () => {
    test("see calls and events with their agent, message and context", async () => {
      const seen: unknown[] = [];
      await using stage = await intercepted(({ agentId, message, context }, next) => {
        seen.push([
          agentId.toString(),
          message,
          context.isRpc,
          context.topicId?.toString(),
          context.sender?.toString(),
        ]);
        return next();
      });
      await stage.host("writer");
      await stage.listen("news", "reader");
      const sender = new AgentId("someone", "s");
      expect((await stage.caller.sendMessage(Ask({ text: "x" }), id, { sender })).text).toBe("x from writer/k");
      await stage.caller.publishMessage(Note({ text: "y" }), news, { sender });
      await stage.seen.take();
      expect(seen).toEqual([
        ["writer/k", Ask({ text: "x" }), true, undefined, "someone/s"],
        ["reader/k", Note({ text: "y" }), false, "news/k", "someone/s"],
      ]);
    });

    test("may refuse a message: its handler does not run, a caller gets the error, it is logged once", async () => {
      await using stage = await intercepted(() => {
        throw new TroupeError("not-authorized", "editors only");
      });
      const probes = await stage.host("writer", () => expect.unreachable());
      const call = stage.caller.sendMessage(Ask({ text: "x" }), id);
      await expect(call).rejects.toMatchObject({ code: "not-authorized", message: "editors only" });
      expect(probes).toHaveLength(1);
      expect(stage.logger.texts("error")).toEqual(["writer/k failed on a call (ContractAsk): editors only"]);
    });

    test("may answer in the handler's place, and change its answer", async () => {
      await using stage = await intercepted(async ({ message }, next) => {
        if (Ask.is(message) && message.text === "known") return Answer({ text: "from the cache" });
        const answer = await next();
        return Answer.is(answer) ? Answer({ text: `${answer.text}, signed` }) : answer;
      });
      await stage.host("writer");
      expect((await stage.caller.sendMessage(Ask({ text: "known" }), id)).text).toBe("from the cache");
      expect((await stage.caller.sendMessage(Ask({ text: "new" }), id)).text).toBe("new from writer/k, signed");
    });

    test("run around each other, the first one outermost", async () => {
      const steps: string[] = [];
      const named = (name: string): HandlerInterceptor => {
        return async (_delivery, next) => {
          steps.push(`${name} begins`);
          const answer = await next();
          steps.push(`${name} ends`);
          return answer;
        };
      };
      await using stage = await intercepted(named("a"), named("b"));
      await stage.host("writer", ({ text }) => {
        steps.push("handler");
        return Answer({ text });
      });
      await stage.caller.sendMessage(Ask({ text: "x" }), id);
      expect(steps).toEqual(["a begins", "b begins", "handler", "b ends", "a ends"]);
    });

    test("may turn a failure into an answer, which is no failure then; whether it was thrown at once or later", async () => {
      await using stage = await intercepted((_delivery, next) => {
        return next().catch((error: Error) => Answer({ text: `caught ${error.message}` }));
      });
      await stage.host("writer", ({ text }) => {
        if (text === "at once") throw new Error(text);
        return Promise.reject(new Error(text));
      });
      for (const text of ["at once", "later"]) {
        expect((await stage.caller.sendMessage(Ask({ text }), id)).text).toBe(`caught ${text}`);
      }
      expect(stage.logger.texts("error")).toEqual([]);
    });

    test("may leave a handler's failure alone without harm to the process", async () => {
      await using stage = await intercepted((_delivery, next) => {
        void next();
        return Answer({ text: "at once" });
      });
      await stage.host("writer", () => Promise.reject(new Error("unheard")));
      expect((await stage.caller.sendMessage(Ask({ text: "x" }), id)).text).toBe("at once");
    });

    test("that call next at once keep the order of messages", async () => {
      await using stage = await intercepted((_delivery, next) => next());
      await stage.listen("news", "reader");
      const texts = Array.from({ length: 20 }, (_, index) => `${index}`);
      for (const text of texts) await stage.caller.publishMessage(Note({ text }), news);
      expect((await stage.seen.takeMany(20)).map(({ text }) => text)).toEqual(texts);
    });

    test("run within the agent's turn where agents are sequential", async () => {
      let running = 0;
      const most: number[] = [];
      const counting: HandlerInterceptor = async (_delivery, next) => {
        running += 1;
        most.push(running);
        const answer = await next();
        running -= 1;
        return answer;
      };
      const options = { interceptors: [counting], sequentialAgents: true };
      await using stage = await openStage({ callee: options });
      await stage.host("writer", async ({ text }) => Answer({ text }));
      await Promise.all(["a", "b", "c"].map((text) => stage.caller.sendMessage(Ask({ text }), id)));
      expect(most).toEqual([1, 1, 1]);
    });
  });
}
