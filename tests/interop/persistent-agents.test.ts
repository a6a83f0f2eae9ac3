import { defineState, type MessageContext, type MessageOf, persistentAgent, rpc, TopicId } from "troupe";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { GatedStore } from "../support/gated-store.ts";
import { generations } from "./support/generations.ts";
import { Laboratory } from "./support/laboratory.ts";
import { MyMessage } from "./support/messages.ts";
import type { PythonAgent } from "./support/peer-protocol.ts";
import { callFrom } from "./support/python-peers.ts";

const Diary = defineState(z.object({ lines: z.array(z.string()) }), { initial: { lines: [] } });

/** Keeps each line that it is sent, answers with all of them, and publishes the new one. */
class DiaryKeeper extends persistentAgent(Diary) {
  @rpc(MyMessage)
  async write({ content }: MessageOf<typeof MyMessage>, { signal }: MessageContext) {
    this.state.lines.push(content);
    await this.publishMessage(MyMessage({ content }), new TopicId("news", "diary"), { signal });
    if (content === "torn") throw new Error("the page is torn");
    return MyMessage({ content: this.state.lines.join(",") });
  }
}

const agents: readonly PythonAgent[] = [
  { kind: "collector", type: "reader", subscriptions: [{ topicType: "news" }] },
  { kind: "echo", type: "echo" },
];
const line = (content: string) => ({ type: "MyMessage", message: { content } });

for (const generation of generations) {
  describe.skipIf(generation.skipReason)(`a persistent agent of ours, with a worker of ${generation.title}`, () => {
    test("answers it, and sends it its event, when the host's store has written, and not before", async () => {
      const stateStore = new GatedStore();
      await using lab = await Laboratory.start(generation, { stateStore });
      const ours = await lab.typescript();
      await DiaryKeeper.register(ours.runtime, "diary", () => new DiaryKeeper("keeps a diary"));
      const python = await lab.python(agents);
      const answer = callFrom(python, "diary/k", line("first"));
      const { commit, write } = await stateStore.commits.take();
      // What the host sends now would come behind an answer or an event that had left already.
      await callFrom(python, "echo/probe", line("probe"));
      const hasAnswer = await Promise.race([answer.then(() => true), Promise.resolve(false)]);
      const heard = python.eventsNamed("received").filter(({ agent }) => agent === "reader/diary");
      expect({ hasAnswer, heard, agent: `${commit.agent.type}/${commit.agent.key}` }).toEqual({
        ...{ hasAnswer: false, heard: [], agent: "diary/k" },
      });
      write();
      expect(await answer).toMatchObject(line("first"));
      expect(await python.next("received", { agent: "reader/diary" })).toMatchObject(line("first"));
    });

    test("keeps nothing of a turn that fails, and is there with its state for the next worker of its type", async () => {
      await using lab = await Laboratory.start(generation);
      const python = await lab.python(agents);
      const first = await lab.typescript();
      await DiaryKeeper.register(first.runtime, "diary", () => new DiaryKeeper("keeps a diary"));
      expect(await callFrom(python, "diary/k", line("one"))).toMatchObject(line("one"));
      const failed = await callFrom(python, "diary/k", line("torn"));
      expect(failed).toMatchObject({ event: "error", text: expect.stringContaining("the page is torn") });
      await first.runtime.stop();
      const second = await lab.typescript();
      await DiaryKeeper.register(second.runtime, "diary", () => new DiaryKeeper("keeps a diary"));
      expect(await callFrom(python, "diary/k", line("two"))).toMatchObject(line("one,two"));
      await python.next("received", { agent: "reader/diary" });
      await python.next("received", { agent: "reader/diary" });
      const heard = python.eventsNamed("received").filter(({ agent }) => agent === "reader/diary");
      expect(heard.map(({ message }) => message)).toEqual([{ content: "one" }, { content: "two" }]);
    });
  });
}
