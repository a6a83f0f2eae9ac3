import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  AgentId,
  BaseAgent,
  defineMessage,
  type Logger,
  SingleThreadedAgentRuntime,
} from "../../../../src/core/index.ts";

const Ask = defineMessage("Ask", z.object({ text: z.string() }));

class Failing extends BaseAgent {
  constructor() {
    super("fails");
  }

  protected override onMessageImpl(): never {
    throw new RangeError("boom");
  }
}

const throwing = (): never => {
  throw new Error("the observer is broken");
};

describe("an observer that throws", () => {
  test("keeps no failure from its caller", async () => {
    const logger: Logger = { debug: throwing, info: throwing, warn: throwing, error: throwing };
    const messageLog = {
      withPayloads: false,
      emit: ({ type }: { readonly type: string }) => {
        if (type === "MessageHandlerException") throwing();
      },
    };
    const runtime = new SingleThreadedAgentRuntime({ logger, messageLog });
    await runtime.registerFactory("a", () => new Failing());
    await runtime.start();
    const id = new AgentId("a", "k");
    for (const text of ["first", "second"]) {
      await expect(runtime.sendMessage(Ask({ text }), id)).rejects.toThrow("boom");
    }
    await runtime.close();
  });
});
