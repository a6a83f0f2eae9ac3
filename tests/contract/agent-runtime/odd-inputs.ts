import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  AgentId,
  classMessage,
  defineMessage,
  defineTool,
  FunctionCall,
  handlerTable,
  type Logger,
  RoutedAgent,
  ToolAgent,
  TopicId,
  TroupeError,
  TypeSubscription,
} from "../../../src/core/index.ts";
import { Answer, Ask, Note, type Suite } from "./world.ts";

const fail = (): never => {
  throw new Error("The disk is full.");
};
const failing: Logger = { debug: fail, info: fail, warn: fail, error: fail };

const notShown = "can't be shown as text";

/** What programs throw beside errors, and the text that a person sees of it. */
const thrown: readonly (readonly [what: string, value: unknown, text: string, inLog?: string])[] = [
  ["a plain object with a message", { message: "db down", code: "PGRST301" }, "db down"],
  ["a plain object without one", { status: 500 }, '{"status":500}'],
  ["an object without a prototype", Object.assign(Object.create(null), { status: 500 }), '{"status":500}'],
  ["an object with a cycle", cyclic(), "", notShown],
  [
    "an object whose getter throws",
    Object.defineProperty({}, "message", { get: fail, enumerable: true }),
    "",
    notShown,
  ],
  [
    "a proxy whose traps throw",
    new Proxy({}, { get: fail, has: fail, getPrototypeOf: fail, ownKeys: fail }),
    "",
    notShown,
  ],
  ["a revoked proxy", revoked(), "", notShown],
  ["an error with fields of other types", Object.assign(new Error("odd"), { name: 7, stack: 12, code: {} }), "odd"],
  ["an error without a class", Object.assign(new Error(""), { name: "", constructor: undefined }), "Error"],
  ["an object with a field named constructor", { constructor: null, a: 1 }, '"a":1'],
  ["null", null, "null"],
  ["nothing", undefined, "undefined"],
  ["a number", 42, "42"],
];

