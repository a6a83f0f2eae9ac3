import {
  classMessage,
  defineMessage,
  event,
  handlerTable,
  type MessageOf,
  messageHandler,
  RoutedAgent,
  rpc,
  TopicId,
  UnknownPayload,
  unknownPayloadMessage,
  voidMessage,
} from "troupe";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { bound, contextOf, RecordingRuntime } from "./recording-runtime.ts";

const Answer = defineMessage("Answer", z.object({ from: z.string() }));
const Ask = defineMessage("Ask", z.object({ text: z.string() }), { answer: Answer });
const Note = defineMessage("Note", z.object({ text: z.string() }));
type Ask = MessageOf<typeof Ask>;
type Note = MessageOf<typeof Note>;

class Point {
  readonly x: number;
  constructor(x: number) {
    this.x = x;
  }
}
class Point3 extends Point {}
const PointMessage = classMessage("Point", Point);

const call = contextOf();
const anEvent = contextOf({ topicId: new TopicId("t", "s") });

describe("routing", () => {
  test("of several handlers for a type, that with the smallest name in code-point order is asked first [§8.116]", async () => {
    class Several extends RoutedAgent {
      @rpc(Ask)
      zz(_ask: Ask) {
        return Answer({ from: "zz" });
      }
      @rpc(Ask)
      aa(_ask: Ask) {
        return Answer({ from: "aa" });
      }
      @rpc(Ask, { match: (ask) => ask.text !== "not for Bb" })
      Bb(_ask: Ask) {
        return Answer({ from: "Bb" });
      }
    }
    const agent = bound(new Several(""));
    expect(agent.onMessage(Ask({ text: "" }), call)).toEqual({ from: "Bb" });
    expect(agent.onMessage(Ask({ text: "not for Bb" }), call)).toEqual({ from: "aa" });
  });

  test("an instance of a subclass of a handled class is unhandled [§8.117]", () => {
    const runtime = new RecordingRuntime();
    class Points extends RoutedAgent {
      @messageHandler(PointMessage)
      point(point: Point) {
        return point.x;
      }
    }
    const agent = bound(new Points(""), runtime);
    expect(agent.onMessage(new Point(3), call)).toBe(3);
    expect(agent.onMessage(new Point3(3), call)).toBeUndefined();
    expect(runtime.infos).toEqual(["Unhandled message: Point3"]);
  });

  test("event handlers take events only and rpc handlers calls only; the other kind is unhandled [§8.118]", () => {
    const seen: string[] = [];
    class Kinds extends RoutedAgent {
      @event(Note)
      note(_note: Note) {
        seen.push("event");
      }
      @rpc(Ask)
      ask(_ask: Ask) {
        seen.push("rpc");
        return Answer({ from: "" });
      }
    }
    const runtime = new RecordingRuntime();
    const agent = bound(new Kinds(""), runtime);
    expect(agent.onMessage(Note({ text: "" }), call)).toBeUndefined();
    expect(agent.onMessage(Ask({ text: "" }), anEvent)).toBeUndefined();
    expect(seen).toEqual([]);
    expect(runtime.infos).toEqual(["Unhandled message: Note", "Unhandled message: Ask"]);
    agent.onMessage(Note({ text: "" }), anEvent);
    agent.onMessage(Ask({ text: "" }), call);
    expect(seen).toEqual(["event", "rpc"]);
  });

  test("messages of equal wire name are the same type, from whichever declaration they come", () => {
    const twin = defineMessage("Ask", z.object({ text: z.string() }));
    class Asked extends RoutedAgent {
      @rpc(Ask)
      ask(ask: Ask) {
        return Answer({ from: ask.text });
      }
    }
    expect(bound(new Asked("")).onMessage(twin({ text: "a twin" }), call)).toEqual({ from: "a twin" });
  });

  test("inherited handlers count, an undecorated override takes its parent's away", () => {
    class Parent extends RoutedAgent {
      @rpc(Ask)
      ask(_ask: Ask) {
        return Answer({ from: "parent" });
      }
    }
    class Heir extends Parent {}
    class Quiet extends Parent {
      override ask(_ask: Ask) {
        return Answer({ from: "quiet" });
      }
    }
    expect(bound(new Heir("")).onMessage(Ask({ text: "" }), call)).toEqual({ from: "parent" });
    expect(bound(new Quiet("")).onMessage(Ask({ text: "" }), call)).toBeUndefined();
    expect(Quiet.handledTypes()).toEqual([]);
  });

  test("handlers may be declared for unknown payloads and for nothing", () => {
    class Any extends RoutedAgent {
      @messageHandler(unknownPayloadMessage)
      unknown(payload: UnknownPayload) {
        return payload.typeName;
      }
      @messageHandler(voidMessage)
      nothing() {
        return "nothing";
      }
    }
    const agent = bound(new Any(""));
    expect(agent.onMessage(new UnknownPayload("Foreign", "application/json", new Uint8Array()), call)).toBe("Foreign");
    expect(agent.onMessage(undefined, call)).toBe("nothing");
  });

  test("what is no message at all is unhandled", () => {
    class Empty extends RoutedAgent {}
    const runtime = new RecordingRuntime();
    const agent = bound(new Empty(""), runtime);
    for (const message of ["text", 5, {}, null]) expect(agent.onMessage(message, call)).toBeUndefined();
    expect(runtime.infos.at(0)).toBe("Unhandled message: string");
  });

  test("onUnhandledMessage may be overridden, and its result answers a call", () => {
    class Echo extends RoutedAgent {
      protected override onUnhandledMessage(message: unknown) {
        return message;
      }
    }
    expect(bound(new Echo("")).onMessage("text", call)).toBe("text");
  });
});

