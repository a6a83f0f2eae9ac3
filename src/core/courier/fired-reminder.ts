import { loggableText } from "../delivery/loggable.ts";
import type { AgentName } from "../state/agent-name.ts";
import type { KeptMessage } from "../state/durable-log.ts";
import type { StoredReminder } from "../state/state-store.ts";
import type { ReminderRule } from "./reminder-rule.ts";

// A reminder as memory, ticks, dead letters and logs name it.

export function keyOf(agentKey: string, name: string): string {
  return `${agentKey.length}:${agentKey}${name}`;
}

export function tickOf({ agent, name, seq }: StoredReminder): { agent: AgentName; name: string; seq: number } {
  return { agent, name, seq };
}

export function letterOf({ agent, name, message }: StoredReminder, { dueMs }: ReminderRule): KeptMessage {
  const id = `r:${name}@${dueMs}`;
  return { id, kind: "call", frame: message, sentAtMs: dueMs, mailbox: agent, place: 0, priorTakeovers: 0 };
}

export function shown({ agent, name }: StoredReminder): string {
  return loggableText(`The reminder ${name} of ${agent.type}/${agent.key}`);
}
