import { expect, test } from "vitest";
import { SlowStore } from "../../contract/agent-runtime/ahead-cast.ts";
import { add, id, Keeper } from "../../contract/agent-runtime/keepers.ts";
import { Answer, Ask, Order } from "../../contract/agent-runtime/world.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { startRig } from "../../support/worker/worker-rig.ts";

const longText = "x".repeat(3 * 1024 * 1024);

test("an agent that runs ahead begins no further turn while 16 MiB of its answers wait for the host to write", async () => {
  const stateStore = new SlowStore();
  await using rig = await startRig("memory", { stateStore });
  const [worker, caller] = await Promise.all([rig.worker(), rig.worker()]);
  const begun = new Inbox<string>();
  const allCame = new Gate();
  const make = () =>
    new Keeper(async (text, agent) => {
      begun.put(text);
      add(text, agent);
      if (text === "0") await allCame.opened;
      return longText;
    });
  await Keeper.register(worker, "keeper", make, { runAhead: 100 });
  caller.addMessageSerializer([Ask, Order, Answer]);
  const texts = Array.from({ length: 12 }, (_, at) => `${at}`);
  const calls = texts.map((text) => caller.sendMessage(Ask({ text }), id));
  const seenLog = async () => {
    const { text } = await caller.sendMessage(Order({ text: "" }), id, { answer: Answer });
    return JSON.parse(text).log;
  };
  // This call comes behind all others, and has no turn to wait for.
  await begun.take();
  expect(await seenLog()).toEqual(["0"]);
  allCame.open();
  await stateStore.asked.opened;
  // One is being written, and six that wait have 18 MiB together.
  expect(await begun.takeMany(6)).toEqual(texts.slice(1, 7));
  // A turn that may begin has begun and ended after so many ways to the agent and back.
  for (let rounds = 0; rounds < 50; rounds += 1) await seenLog();
  expect(await seenLog()).toEqual(texts.slice(0, 7));
  stateStore.go.open();
  expect((await Promise.all(calls)).map(({ text }) => text.length)).toEqual(texts.map(() => longText.length));
  expect(await begun.takeMany(5)).toEqual(texts.slice(7));
});
