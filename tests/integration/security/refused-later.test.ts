import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { functionAuthenticator } from "troupe/security";
import { expect, test } from "vitest";
import { RoutedAgent } from "../../../src/core/index.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

class Writer extends RoutedAgent {}

/** A decision that the test makes when it is time: to refuse. */
function pendingRefusal() {
  let refuse = (_unknown: undefined): void => undefined;
  const decision = new Promise<undefined>((resolve) => {
    refuse = resolve;
  });
  return { decision, refuse: () => refuse(undefined) };
}

test("a worker that does not come back fails at its start when the host refuses it after a while", async () => {
  const { decision, refuse } = pendingRefusal();
  await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
    authenticator: functionAuthenticator(() => decision),
  });
  await host.start();
  const worker = new GrpcWorkerAgentRuntime(host.address, { reconnect: false, logger: new RecordingLogger() });
  const started = worker.start();
  await expect.poll(() => host.counters().transport.unknownMethods, { interval: 1 }).toBeGreaterThan(0);
  refuse();
  await expect(started).rejects.toMatchObject({ code: "not-authorized" });
});

test("a registration under way fails as not authorized when the host refuses the channel of its worker", async () => {
  const refusal = pendingRefusal();
  const never = new Promise<undefined>(() => undefined);
  await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
    authenticator: functionAuthenticator(({ method }) => {
      if (method !== "RegisterAgent") return refusal.decision;
      refusal.refuse();
      return never;
    }),
  });
  await host.start();
  const worker = new GrpcWorkerAgentRuntime(host.address, { logger: new RecordingLogger() });
  await worker.start();
  const registered = Writer.register(worker, "writer", () => new Writer("writes"));
  await expect(registered).rejects.toMatchObject({ code: "not-authorized" });
  await worker.stop();
  await host.stop({ graceMs: 0 });
});
