import { expect, test } from "vitest";
import { SlowStore } from "../../contract/agent-runtime/ahead-cast.ts";
import { add, id, Keeper } from "../../contract/agent-runtime/keepers.ts";
import { Answer, Ask, Order } from "../../contract/agent-runtime/world.ts";
import { Inbox } from "../../support/inbox.ts";
import { startRig } from "../../support/worker/worker-rig.ts";

const longText = "x".repeat(3 * 1024 * 1024);

test("an agent that runs ahead begins no further turn while 16 MiB of its answers wait for the host to write", async () => {
  const stateStore = new SlowStore();
  await using rig = await startRig("memory", { stateStore });
  const [worker, caller] = await Promise.all([rig.worker(), rig.worker()]);
  const begun = new Inbox<string>();
  const make = () =>
    new Keeper((text, agent) => {
      begun.put(text);
      add(text, agent);
      return longText;
    });
  await Keeper.register(worker, "keeper", make, { runAhead: 100 });
  caller.addMessageSerializer([Ask, Order, Answer]);
  const texts = Array.from({ length: 12 }, (_, at) => `${at}`);
  const calls = texts.map((text) => caller.sendMessage(Ask({ text }), id));
  await stateStore.asked.opened;
  // One is being written, and six that wait have 18 MiB together.
  expect(await begun.takeMany(7)).toEqual(texts.slice(0, 7));
  const { text: seen } = await caller.sendMessage(Order({ text: "" }), id, { answer: Answer });
  expect(JSON.parse(seen).log).toEqual(texts.slice(0, 7));
  stateStore.go.open();
  expect((await Promise.all(calls)).map(({ text }) => text.length)).toEqual(texts.map(() => longText.length));
  expect(await begun.takeMany(5)).toEqual(texts.slice(7));
});
