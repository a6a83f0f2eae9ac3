import { describe, expect, test } from "vitest";
import {
  AgentId,
  BaseAgent,
  classMessage,
  type MessageContext,
  TopicId,
  UnknownPayload,
} from "../../../src/core/index.ts";
import { Answer, Ask, Note, Order, type Suite } from "./world.ts";

const echoId = new AgentId("echo", "k");
const news = new TopicId("news", "k");

class Undeclared {
  readonly text = "of a class that no runtime was told of";
}
class Declared {
  readonly text: string = "hi";
}
const DeclaredMessage = classMessage("ContractDeclared", Declared);

/** Values that have no message type. The compiler refuses most of them; here they come as `unknown`, as from JavaScript. */
const untyped: readonly (readonly [what: string, value: () => unknown])[] = [
  ["a number", () => 42],
  ["a text", () => "tea"],
  ["a boolean", () => true],
  ["a bigint", () => 1n],
  ["a Map", () => new Map([["drink", "tea"]])],
  ["a list", () => [Ask({ text: "x" })]],
  ["an Error", () => new Error("no milk")],
  ["bytes", () => new Uint8Array(3)],
  ["a function", () => () => Ask({ text: "x" })],
  ["the message type instead of a value", () => Ask],
  ["the message type of a class", () => DeclaredMessage],
  ["a class", () => Declared],
  ["a plain object", () => ({ text: "plain" })],
  ["a copy by spread", () => ({ ...Ask({ text: "x" }) })],
  ["an instance of an undeclared class", () => new Undeclared()],
  [
    "bytes under a name of Troupe's own",
    () => new UnknownPayload("TroupeStartRun", "application/json", new Uint8Array(2)),
  ],
];

/** Answers with what it is told to. */
class Answerer extends BaseAgent {
  readonly #answer: () => unknown;

  constructor(answer: () => unknown) {
    super("answers");
    this.#answer = answer;
  }

  protected override onMessageImpl(_message: unknown, _context: MessageContext): unknown {
    return this.#answer();
  }
}

export function describeWhatIsRefused({ openStage }: Suite): void {
  describe("what has no message type is refused with `invalid-message`", () => {
    test.each(untyped)("as a call: %s [§8.92]", async (_what, value) => {
      await using stage = await openStage();
      await stage.host("echo");
      const call = stage.caller.sendMessage(value(), echoId);
      await expect(call).rejects.toMatchObject({ name: "TroupeError", code: "invalid-message" });
      expect(await stage.caller.sendMessage(Ask({ text: "hi" }), echoId)).toEqual(echoed("hi"));
    });

    test.each(untyped)("as an event: %s", async (_what, value) => {
      await using stage = await openStage();
      await stage.listen("news", "reader");
      const event = stage.caller.publishMessage(value(), news);
      await expect(event).rejects.toMatchObject({ name: "TroupeError", code: "invalid-message" });
      await stage.caller.publishMessage(Note({ text: "next" }), news);
      expect((await stage.seen.take()).text).toBe("next");
    });

    test.each(untyped)("as an answer: %s [§8.88]", async (_what, value) => {
      await using stage = await openStage();
      await stage.callee.registerFactory("answerer", () => new Answerer(value));
      const call = stage.caller.sendMessage(Order({ text: "x" }), new AgentId("answerer", "k"));
      await expect(call).rejects.toMatchObject({ name: "TroupeError", code: "invalid-message" });
    });

    test("as a call or an event: a promise, which may even be of a message", async () => {
      await using stage = await openStage();
      await stage.host("echo");
      const promise: unknown = Promise.resolve(Ask({ text: "x" }));
      for (const refused of [stage.caller.sendMessage(promise, echoId), stage.caller.publishMessage(promise, news)]) {
        await expect(refused).rejects.toMatchObject({ code: "invalid-message" });
      }
    });

    test("the refusal names the type and says how to declare it", async () => {
      await using stage = await openStage();
      await stage.host("echo");
      const copy: unknown = { ...Ask({ text: "x" }) };
      const text = "Unknown type Object: the value can't be sent because it is of no declared message type.";
      await expect(stage.caller.sendMessage(copy, echoId)).rejects.toThrow(text);
      const ofClass: unknown = new Undeclared();
      await expect(stage.caller.sendMessage(ofClass, echoId)).rejects.toThrow("Unknown type Undeclared");
    });

    test("before it is known whether there is such an agent", async () => {
      await using stage = await openStage();
      const call = stage.caller.sendMessage(42 as unknown, new AgentId("nobody", "k"));
      await expect(call).rejects.toMatchObject({ code: "invalid-message" });
    });

    test("when an intervention returns it for a call", async () => {
      const interventionHandlers = [{ onSend: (): unknown => ({ text: "made up" }) }];
      await using stage = await openStage({ caller: { interventionHandlers } });
      await stage.host("echo");
      const call = stage.caller.sendMessage(Ask({ text: "x" }), echoId);
      await expect(call).rejects.toMatchObject({ code: "invalid-message" });
    });

    test("but not when an intervention makes a message of it before a call is sent", async () => {
      const interventionHandlers = [{ onSend: (): unknown => Ask({ text: "made" }) }];
      await using stage = await openStage({ caller: { interventionHandlers } });
      await stage.host("echo");
      expect(await stage.caller.sendMessage({ text: "plain" } as unknown, echoId)).toEqual(echoed("made"));
    });

    test("but not an instance of a class that the runtimes were told of", async () => {
      await using stage = await openStage();
      for (const runtime of [stage.caller, stage.callee]) runtime.addMessageSerializer(DeclaredMessage);
      await stage.host("echo", ({ text }) => Note({ text }));
      expect(await stage.caller.sendMessage(new Declared(), echoId)).toEqual(Note({ text: "hi" }));
    });

    test("but not an answer of a class that the message's type names", async () => {
      await using stage = await openStage();
      const AskDeclared = classMessage("ContractAskDeclared", Undeclared, { answer: DeclaredMessage });
      for (const runtime of [stage.caller, stage.callee]) runtime.addMessageSerializer(AskDeclared);
      stage.callee.addMessageSerializer(DeclaredMessage);
      await stage.host("echo", () => new Declared());
      expect(await stage.caller.sendMessage(new Undeclared(), echoId)).toBeInstanceOf(Declared);
    });
  });
}

function echoed(text: string): unknown {
  return Answer({ text: `${text} from echo/k` });
}
