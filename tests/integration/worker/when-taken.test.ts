import { describe, expect, test } from "vitest";
import { AgentId, TypeSubscription } from "../../../src/core/index.ts";
import type { RecordingLogger } from "../../support/recording-logger.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { Ask, Reply } from "../../support/worker/messages.ts";
import { startRig, type Transport, type WorkerRig } from "../../support/worker/worker-rig.ts";

/** Agents that answer with the name of their worker. */
function named(name: string) {
  return () => new FunctionAgent(() => Reply({ content: name }));
}

const waitingText = "This worker waits until agent type writer is free";

/** Resolves when a worker has said that it waits. */
async function saidToWait(logger: RecordingLogger): Promise<void> {
  while (!logger.texts("info").some((text) => text.includes(waitingText))) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function whoServes(rig: WorkerRig): Promise<string> {
  const asker = await rig.worker();
  for (const type of [Ask, Reply]) asker.addMessageSerializer(type);
  return (await asker.sendMessage(Ask({ content: "who?" }), new AgentId("writer", "k"))).content;
}

const transports: readonly Transport[] = ["memory", "gRPC"];

describe.each(transports)("an agent type that another worker serves, over %s", (transport) => {
  test("is refused by default: the error names that worker, its address, and what to do", async () => {
    await using rig = await startRig(transport);
    const [a, b] = [await rig.worker(), await rig.worker()];
    await a.registerFactory("writer", named("A"));
    const owner = (await rig.host.inspect()).types.find(({ agentType }) => agentType === "writer")?.owners[0];
    const refused = b.registerFactory("writer", named("B"));
    await expect(refused).rejects.toMatchObject({ name: "TroupeError", code: "already-exists" });
    await expect(refused).rejects.toThrow(
      /^Agent type "writer" is served by worker \S+ at \S+\. Stop that worker first, or register with \{ whenTaken: "wait" \} to take the type over when it leaves\.$/,
    );
    await expect(refused).rejects.toThrow(`worker ${owner} `);
  });

  test("is taken over by a worker that waits as soon as the other leaves, with its subscriptions", async () => {
    await using rig = await startRig(transport);
    const [a, b] = [await rig.worker(), await rig.worker()];
    for (const worker of [a, b]) worker.addMessageSerializer([Ask, Reply]);
    await a.registerFactory("writer", named("A"));
    const registered = b.registerFactory("writer", named("B"), {
      whenTaken: "wait",
      subscriptions: [new TypeSubscription("drafts", "writer")],
    });
    await saidToWait(rig.logger);
    expect(await whoServes(rig)).toBe("A");
    await a.stop();
    await registered;
    expect(await whoServes(rig)).toBe("B");
    expect(rig.logger.texts("info").filter((text) => text.includes(waitingText))).toHaveLength(1);
  });

  test("is waited for by the start of a worker where it was registered before", async () => {
    await using rig = await startRig(transport);
    const a = await rig.worker();
    await a.registerFactory("writer", named("A"));
    const b = rig.newWorker();
    b.addMessageSerializer([Ask, Reply]);
    await b.registerFactory("writer", named("B"), { whenTaken: "wait" });
    const started = b.start();
    await saidToWait(rig.logger);
    await a.stop();
    await started;
    expect(await whoServes(rig)).toBe("B");
  });

  test("is waited for until the signal aborts, and then nothing is left behind", async () => {
    await using rig = await startRig(transport);
    const [a, b] = [await rig.worker(), await rig.worker()];
    await a.registerFactory("writer", named("A"));
    const aborting = new AbortController();
    const registered = b.registerFactory("writer", named("B"), { whenTaken: "wait", signal: aborting.signal });
    const end = expect(registered).rejects.toMatchObject({ code: "cancelled", cause: "enough" });
    await saidToWait(rig.logger);
    aborting.abort("enough");
    await end;
    await a.stop();
    b.addMessageSerializer([Ask, Reply]);
    await b.registerFactory("writer", named("B later"));
    expect(await whoServes(rig)).toBe("B later");
  });

  test("is not waited for by a worker that stops", async () => {
    await using rig = await startRig(transport);
    const [a, b] = [await rig.worker(), await rig.worker()];
    await a.registerFactory("writer", named("A"));
    const registered = b.registerFactory("writer", named("B"), { whenTaken: "wait" });
    const end = expect(registered).rejects.toMatchObject({ name: "UndeliverableException" });
    await saidToWait(rig.logger);
    await b.stop();
    await end;
  });
});

test("a worker that serves the type itself does not wait for it", async () => {
  await using rig = await startRig();
  const worker = await rig.worker();
  await worker.registerFactory("writer", named("A"));
  const again = worker.registerFactory("writer", named("B"), { whenTaken: "wait" });
  await expect(again).rejects.toMatchObject({ code: "already-exists" });
});
