import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { AgentId, TypeSubscription } from "../../../src/core/index.ts";
import type { WirePayload } from "../../../src/protocol/index.ts";
import { eventFrame, next, requestFrame, responseFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { Ask, MyMessage, Reply } from "../../support/worker/messages.ts";
import { ScriptedHost } from "../../support/worker/scripted-host.ts";

const secret = "hunter2";

function unreadable(typeName: string): WirePayload {
  return { typeName, contentType: "application/json", data: new TextEncoder().encode(`password=${secret}`) };
}

describe("a payload that can't be read", () => {
  test("is not written to the log when an event is dropped for it", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    worker.addMessageSerializer([MyMessage, Reply]);
    await worker.registerFactory("a", () => new FunctionAgent(() => Reply({ content: "still here" })));
    await worker.addSubscription(new TypeSubscription("t", "a"));
    channel.send(eventFrame("t/s", { payload: unreadable("MyMessage") }));
    channel.send(requestFrame("a/k"));
    await next(channel, "response");
    expect(host.logger.texts("warn")).toEqual([
      "An event (MyMessage on t/s) was dropped: MyMessage can't be read as JSON: its text is not JSON",
    ]);
    expect(inspect(host.logger.lines, { depth: null })).not.toContain(secret);
  });

  test("is not told to the caller of a call that carried it, nor logged", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker({ sendsStacks: true });
    worker.addMessageSerializer(MyMessage);
    await worker.registerFactory("a", () => new FunctionAgent(() => undefined));
    channel.send(requestFrame("a/k", { payload: unreadable("MyMessage") }));
    const answer = await next(channel, "response");
    expect(answer.error).toBe("MyMessage can't be read as JSON: its text is not JSON");
    expect(inspect([answer, host.logger.lines], { depth: null })).not.toContain(secret);
  });

  test("is not logged when it is the answer that an event's handler waits for; the error's cause has it", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const seen: unknown[] = [];
    worker.addMessageSerializer([MyMessage, Reply]);
    await worker.registerFactory("a", () => {
      return new FunctionAgent(async () => {
        const answer = worker.sendMessage(Ask({ content: "?" }), new AgentId("b", "k"));
        await answer.catch((error: unknown) => seen.push(error));
        await answer;
      });
    });
    await worker.addSubscription(new TypeSubscription("t", "a"));
    channel.send(eventFrame("t/s"));
    const { requestId } = await next(channel, "request");
    channel.send(responseFrame(requestId, { payload: unreadable("Reply") }));
    await worker.stop();
    expect(seen).toEqual([expect.objectContaining({ cause: expect.any(SyntaxError) })]);
    expect(host.logger.texts("error")).toEqual([
      expect.stringContaining("failed on an event from t/s (MyMessage): Reply can't be"),
    ]);
    expect(inspect(host.logger.lines, { depth: null })).not.toContain(secret);
  });
});
