import { describe, expect, test } from "vitest";
import {
  AgentId,
  DefaultInterventionHandler,
  DropMessage,
  type InterventionHandler,
  type SpanDetails,
  type SpanOperation,
  TopicId,
} from "../../../src/core/index.ts";
import { HandlerContext, InterventionChain } from "../../../src/core/internal.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const recipient = new AgentId("echo", "k");
const messageContext = new HandlerContext({
  sender: undefined,
  topicId: new TopicId("t", "s"),
  isRpc: false,
  messageId: "m",
});

class Doubling extends DefaultInterventionHandler {
  override onSend(message: unknown): unknown {
    return `${message}${message}`;
  }
}

describe("InterventionChain", () => {
  test("knows what nobody looks at", () => {
    const chain = new InterventionChain([{ onSend: (message) => message }]);
    expect([chain.seesSend, chain.seesPublish, chain.seesResponse]).toEqual([true, false, false]);
    expect(new InterventionChain().seesSend).toBe(false);
  });

  test("each handler sees what the one before returned, in order", async () => {
    const chain = new InterventionChain([{ onSend: (message) => `${message}b` }, new Doubling(), {}]);
    expect(await chain.onSend("a", { messageContext, recipient })).toBe("abab");
    expect(await chain.onPublish("a", { messageContext })).toBe("a");
    expect(await chain.onResponse("a", { sender: recipient, recipient: undefined })).toBe("a");
  });

  test("drops for the class and for an instance, and asks nobody after", async () => {
    for (const drop of [DropMessage, new DropMessage()]) {
      let asked = 0;
      const chain = new InterventionChain([
        { onPublish: async () => drop },
        {
          onPublish: () => {
            asked += 1;
          },
        },
      ]);
      expect(await chain.onPublish("a", { messageContext })).toBe(DropMessage);
      expect(asked).toBe(0);
    }
  });

  test("returning nothing warns with the name of the class and the method, and changes nothing", async () => {
    class Forgetful implements InterventionHandler {
      onSend(): void {}
      onResponse(): null {
        return null;
      }
    }
    const logger = new RecordingLogger();
    const chain = new InterventionChain([new Forgetful()], { logger });
    expect(await chain.onSend("a", { messageContext, recipient })).toBe("a");
    expect(await chain.onResponse("a", { sender: recipient, recipient: undefined })).toBe("a");
    expect(logger.texts("warn").map((text) => text.split(":")[0])).toEqual([
      "Intervention handler Forgetful returned nothing from onSend",
      "Intervention handler Forgetful returned nothing from onResponse",
    ]);
  });

  test("an answer that is nothing may be passed on without a warning", async () => {
    const logger = new RecordingLogger();
    const chain = new InterventionChain([new DefaultInterventionHandler()], { logger });
    expect(await chain.onResponse(undefined, { sender: recipient, recipient: undefined })).toBeUndefined();
    expect(logger.lines).toEqual([]);
  });

  test("what a handler throws is thrown on, and what it rejects with rejects", async () => {
    const refuse = () => {
      throw new Error("refused");
    };
    const chain = new InterventionChain([{ onSend: refuse, onPublish: async () => refuse() }]);
    expect(() => chain.onSend("a", { messageContext, recipient })).toThrow("refused");
    await expect(chain.onPublish("a", { messageContext })).rejects.toThrow("refused");
  });

  test("takes its time only where a handler does", async () => {
    // biome-ignore lint/suspicious/noThenProperty: promises of other libraries are such
    const thenable = { then: (resolve: (message: string) => void) => resolve("b") };
    const chain = new InterventionChain([{ onSend: (message) => `${message}!`, onPublish: () => thenable }]);
    expect(chain.onSend("a", { messageContext, recipient })).toBe("a!");
    expect(await chain.onPublish("a", { messageContext })).toBe("b");
  });

  test("calls and events are looked at in a span each, answers are not", async () => {
    const spans: [SpanOperation, SpanDetails][] = [];
    const tracing = {
      span<T>(operation: SpanOperation, details: SpanDetails, body: () => T): T {
        spans.push([operation, details]);
        return body();
      },
      inject: () => ({}),
    };
    const link = { traceparent: "x" };
    const chain = new InterventionChain([new Doubling()], { tracing });
    await chain.onSend("a", { messageContext, recipient }, link);
    await chain.onPublish("a", { messageContext }, link);
    await chain.onResponse("a", { sender: recipient, recipient: undefined });
    expect(spans).toEqual([
      ["intercept", { destination: "Doubling", link }],
      ["intercept", { destination: "Doubling", link }],
    ]);
  });
});
