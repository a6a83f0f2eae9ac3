import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { AgentId, defineMessage, handlerTable, RoutedAgent } from "../../../src/core/index.ts";
import { Host } from "../../../src/host/index.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { createMemoryNetwork } from "../../../src/transport/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { Inbox } from "../../support/inbox.ts";

const Note = defineMessage("BoundedNote", z.object({ text: z.string() }));
const kiB = 1_024;
const large = Note({ text: "x".repeat(9 * kiB) });

/** A host whose mailboxes take some messages of 9 KiB, and a worker at it. */
async function open() {
  const network = createMemoryNetwork();
  const stateStore = new MemoryStateStore({ maxMailBytes: 64 * kiB });
  const host = new Host({ listener: network, address: "127.0.0.1:0" }, { stateStore });
  await host.start();
  onTestFinished(() => host.stop({ graceMs: 0 }));
  const worker = new WorkerRuntime({ dialer: network, address: host.address });
  onTestFinished(() => worker[Symbol.asyncDispose]());
  await worker.start();
  worker.addMessageSerializer(Note);
  const seen = new Inbox<string>();
  class Seer extends RoutedAgent {
    static override readonly handlers = handlerTable<Seer>().rpc(Note, function () {
      seen.put(this.id.type);
    });
  }
  const serve = (type: string) => Seer.register(worker, type, () => new Seer("sees"));
  /** Lets the event loop turn until all mail was settled. */
  const settled = async () => {
    while ((await stateStore.stats()).mail > 0) await new Promise<void>((resolve) => setImmediate(resolve));
  };
  return { worker, serve, seen, settled };
}

test("a type that has filled its share keeps no mail from another type, and has space when its agents have handled theirs", async () => {
  const { worker, serve, seen, settled } = await open();
  const tell = (type: string, key: string) => worker.tell(large, new AgentId(type, key));
  let told = 0;
  let refusal: unknown;
  while (refusal === undefined) {
    refusal = await tell("greedy", `\n${told}`).catch((error: unknown) => error);
    if (refusal === undefined) told += 1;
  }
  expect(told).toBe(4);
  expect(refusal).toMatchObject({ code: "overloaded", notHandled: true });
  expect(String(refusal)).toMatch(/mailbox of greedy\/\\n4 takes no more: the mail of its agent type .*start one/);
  await tell("modest", "1");
  await serve("modest");
  expect(await seen.take()).toBe("modest");
  await serve("greedy");
  expect(await seen.takeMany(told)).toEqual(Array.from({ length: told }, () => "greedy"));
  await settled();
  await tell("greedy", "more");
  expect(await seen.take()).toBe("greedy");
});