/** What people's programs give a runtime, and nobody thought of. */
export function describeOddInputs(suite: Suite): void {
  describe("a handler that throws", () => {
    test.each(thrown)(
      "%s: its caller gets it or an error that says what it was, and the log a line",
      async (_, value, text, inLog = text) => {
        await using stage = await suite.openStage();
        await stage.host("a", async () => {
          throw value;
        });
        await stage.callee.addSubscription(new TypeSubscription("t", "a"));
        // In a list, because a promise would look for a `then` of the value.
        const [got] = await stage.caller
          .sendMessage(Ask({ text: "" }), new AgentId("a", "k"))
          .then(fail, (error: unknown) => [error]);
        if (stage.caller === stage.callee) expect(Object.is(got, value)).toBe(true);
        else expect(got).toMatchObject({ code: "handler-failed" });
        const told = TroupeError.from(got);
        expect(told.message).toContain(text);
        expect(told.message).not.toBe("");
        const line = stage.logger.texts("error").find((one) => one.includes("failed on a call"));
        expect(line).toContain(inLog);
      },
    );
  });

  describe("fields that are named as something else", () => {
    test("a field named constructor travels in a call, an event and an answer", async () => {
      const Race = defineMessage("ContractRace", z.object({ driver: z.string(), constructor: z.string() }));
      await using stage = await suite.openStage();
      class Echo extends RoutedAgent {
        static override readonly handlers = handlerTable<Echo>().message(Race, (race) => {
          stage.texts.put(`${race.driver} ${race.constructor}`);
          return race;
        });
      }
      await Echo.register(stage.callee, "echo", () => new Echo("echoes"));
      await stage.callee.addSubscription(new TypeSubscription("t", "echo"));
      stage.caller.addMessageSerializer(Race);
      const race = Race({ driver: "d", constructor: "c" });
      expect(race).toBeInstanceOf(Race);
      const answer = await stage.caller.sendMessage(race, new AgentId("echo", "k"));
      expect(answer).toMatchObject({ driver: "d", constructor: "c" });
      await stage.caller.publishMessage(race, new TopicId("t", "s"));
      expect(await stage.texts.takeMany(2)).toEqual(["d c", "d c"]);
    });

    test("a field named as a getter of the class arrives, and one that the class refuses is invalid-message", async () => {
      class Price {
        c = 0;
        get cents(): number {
          return this.c;
        }
        set currency(name: string) {
          if (name.length !== 3) throw new RangeError("no currency");
        }
      }
      const price = classMessage("ContractPrice", Price);
      const read = (json: string) => price.deserialize(new TextEncoder().encode(json));
      const taken = read('{"c":1,"cents":7,"constructor":"x","toString":"y"}');
      expect(taken).toBeInstanceOf(Price);
      expect({ ...taken }).toEqual({ c: 1, cents: 7, constructor: "x", toString: "y" });
      expect(read('{"currency":"EUR","cents":7}').cents).toBe(7);
      for (const bad of ['{"currency":"E"}', '{"currency":1,"cents":2}', "[]", '{"__proto__":{}}']) {
        expect(() => read(bad)).toThrow(expect.objectContaining({ code: "invalid-message" }));
      }
      await using stage = await suite.openStage();
      class Taker extends RoutedAgent {
        static override readonly handlers = handlerTable<Taker>().message(price, (one) =>
          Answer({ text: `${one.cents}` }),
        );
      }
      await Taker.register(stage.callee, "taker", () => new Taker("takes"));
      stage.caller.addMessageSerializer(price);
      const sent = Object.defineProperty(new Price(), "cents", { value: 7, enumerable: true });
      expect(await stage.caller.sendMessage(sent, new AgentId("taker", "k"))).toMatchObject({ text: "7" });
    });
  });

  describe("the arguments of a tool without parameters", () => {
    test.each(["{}", "", " \n\t", "null"])("are none when the model gives %j", async (args) => {
      await using stage = await suite.openStage();
      const given: unknown[] = [];
      const run = (one: unknown) => {
        given.push(one);
        return "noon";
      };
      const tool = defineTool({ name: "what_time", description: "the time", schema: z.object({}), run });
      await ToolAgent.register(stage.callee, "tools", () => new ToolAgent("tools", [tool]));
      const call = FunctionCall({ id: "1", name: "what_time", arguments: args });
      expect(await stage.caller.sendMessage(call, new AgentId("tools", "k"))).toMatchObject({
        content: "noon",
        is_error: false,
      });
      expect(given).toEqual([{}]);
    });
  });

  describe("a logger and a message log that throw", () => {
    test("keep no message from its agent and no outcome from its caller", async () => {
      const messageLog = { withPayloads: true, emit: fail };
      const options = { logger: failing, messageLog };
      await using stage = await suite.openStage({ caller: options, callee: options });
      await stage.host("a", ({ text }, _context, probe) => {
        probe.runtime.logger.error("the handler says something");
        if (text === "fail") throw new Error("boom");
        return Answer({ text });
      });
      await stage.callee.registerFactory("unmade", fail);
      await stage.callee.addSubscription(new TypeSubscription("t", "unmade"));
      await stage.callee.addSubscription(new TypeSubscription("t", "a"));
      await stage.listen("t", "listener");
      const id = new AgentId("a", "k");
      await expect(stage.caller.sendMessage(Ask({ text: "fail" }), id)).rejects.toThrow("boom");
      await expect(stage.caller.sendMessage(Ask({ text: "" }), new AgentId("unmade", "k"))).rejects.toThrow("disk");
      expect((await stage.caller.sendMessage(Ask({ text: "hi" }), id)).text).toBe("hi");
      await stage.caller.publishMessage(Note({ text: "fail" }), new TopicId("t", "s"));
      expect((await stage.seen.take()).text).toBe("fail");
      expect((await stage.caller.sendMessage(Ask({ text: "still there" }), id)).text).toBe("still there");
    });
  });
}

function cyclic(): object {
  const object: Record<string, unknown> = { a: 1 };
  object.self = object;
  return object;
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
