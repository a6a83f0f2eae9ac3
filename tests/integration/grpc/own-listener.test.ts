import { expect, test } from "vitest";
import { AgentId } from "../../../src/core/index.ts";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHostServicer } from "../../../src/grpc/index.ts";
import { grpcListener } from "../../../src/transport/index.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { Ask, Reply } from "../../support/worker/messages.ts";

test("a servicer serves workers on a listener of one's own", async () => {
  const servicer = new GrpcWorkerAgentRuntimeHostServicer();
  const listening = await grpcListener().listen("127.0.0.1:0", [servicer.asLinkService()]);
  try {
    await using worker = new GrpcWorkerAgentRuntime(listening.address);
    await using caller = new GrpcWorkerAgentRuntime(listening.address);
    await Promise.all([worker.start(), caller.start()]);
    worker.addMessageSerializer([Ask, Reply]);
    await worker.registerFactory("greeter", () => new FunctionAgent(() => Reply({ content: "hello" })));
    const answer = await caller.sendMessage(Ask({ content: "?" }), new AgentId("greeter", "k"));
    expect(answer.content).toBe("hello");
  } finally {
    await listening.close();
  }
});