describe("handler tables", () => {
  class Counter extends RoutedAgent {
    total = 0;
    static override readonly handlers = handlerTable<Counter>()
      .event([Note, Ask], function (message) {
        this.total += message.text.length;
      })
      .rpc(Ask, () => Answer({ from: "first" }), { match: (ask) => ask.text === "first" })
      .rpc(Ask, async function (_ask, { messageId }) {
        return Answer({ from: `${this.total} ${messageId}` });
      });
  }

  test("are asked in their own order, with the agent as `this`", async () => {
    const agent = bound(new Counter(""));
    agent.onMessage(Note({ text: "four" }), anEvent);
    agent.onMessage(Ask({ text: "five!" }), anEvent);
    expect(agent.total).toBe(9);
    expect(agent.onMessage(Ask({ text: "first" }), call)).toEqual({ from: "first" });
    expect(await agent.onMessage(Ask({ text: "" }), call)).toEqual({ from: "9 m1" });
  });

  test("are inherited, extended with `including`, and go before decorated methods", () => {
    class Child extends Counter {
      static override readonly handlers = handlerTable<Child>()
        .rpc(Ask, () => Answer({ from: "child" }), { match: (ask) => ask.text === "child" })
        .including(Counter.handlers);

      @rpc(Ask)
      decorated(_ask: Ask) {
        return Answer({ from: "decorated" });
      }
    }
    const agent = bound(new Child(""));
    expect(agent.onMessage(Ask({ text: "child" }), call)).toEqual({ from: "child" });
    expect(agent.onMessage(Ask({ text: "first" }), call)).toEqual({ from: "first" });
    expect(Child.handledTypes().map(({ typeName }) => typeName)).toEqual(["Ask", "Note", "Ask", "Ask", "Ask", "Ask"]);
  });
});

