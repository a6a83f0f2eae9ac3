import { describe, expect, test } from "vitest";
import {
  AgentId,
  DropMessage,
  type InterventionHandler,
  MessageDroppedException,
  TopicId,
} from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { Answer, Ask, Note, type Suite } from "./world.ts";

const echoId = new AgentId("echo", "k");
const news = new TopicId("news", "k");

/** Adds a mark to every text that passes. */
function marking(mark: string): InterventionHandler {
  return {
    onSend: (message) => Ask({ text: `${textOf(message)}${mark}` }),
    onPublish: (message) => Note({ text: `${textOf(message)}${mark}` }),
    onResponse: (message) => Answer({ text: `${textOf(message)}${mark}` }),
  };
}

function textOf(message: unknown): string {
  return typeof message === "object" && message !== null && "text" in message ? String(message.text) : "";
}

export function describeInterventions({ openStage }: Suite): void {
  describe("interventions of the sending side", () => {
    test("may change calls, events and answers, each seeing what the one before returned [§8.124]", async () => {
      await using stage = await openStage({ caller: { interventionHandlers: [marking("+"), marking("*")] } });
      await stage.host("echo");
      await stage.listen("news", "reader");
      expect((await stage.caller.sendMessage(Ask({ text: "x" }), echoId)).text).toBe("x+* from echo/k+*");
      await stage.caller.publishMessage(Note({ text: "y" }), news);
      expect((await stage.seen.take()).text).toBe("y+*");
    });

    test("learn whom a call is for and who sends it, and that an event is no call", async () => {
      const told: unknown[] = [];
      const handler: InterventionHandler = {
        onSend: (message, { recipient, messageContext }) => {
          const { isRpc, topicId, sender } = messageContext;
          told.push([recipient.toString(), isRpc, topicId, sender?.toString()]);
          return message;
        },
        onPublish: async (message, { messageContext }) => {
          const { isRpc, topicId, sender } = messageContext;
          told.push([isRpc, topicId?.toString(), sender?.toString()]);
          return message;
        },
        onResponse: (message, { sender, recipient }) => {
          told.push([sender.toString(), recipient?.toString()]);
          return message;
        },
      };
      await using stage = await openStage({ caller: { interventionHandlers: [handler] } });
      await stage.host("echo");
      await stage.listen("news", "reader");
      const sender = new AgentId("someone", "s");
      await stage.caller.sendMessage(Ask({ text: "x" }), echoId, { sender });
      await stage.caller.publishMessage(Note({ text: "y" }), news, { sender });
      await stage.seen.take();
      expect(told).toEqual([
        ["echo/k", true, undefined, "someone/s"],
        ["echo/k", "someone/s"],
        [false, "news/k", "someone/s"],
      ]);
    });

    test("may drop: callers are told, events vanish", async () => {
      const handler: InterventionHandler = {
        onSend: (message) => (textOf(message) === "drop" ? DropMessage : message),
        onPublish: (message) => (textOf(message) === "drop" ? new DropMessage() : message),
        onResponse: (message) => (textOf(message) === "drop answer from echo/k" ? DropMessage : message),
      };
      await using stage = await openStage({ caller: { interventionHandlers: [handler] } });
      await stage.host("echo");
      await stage.listen("news", "reader");
      for (const text of ["drop", "drop answer"]) {
        const call = stage.caller.sendMessage(Ask({ text }), echoId);
        await expect(call).rejects.toBeInstanceOf(MessageDroppedException);
      }
      for (const text of ["drop", "keep"]) await stage.caller.publishMessage(Note({ text }), news);
      expect((await stage.seen.take()).text).toBe("keep");
    });

    test("may throw: callers get that error, events vanish and it is logged", async () => {
      const handler: InterventionHandler = {
        onSend: (message) => refuse(message, "send"),
        onPublish: (message) => refuse(message, "publish"),
        onResponse: (message) => refuse(message, "response from echo/k"),
      };
      await using stage = await openStage({ caller: { interventionHandlers: [handler] } });
      await stage.host("echo");
      await stage.listen("news", "reader");
      await expect(stage.caller.sendMessage(Ask({ text: "send" }), echoId)).rejects.toThrow("no send");
      await expect(stage.caller.sendMessage(Ask({ text: "response" }), echoId)).rejects.toThrow("no response");
      for (const text of ["publish", "keep"]) await stage.caller.publishMessage(Note({ text }), news);
      expect((await stage.seen.take()).text).toBe("keep");
      expect(stage.logger.texts("error").join()).toContain("no publish");
    });

    test("may make calls of their own and wait for them; other messages go on meanwhile", async () => {
      const gate = new Gate();
      const asking: InterventionHandler = {
        onSend: async (message) => {
          if (textOf(message) !== "outer") return message;
          const { text } = await stage.caller.sendMessage(Ask({ text: "inner" }), echoId);
          return Ask({ text: `outer, after ${text}` });
        },
        onPublish: async (message) => {
          if (textOf(message) !== "slow") return message;
          await gate.opened;
          return message;
        },
      };
      await using stage = await openStage({ caller: { interventionHandlers: [asking] } });
      await stage.host("echo");
      await stage.listen("news", "reader");
      const { text } = await stage.caller.sendMessage(Ask({ text: "outer" }), echoId);
      expect(text).toBe("outer, after inner from echo/k from echo/k");
      const slow = stage.caller.publishMessage(Note({ text: "slow" }), news);
      await stage.caller.publishMessage(Note({ text: "quick" }), news);
      expect((await stage.seen.take()).text).toBe("quick");
      gate.open();
      await slow;
      expect((await stage.seen.take()).text).toBe("slow");
    });

    test("that decide at once keep the order of what they see", async () => {
      await using stage = await openStage({ caller: { interventionHandlers: [marking("+")] } });
      await stage.listen("news", "reader");
      const texts = Array.from({ length: 20 }, (_, index) => `${index}`);
      for (const text of texts) await stage.caller.publishMessage(Note({ text }), news);
      expect((await stage.seen.takeMany(20)).map(({ text }) => text)).toEqual(texts.map((text) => `${text}+`));
    });

    test("that return nothing leave the message as it is, with a warning [§8.125]", async () => {
      const forgetful: InterventionHandler = {
        onSend: () => undefined,
        onPublish: () => undefined,
        onResponse: () => undefined,
      };
      await using stage = await openStage({ caller: { interventionHandlers: [forgetful] } });
      await stage.host("echo");
      await stage.listen("news", "reader");
      expect((await stage.caller.sendMessage(Ask({ text: "x" }), echoId)).text).toBe("x from echo/k");
      await stage.caller.publishMessage(Note({ text: "y" }), news);
      expect((await stage.seen.take()).text).toBe("y");
      const warnings = stage.logger.texts("warn").join("\n");
      for (const name of ["onSend", "onPublish", "onResponse"]) expect(warnings).toContain(name);
    });
  });
}

function refuse(message: unknown, text: string): unknown {
  if (textOf(message) === text) throw new Error(`no ${text}`);
  return message;
}
