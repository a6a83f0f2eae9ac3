import type { AgentRuntime } from "../agent-runtime.ts";
import type { AgentId } from "../agents/agent-id.ts";
import { sharedByCopies } from "../copies.ts";
import { NotAccessibleError } from "../errors.ts";
import type { ReminderInfo, ReminderOptions, When } from "./reminders/when.ts";

/** Sets, cancels and lists the reminders of a runtime's agents. */
export interface AgentPost {
  /** Sets a reminder: in the commit of the agent's turn if it keeps a state, else at once. */
  remind(agent: AgentId, name: string, when: When, message: unknown, options: ReminderOptions): Promise<void>;
  /** Cancels a reminder, likewise. One that is not there is no error. */
  cancel(agent: AgentId, name: string): Promise<void>;
  /** The reminders of an agent by name, those that its turn has set included. */
  list(agent: AgentId): Promise<readonly ReminderInfo[]>;
}

const posts = sharedByCopies("posts", () => new WeakMap<AgentRuntime, AgentPost>());

/** Says what a runtime does for the reminders of its agents. */
export function offerPost(runtime: AgentRuntime, post: AgentPost): void {
  posts.set(runtime, post);
}

/** Returns what a runtime does for the reminders of its agents. Throws `not-accessible` if it keeps none. */
export function postOf(runtime: AgentRuntime): AgentPost {
  const post = posts.get(runtime);
  if (post !== undefined) return post;
  const text = "This runtime keeps no reminders. A SingleThreadedAgentRuntime does.";
  throw new NotAccessibleError(text);
}
