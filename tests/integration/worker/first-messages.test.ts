import { describe, expect, test } from "vitest";
import { AgentId, handlerTable, RoutedAgent } from "../../../src/core/index.ts";
import { emptyMessage } from "../../../src/protocol/index.ts";
import { Gate } from "../../support/gate.ts";
import { jsonOf, jsonPayload, requestFrame } from "../../support/worker/frames.ts";
import { Ask, Reply } from "../../support/worker/messages.ts";
import { ScriptedHost } from "../../support/worker/scripted-host.ts";

class Answering extends RoutedAgent {
  static override readonly handlers = handlerTable<Answering>().rpc(Ask, ({ content }) => Reply({ content }));
}

const asked = requestFrame("a/k", { requestId: "1", payload: jsonPayload("Ask", { content: "quick" }) });

describe("a call that comes as soon as the host knows the type", () => {
  test.each([
    ["an agent class", (worker: Worker) => Answering.register(worker, "a", () => new Answering("answers"))],
    ["an instance", (worker: Worker) => new Answering("answers").registerInstance(worker, new AgentId("a", "k"))],
  ])("is answered by %s that is still being registered", async (_name, register) => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const answered = new Gate();
    host.script = async ({ method }) => {
      if (method === "AddSubscription") await answered.opened;
      return emptyMessage;
    };
    const registered = register(worker);
    while (!host.methods.includes("AddSubscription")) await new Promise((resolve) => setImmediate(resolve));
    channel.send(asked);
    const answer = await channel.received.take();
    answered.open();
    await registered;
    expect(answer).toMatchObject({ kind: "response", requestId: "1", error: "" });
    expect(answer.kind === "response" && jsonOf(answer.payload)).toEqual({ content: "quick" });
  });
});

type Worker = Awaited<ReturnType<ScriptedHost["worker"]>>[0];
