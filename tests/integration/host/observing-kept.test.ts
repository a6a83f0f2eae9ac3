import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { AgentId, defineMessage, handlerTable, RoutedAgent } from "../../../src/core/index.ts";
import { Host, type HostOccurrence } from "../../../src/host/index.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { createMemoryNetwork } from "../../../src/transport/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { Inbox } from "../../support/inbox.ts";

const Note = defineMessage("ObservedNote", z.object({ text: z.string() }));

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

/** A host that tries everything twice, a worker at it, and what an observer sees of one kind. */
async function open(at: HostOccurrence["at"]) {
  const seen = new Inbox<HostOccurrence>();
  const network = createMemoryNetwork();
  const host = new Host(
    { listener: network, address: "127.0.0.1:0" },
    {
      stateStore: new MemoryStateStore(),
      retry: { attempts: 2, initialDelayMs: 1, maxDelayMs: 1 },
      observer: (what) => {
        if (what.at === at) seen.put(what);
      },
    },
  );
  await host.start();
  onTestFinished(() => host.stop({ graceMs: 0 }));
  const worker = new WorkerRuntime({ dialer: network, address: host.address, logger: quiet });
  onTestFinished(() => worker[Symbol.asyncDispose]());
  await worker.start();
  class Clerk extends RoutedAgent {
    static override readonly handlers = handlerTable<Clerk>().rpc(Note, async function ({ text }) {
      if (text.startsWith("remind of ")) await this.remindMe("it", { after: 0 }, Note({ text: text.slice(10) }));
      else if (text === "bad") throw new Error("it is bad");
    });
  }
  await Clerk.register(worker, "clerk", () => new Clerk("takes notes"));
  return { seen, tell: (text: string) => worker.tell(Note({ text }), new AgentId("clerk", text.replaceAll(" ", "-"))) };
}

test("an observer sees a told message kept and delivered, or tried again and buried, with the code and its age", async () => {
  const { seen, tell } = await open("mail");
  const mail = { at: "mail", agentType: "clerk", key: "bad" };
  await tell("good");
  expect(await seen.takeMany(2)).toEqual([
    { ...mail, key: "good", what: "kept", code: undefined, ageMs: 0 },
    { ...mail, key: "good", what: "delivered", code: undefined, ageMs: expect.any(Number) },
  ]);
  await tell("bad");
  expect(await seen.takeMany(3)).toEqual([
    { ...mail, what: "kept", code: undefined, ageMs: 0 },
    { ...mail, what: "retried", code: "handler-failed", ageMs: expect.any(Number) },
    { ...mail, what: "buried", code: "handler-failed", ageMs: expect.any(Number) },
  ]);
});

test("an observer sees a reminder fire, or tried again and given up, with the code and how late it was", async () => {
  const { seen, tell } = await open("reminder");
  const reminder = { at: "reminder", agentType: "clerk", name: "it", lateMs: expect.any(Number) };
  await tell("remind of good");
  expect(await seen.take()).toEqual({ ...reminder, key: "remind-of-good", what: "fired", code: undefined });
  await tell("remind of bad");
  expect(await seen.takeMany(2)).toEqual([
    { ...reminder, key: "remind-of-bad", what: "retried", code: "handler-failed" },
    { ...reminder, key: "remind-of-bad", what: "failed", code: "handler-failed" },
  ]);
});
