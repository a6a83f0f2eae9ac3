import type { OptionKinds } from "../validation/assert-options.ts";
import { number, word } from "../validation/option-kinds.ts";
import { anyRoom, wrongValue } from "../validation/option-values.ts";

/**
 * The turns of one agent's messages. `interleaved`: while one handler awaits something, others run, as in AutoGen.
 * `sequential`: one message at a time, in the order of arrival.
 */
export type AgentConcurrency = "interleaved" | "sequential";

/**
 * The turn of a message at a sequential agent. `alone`: nothing runs beside it. `reading`: it runs together with other
 * reading turns. `interleaving`: it begins at once, whatever runs, and nothing waits for it.
 */
export type TurnKind = "alone" | "reading" | "interleaving";

/** Options of how the agents of a type take turns. All are optional. */
export interface TurnOptions {
  /**
   * `sequential`: each agent of the type handles one message at a time. Default: what the class says (`static concurrency`), then
   * what the runtime says (`sequentialAgents`), then `interleaved`. Instances of one type share what the first one has.
   */
  readonly concurrency?: AgentConcurrency | undefined;
  /**
   * Largest number of messages that wait for their turn at one sequential agent. Beyond it a call rejects with
   * `UndeliverableException` (code `overloaded`), and an event is dropped and counted (`droppedEvents`). Default 1 000.
   */
  readonly maxQueuedPerAgent?: number | undefined;
  /**
   * The same bound in bytes, for messages that came from a host. A message that waits alone may be longer. Default 16 MiB.
   */
  readonly maxQueuedBytesPerAgent?: number | undefined;
}

const concurrencyKind = word("interleaved", "sequential");

export const turnKinds: OptionKinds<TurnOptions> = {
  concurrency: concurrencyKind,
  maxQueuedPerAgent: number(anyRoom),
  maxQueuedBytesPerAgent: number(anyRoom),
};

/** Returns the turn options alone. */
export function turnOptionsOf(options: TurnOptions): TurnOptions {
  const { concurrency, maxQueuedPerAgent, maxQueuedBytesPerAgent } = options;
  return { concurrency, maxQueuedPerAgent, maxQueuedBytesPerAgent };
}

/** Returns the `static concurrency` of a class, if it has one. Throws `invalid-argument` for any other value. */
export function classConcurrency(agentClass: unknown): AgentConcurrency | undefined {
  if (typeof agentClass !== "function" || !("concurrency" in agentClass)) return undefined;
  const { concurrency } = agentClass;
  if (concurrency === undefined || concurrency === "interleaved" || concurrency === "sequential") return concurrency;
  const expected = `The static concurrency of class ${agentClass.name} must be ${concurrencyKind.expected}`;
  throw wrongValue(expected, concurrency);
}
