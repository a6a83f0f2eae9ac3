// The worker: `worker ADDRESS`. Sets reminders of many agents, each of one, and tells how fast and how late they come.
import { AgentId, defineMessage, handlerTable, persistentAgent, RoutedAgent } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { z } from "zod";
import { LatencyRecorder } from "../../support/latencies.ts";
import { commands, tell } from "../../support/peer-commands.ts";
import { Count } from "../calls/messages.ts";
import type { ReminderRound } from "./contenders.ts";

const Due = defineMessage("Due", z.object({ dueMs: z.number() }));
const Remind = defineMessage("Remind", z.object({ dueMs: z.number() }), { answer: Due });

let lateness = new LatencyRecorder();
let left = 0;
let onLast = () => {};

function came(dueMs: number): void {
  lateness.record((Date.now() - dueMs) * 1_000);
  left -= 1;
  if (left === 0) onLast();
}

class Plain extends RoutedAgent {
  static override readonly handlers = handlerTable<Plain>()
    .rpc(Remind, async function ({ dueMs }) {
      await this.remindMe("due", { at: new Date(dueMs) }, Due({ dueMs }));
      return Due({ dueMs });
    })
    .rpc(Due, ({ dueMs }) => came(dueMs));
}

class Kept extends persistentAgent(Count) {
  static override readonly handlers = handlerTable<Kept>()
    .rpc(Remind, async function ({ dueMs }) {
      await this.remindMe("due", { at: new Date(dueMs) }, Due({ dueMs }));
      return Due({ dueMs });
    })
    .rpc(Due, function ({ dueMs }) {
      this.state.total += 1;
      came(dueMs);
    });
}

const [address = ""] = process.argv.slice(2);
const runtime = new GrpcWorkerAgentRuntime(address);
await runtime.start();
await Plain.register(runtime, "plain", () => new Plain("is reminded"));
await Kept.register(runtime, "kept", () => new Kept("is reminded, and counts"));
tell("ready");
/** Reminders that were set in a second before. */
let knownPerSecond: number | undefined;
for await (const { type, count, spreadMs } of commands<ReminderRound>()) {
  // Setting a reminder again replaces it, so that these do not fire.
  knownPerSecond ??= await setAll(type, Math.min(count, 1_000), () => Date.now() + 3_600_000);
  // All are set before the first is due.
  const firstMs = Math.ceil(Date.now() + 500 + (1.5 * count * 1_000) / knownPerSecond);
  lateness = new LatencyRecorder();
  left = count;
  const last = new Promise<void>((resolve) => {
    onLast = resolve;
  });
  const setPerSecond = await setAll(type, count, (index) => firstMs + Math.floor((spreadMs * index) / count));
  knownPerSecond = setPerSecond;
  const isLate = Date.now() > firstMs;
  await last;
  const tookMs = Date.now() - firstMs;
  tell("round", {
    count,
    perSecond: count / (tookMs / 1_000),
    setPerSecond,
    ...lateness.summary(),
    late: Number(isLate),
  });
}
process.exit(0);

/** Sets a reminder of each agent, 256 at a time. Returns how many it set in a second. */
async function setAll(type: string, count: number, dueMsOf: (index: number) => number): Promise<number> {
  const startMs = performance.now();
  const sender = new AgentId("caller", "1");
  let next = 0;
  const setSome = async () => {
    for (; next < count; ) {
      const index = next;
      next += 1;
      await runtime.sendMessage(Remind({ dueMs: dueMsOf(index) }), new AgentId(type, String(index)), { sender });
    }
  };
  await Promise.all(Array.from({ length: 256 }, setSome));
  return count / ((performance.now() - startMs) / 1_000);
}