describe("strictness", () => {
  const wrong: object = Note({ text: "" });
  /** A handler whose declared answer its result does not keep, as plain JavaScript might write it. */
  const lying = (result: unknown) => (): never => result as never;

  class Liar extends RoutedAgent {
    static override readonly handlers = handlerTable<Liar>()
      .rpc(Ask, lying(wrong), { match: (ask) => ask.text === "now" })
      .rpc(Ask, lying(Promise.resolve(wrong)), { match: (ask) => ask.text === "later" })
      .rpc(Ask, lying(Promise.resolve(undefined)), { match: (ask) => ask.text === "nothing" })
      .rpc(Ask, lying(wrong), { match: (ask) => ask.text === "mild now", strict: false })
      .rpc(Ask, lying(Promise.resolve(wrong)), { strict: false })
      .event(Note, lying(wrong), { match: (note) => note.text === "now" })
      .event(Note, lying(Promise.resolve(wrong)), { match: (note) => note.text === "later" })
      .event(Note, lying(Promise.resolve(wrong)), { strict: false });
  }

  test("a result that is not the declared answer is an error [§8.119]", async () => {
    const agent = bound(new Liar(""));
    const text = "A handler returned Note, but its answer must be Answer. Return that, or name Note as the answer.";
    expect(() => agent.onMessage(Ask({ text: "now" }), call)).toThrow(text);
    await expect(agent.onMessage(Ask({ text: "later" }), call)).rejects.toMatchObject({
      message: text,
      code: "unexpected-answer",
    });
    await expect(agent.onMessage(Ask({ text: "nothing" }), call)).rejects.toThrow(
      "A handler returned nothing, but its answer must be Answer.",
    );
  });

  test("of a handler for several types each message is answered by what its own type names", async () => {
    const Receipt = defineMessage("Receipt", z.object({}));
    const Order = defineMessage("Order", z.object({}), { answer: Receipt });
    class Clerk extends RoutedAgent {
      static override readonly handlers = handlerTable<Clerk>().rpc([Ask, Order], (message, { messageId }) => {
        const answer = Order.is(message) ? Receipt({}) : Answer({ from: "clerk" });
        const other = Order.is(message) ? Answer({ from: "clerk" }) : Receipt({});
        return messageId === "wrong" ? Promise.resolve(other) : answer;
      });
    }
    const agent = bound(new Clerk(""));
    expect(agent.onMessage(Order({}), call)).toEqual({});
    expect(agent.onMessage(Ask({ text: "" }), call)).toEqual({ from: "clerk" });
    const wrongly = contextOf({ messageId: "wrong" });
    const text = "A handler returned Answer, but its answer must be Receipt.";
    await expect(agent.onMessage(Order({}), wrongly)).rejects.toThrow(text);
    await expect(agent.onMessage(Ask({ text: "" }), wrongly)).rejects.toThrow(
      "A handler returned Receipt, but its answer must be",
    );
  });

  test("a promise of another library is waited for like any other", async () => {
    // biome-ignore lint/suspicious/noThenProperty: promises of other libraries are such
    const later = (result: unknown) => lying({ then: (resolve: (value: unknown) => void) => resolve(result) });
    class Later extends RoutedAgent {
      static override readonly handlers = handlerTable<Later>()
        .rpc(Ask, later(Answer({ from: "later" })), { match: (ask) => ask.text === "right" })
        .rpc(Ask, later(wrong));
    }
    const agent = bound(new Later(""));
    expect(await agent.onMessage(Ask({ text: "right" }), call)).toEqual({ from: "later" });
    await expect(agent.onMessage(Ask({ text: "wrong" }), call)).rejects.toThrow(
      "A handler returned Note, but its answer must be Answer.",
    );
  });

  test("without strictness it is a warning, and the value is passed on [§8.119]", async () => {
    const runtime = new RecordingRuntime();
    const agent = bound(new Liar(""), runtime);
    expect(agent.onMessage(Ask({ text: "mild now" }), call)).toBe(wrong);
    expect(await agent.onMessage(Ask({ text: "mild later" }), call)).toBe(wrong);
    const text = "A handler returned Note, but its answer must be Answer. Return that, or name Note as the answer.";
    expect(runtime.warnings).toEqual([text, text]);
  });

  test("an event handler with a result is an error, or a warning that drops the result", async () => {
    const runtime = new RecordingRuntime();
    const agent = bound(new Liar(""), runtime);
    expect(() => agent.onMessage(Note({ text: "now" }), anEvent)).toThrow(
      "A handler returned Note, but the handler of an event returns nothing.",
    );
    await expect(agent.onMessage(Note({ text: "later" }), anEvent)).rejects.toThrow(
      "A handler returned Note, but the handler of an event returns nothing.",
    );
    expect(await agent.onMessage(Note({ text: "mild" }), anEvent)).toBeUndefined();
    expect(runtime.warnings).toEqual([
      "A handler returned Note, but the handler of an event returns nothing. The runtime ignores it.",
    ]);
  });

  test("private and static methods, and a second decorator, are refused where they are declared", () => {
    const plain = { name: "m", static: false, private: false } as never;
    const method: never = function m() {} as never;
    const refused = (context: object) => () => event(Note)(method, context as never);
    expect(refused({ name: "#m", static: false, private: true })).toThrow("only public methods");
    expect(refused({ name: "m", static: true, private: false })).toThrow("only public methods");
    event(Note)(method, plain);
    expect(() => rpc(Note)(method, plain)).toThrow("is a handler already");
  });

  test("TypeScript's experimental decorators are told that these are standard ones", () => {
    const prototype = { ask() {} };
    const asExperimental = () => rpc(Ask)(prototype as never, "ask" as never);
    expect(asExperimental).toThrow("Take experimentalDecorators out of tsconfig.json");
    expect(prototype).toEqual({ ask: prototype.ask });
  });

  test("a schema in place of a message type is refused where the handler is declared", () => {
    const schema = z.object({ text: z.string() }) as never;
    expect(() => handlerTable().event(schema, () => undefined)).toThrow(
      expect.objectContaining({
        code: "invalid-argument",
        message: expect.stringContaining("What a handler is declared for must be a message type."),
      }),
    );
  });

  test("a type that a circle of imports has left undefined is named as the mistake", () => {
    const notYet = undefined as never;
    expect(() => handlerTable<RoutedAgent>().event(notYet, () => undefined)).toThrow("import each other");
    const context = { name: "m", static: false, private: false } as never;
    expect(() => event([Note, notYet])((() => undefined) as never, context)).toThrow("import each other");
  });
});

describe("a handler that would get no message", () => {
  const answer = () => Answer({ from: "x" });
  const hidden = expect.objectContaining({
    code: "invalid-argument",
    message: expect.stringContaining("two handlers of"),
  });

  test("is refused when it is declared", () => {
    const asks = handlerTable<RoutedAgent>().rpc(Ask, answer);
    expect(() => asks.rpc(Ask, answer)).toThrow(hidden);
    expect(() => asks.rpc([Ask], answer, { match: () => true })).toThrow(hidden);
    expect(() =>
      handlerTable<RoutedAgent>()
        .message(Note, () => undefined)
        .event(Note, () => undefined),
    ).toThrow(hidden);
  });

  test("is none if the earlier one has a match or another kind, or comes from a table that is included behind it", () => {
    const table = handlerTable<RoutedAgent>()
      .rpc(Ask, answer, { match: () => false })
      .rpc(Ask, answer)
      .event(Ask, () => undefined);
    expect(table.including(table).handlers).toHaveLength(6);
    expect(
      handlerTable<RoutedAgent>()
        .event(Note, () => undefined)
        .message(Note, () => undefined).handlers,
    ).toHaveLength(2);
  });
});
