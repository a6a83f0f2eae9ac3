import { TroupeError } from "../errors.ts";
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
  /**
   * Turns of a persistent agent that may run on its state in memory while a commit is under way. One commit then writes many turns, and
   * their answers and effects leave with it. If it fails, all turns behind it fail, though the calls that they made have been made. The
   * agents must be sequential. Default: what the class says (`static runAhead`), then 0: a turn begins when the one before it is written.
   */
  readonly runAhead?: number | undefined;
}

/** More turns than these would only wait longer for one commit. */
const aheadRange = { from: 0, to: 10_000 };
const concurrencyKind = word("interleaved", "sequential");

export const turnKinds: OptionKinds<TurnOptions> = {
  concurrency: concurrencyKind,
  maxQueuedPerAgent: number(anyRoom),
  maxQueuedBytesPerAgent: number(anyRoom),
  runAhead: number(aheadRange),
};

/** Returns the turn options alone. */
export function turnOptionsOf(options: TurnOptions): TurnOptions {
  const { concurrency, maxQueuedPerAgent, maxQueuedBytesPerAgent, runAhead } = options;
  return { concurrency, maxQueuedPerAgent, maxQueuedBytesPerAgent, runAhead };
}

/** Returns the `static concurrency` of a class, if it has one. Throws `invalid-argument` for any other value. */
export function classConcurrency(agentClass: unknown): AgentConcurrency | undefined {
  if (typeof agentClass !== "function" || !("concurrency" in agentClass)) return undefined;
  const { concurrency } = agentClass;
  if (concurrency === undefined || concurrency === "interleaved" || concurrency === "sequential") return concurrency;
  const expected = `The static concurrency of class ${agentClass.name} must be ${concurrencyKind.expected}`;
  throw wrongValue(expected, concurrency);
}

/** Returns the `static runAhead` of a class, if it has one. Throws `invalid-argument` for a wrong value. */
export function classRunAhead(agentClass: unknown): number | undefined {
  if (typeof agentClass !== "function") return undefined;
  const value: unknown = Reflect.get(agentClass, "runAhead");
  const { from, to } = aheadRange;
  if (value === undefined || (typeof value === "number" && value >= from && value <= to)) return value;
  throw wrongValue(`The static runAhead of class ${agentClass.name} must be a number from ${from} to ${to}`, value);
}

/** Throws `invalid-argument` if agents of a type can't run ahead of their commits. */
export function assertMayRunAhead(
  type: string,
  runAhead: number,
  { isSequential, keepsState }: { readonly isSequential: boolean; readonly keepsState: boolean },
): void {
  if (runAhead === 0 || (isSequential && keepsState)) return;
  const why = keepsState ? "its agents interleave" : "its agents keep no state";
  const text = `The agent type ${type} can't run ahead of commits (runAhead): ${why}.`;
  throw new TroupeError("invalid-argument", `${text} Only sequential agents with a state do. Leave runAhead out.`);
}
