import { AgentId } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import type { HostOccurrence } from "troupe/host";
import { expect, test } from "vitest";
import { Gate } from "../support/gate.ts";
import { NodeProgram } from "../support/node-program.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { StreamProxy } from "../support/stream-proxy.ts";
import { MyMessage } from "../support/worker/messages.ts";

test("a worker that is frozen behind a proxy that answers pings is noticed: its callers get their error, and it comes back", async () => {
  const left = new Gate<HostOccurrence>();
  const cameBack = new Gate();
  const joined = new Set<string>();
  const observer = (what: HostOccurrence) => {
    if (what.at === "session" && what.what === "closed" && what.channel === "data") left.open(what);
    if (what.at !== "registration" || what.what !== "type") return;
    joined.add(what.clientId);
    if (joined.size === 2) cameBack.open();
  };
  await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
    ...{ heartbeatMs: 100, heartbeatTimeoutMs: 3_000, observer, logger: new RecordingLogger() },
    channelOptions: { pingIntervalMs: 100, pingTimeoutMs: 1_000 },
  });
  await host.start();
  await using proxy = await new StreamProxy(host.address).listen();
  await using program = new NodeProgram("tests/e2e/programs/slow-worker.ts", [proxy.address]);
  await program.output(/serving/);
  await using caller = new GrpcWorkerAgentRuntime(host.address, { logger: new RecordingLogger() });
  caller.addMessageSerializer(MyMessage);
  await caller.start();
  const call = caller.sendMessage(MyMessage({ content: "wait" }), new AgentId("slow", "k"));
  const outcome = call.catch((error: unknown) => error);
  await program.output(/handling/);
  program.signal("SIGSTOP");
  expect(await outcome).toMatchObject({ code: "disconnected" });
  expect(await left.opened).toMatchObject({ reason: "lost", detail: expect.stringContaining("no sign of life") });
  program.signal("SIGCONT");
  await cameBack.opened;
});
