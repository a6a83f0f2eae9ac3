import { compare } from "../../support/comparing.ts";
import { type PartOptions, planArgs } from "../../support/part-options.ts";
import { PlainCalls, ReminderContender, type ReminderLoad } from "./contenders.ts";

const loads: readonly ReminderLoad[] = [
  { text: "20,000 reminders due at once", count: 20_000, spreadMs: 0 },
  { text: "2,000 reminders/s due for 3 s", count: 6_000, spreadMs: 3_000 },
];

/** Measures how fast reminders are fired, and how late they come. p50 and p99 are from the due time to the handler. */
export async function measureReminders(options: PartOptions): Promise<void> {
  await compare({
    benchmark: "state-reminders",
    title: "reminders fired",
    unit: "fired/s",
    contenders: [
      new ReminderContender("agents without state, SQLite, normal", "plain", "sqlite-normal"),
      new ReminderContender("persistent agents, SQLite, normal", "kept", "sqlite-normal"),
      new ReminderContender("agents without state, memory", "plain", "memory"),
      new PlainCalls(),
    ],
    baseline: "calls without state, 64 in flight",
    loads,
    loadText: ({ text }) => text,
    ...{ seconds: 0, rounds: 2 },
    args: planArgs(options),
  });
}
