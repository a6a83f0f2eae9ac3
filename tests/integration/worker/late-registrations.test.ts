import { expect, test } from "vitest";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { onlyChannel, type Script } from "../../support/worker/scripted-host.ts";
import { openStage, pass } from "../../support/worker/stage.ts";

const silent: Script = () => new Promise<never>(() => {});

test.each<[string, Script]>([
  ["by a unary call", silent],
  ["in the data channel (generation 1)", onlyChannel],
])("a registration %s that the host does not answer fails after registrationTimeoutMs", async (_how, script) => {
  await using stage = await openStage({ registrationTimeoutMs: 20 });
  const { host, worker, clock } = stage;
  await worker.start();
  host.script = script;
  const registered = worker.registerFactory("a", () => new FunctionAgent());
  await expect(pass(clock, registered)).rejects.toMatchObject({
    name: "TimedOutError",
    message: expect.stringContaining("within 20 ms"),
  });
});
