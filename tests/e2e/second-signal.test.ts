import { constants } from "node:os";
import { GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { expect, test } from "vitest";
import { NodeProgram } from "../support/node-program.ts";

test("a second process signal ends a worker's program whose handler never ends and has a timer", async () => {
  await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
  await host.start();
  await using program = new NodeProgram("tests/e2e/faults/programs/ticking-worker.ts", [host.address]);
  await program.output(/ready/);
  program.signal("SIGTERM");
  await program.output(/draining/);
  expect(await program.stop("SIGTERM")).toMatchObject({ code: 128 + constants.signals.SIGTERM });
});
