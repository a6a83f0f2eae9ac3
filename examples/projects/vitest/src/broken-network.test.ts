import { AgentId } from "troupe";
import { startFaultProxy, startTestHost } from "troupe/testing";
import { WorkerRuntime } from "troupe/worker";
import { expect, test } from "vitest";
import { AskToGreet, Greeter } from "./greeter.ts";

test("a worker whose connection is reset comes back, and answers again", async () => {
  await using host = await startTestHost({ link: "grpc" });
  await using network = await startFaultProxy({ target: host.address });
  await using greeters = new WorkerRuntime({ dialer: host.dialer, address: network.address });
  await using caller = new WorkerRuntime(host);
  await greeters.start();
  await caller.start();
  await Greeter.register(greeters, "greeter", () => new Greeter("greets people"));

  network.apply({ kind: "reset" });
  for await (const { at } of greeters.status()) if (at === "waiting") break;
  for await (const { at } of greeters.status()) if (at === "connected") break;

  const greeting = await caller.sendMessage(AskToGreet({ name: "Ada" }), new AgentId("greeter", "default"));
  expect(greeting.content).toBe("Hello, Ada!");
});
