import { AgentId } from "troupe";
import { startTestHost } from "troupe/testing";
import { WorkerRuntime } from "troupe/worker";
import { expect, test } from "vitest";
import { AskToGreet, Greeter } from "./greeter.ts";

test("the greeter answers with the name that it was given", async () => {
  await using host = await startTestHost();
  await using worker = new WorkerRuntime(host);
  await worker.start();
  await Greeter.register(worker, "greeter", () => new Greeter("greets people"));
  const greeting = await worker.sendMessage(AskToGreet({ name: "Ada" }), new AgentId("greeter", "default"));
  expect(greeting.content).toBe("Hello, Ada!");
});
