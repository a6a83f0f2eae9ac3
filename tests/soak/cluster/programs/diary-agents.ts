import { type AgentRuntime, defineMessage, defineState, handlerTable, persistentAgent, TypeSubscription } from "troupe";
import { z } from "zod";
import { Echo } from "../../../support/load/agents.ts";

/** An entry of a diary, told to it. */
export const Wrote = defineMessage("Wrote", z.object({ entry: z.string() }));
/** An entry of a diary, published to it as a durable event. */
export const Happened = defineMessage("Happened", z.object({ entry: z.string() }));
export const Diary = defineMessage("Diary", z.object({ entries: z.array(z.string()) }));
export const ReadDiary = defineMessage("ReadDiary", z.object({}), { answer: Diary });

export const diaryTopic = "happened";

const Entries = defineState(z.object({ entries: z.array(z.string()) }), { initial: { entries: [] } });

/** Keeps what it was told and what has happened, in that order. */
class DiaryAgent extends persistentAgent(Entries) {
  static override readonly shared = true;
  static override readonly handlers = handlerTable<DiaryAgent>()
    .rpc(Wrote, function ({ entry }) {
      this.state.entries.push(entry);
    })
    .event(Happened, function ({ entry }) {
      this.state.entries.push(entry);
    })
    .rpc(ReadDiary, function () {
      return Diary({ entries: [...this.state.entries] });
    });
}

/** Registers diaries with their durable subscription, and agents that answer at once. All are of shared types. */
export async function registerDiaries(worker: AgentRuntime): Promise<void> {
  await DiaryAgent.register(worker, "diary", () => new DiaryAgent("keeps entries"));
  await worker.addSubscription(new TypeSubscription(diaryTopic, "diary", { durable: true }));
  await Echo.register(worker, "echo", () => new Echo(), { shared: true });
}
