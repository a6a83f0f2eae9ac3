import { loggableText } from "../../delivery/loggable.ts";
import type { AgentName } from "../../state/agent-name.ts";
import type { KeptMessage } from "../../state/durable-log.ts";
import type { StoredReminder } from "../../state/state-store.ts";
import type { ReminderRule } from "./reminder-rule.ts";

/** Names one reminder of all agents. */
export function keyOf(agentKey: string, name: string): string {
  return `${agentKey.length}:${agentKey}${name}`;
}

/** The part of a tick that names its reminder. */
export function tickOf({ agent, name, seq }: StoredReminder): { agent: AgentName; name: string; seq: number } {
  return { agent, name, seq };
}

/** Names a tick, the same in each attempt. Its agent remembers the name. */
export function tickIdOf(name: string, { dueMs, setId }: ReminderRule): string {
  return `r:${name}@${dueMs}${setId === undefined ? "" : `;${setId}`}`;
}

/** Makes the message of a dead letter. */
export function letterOf({ agent, name, message }: StoredReminder, rule: ReminderRule): KeptMessage {
  const { dueMs } = rule;
  const id = tickIdOf(name, rule);
  return { id, kind: "call", frame: message, sentAtMs: dueMs, mailbox: agent, place: 0, priorTakeovers: 0 };
}

/** Names a reminder in the log. */
export function shown({ agent, name }: StoredReminder): string {
  return loggableText(`The reminder ${name} of ${agent.type}/${agent.key}`);
}
