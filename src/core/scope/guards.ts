import type { AgentId } from "../agents/agent-id.ts";
import { TroupeError } from "../errors.ts";
import { options as optionsOf } from "../validation/assert-options.ts";
import { number, type OptionKind } from "../validation/option-kinds.ts";
import { type CallPath, nameInPath, turnsOf } from "./call-path.ts";
import { mostDepth } from "./chain-depth.ts";

/** Bounds of the handlers and turns that wait for one call. All are optional. */
export interface CallGuardOptions {
  /** Turns of sequential agents that may wait for a call, one for the other. At most 32, which is the default. */
  readonly maxDepth?: number | undefined;
  /** Turns of one agent among them that a call to this agent may have. Default 8. */
  readonly maxRevisits?: number | undefined;
  /**
   * Handlers of any agents that may wait for a call, one for the other; those of agents that interleave count, too. A runtime counts only while more
   * than 100 of its handlers run; with a smaller bound, while more than that run. It does not count the first handlers of a chain. At most
   * 1 000 000. Default 1 000.
   */
  readonly maxHandlers?: number | undefined;
}

/** Bound of handlers that lead to an event or a told message, and no longer wait for it. */
export interface EventGuardOptions {
  /** Handlers of events, told messages and given-up calls, one after the other, that may lead to the next one. At most 1 000 000. Default 1 000. */
  readonly maxDepth?: number | undefined;
}

/** Bounds that end agents which answer each other without end. All are optional. */
export interface GuardOptions {
  readonly calls?: CallGuardOptions | undefined;
  readonly events?: EventGuardOptions | undefined;
}

/** The bounds with their defaults applied. */
export interface Guards {
  readonly maxDepth: number;
  readonly maxRevisits: number;
  /** `Infinity`: the runtime does not count the handlers that wait for a call. */
  readonly maxHandlers: number;
  /** `Infinity`: the runtime does not count what leads to an event. */
  readonly maxEventDepth: number;
}

// A missing turn would keep a call waiting, so that no path is cut.
/** Turns that a path has at most. */
const longestPath = 32;

const guardOptions = optionsOf<GuardOptions>({
  calls: optionsOf<CallGuardOptions>({
    maxDepth: number({ from: 1, to: longestPath }),
    maxRevisits: number({ from: 0 }),
    maxHandlers: number({ from: 1, to: mostDepth }),
  }),
  events: optionsOf<EventGuardOptions>({ maxDepth: number({ from: 1, to: mostDepth }) }),
});

export const guardsKind: OptionKind = {
  ...guardOptions,
  expected: "false or an object of options",
  accepts: (value) => value === false || guardOptions.accepts(value),
};

/** Applies the defaults. `false` leaves the bound that the form of a path has. */
export function guardsOf(options: GuardOptions | false | undefined): Guards {
  const never = Number.POSITIVE_INFINITY;
  if (options === false) return { maxDepth: longestPath, maxRevisits: never, maxHandlers: never, maxEventDepth: never };
  const { maxDepth = longestPath, maxRevisits = 8, maxHandlers = 1_000 } = options?.calls ?? {};
  return { maxDepth, maxRevisits, maxHandlers, maxEventDepth: options?.events?.maxDepth ?? 1_000 };
}

/** Throws `loop-detected` for a call for which too many turns wait, one for the other, or too many of its own agent. */
export function assertWithinGuards(
  path: CallPath,
  recipient: AgentId,
  { maxDepth, maxRevisits }: Pick<Guards, "maxDepth" | "maxRevisits">,
): void {
  const turns = turnsOf(path);
  if (turns.length >= maxDepth) {
    throw loopDetected(`${turns.length} turns wait for the call to ${recipient}, one for the other`, turns, recipient);
  }
  if (turns.length <= maxRevisits) return;
  const [recipientType, recipientKey] = [nameInPath(recipient.type), nameInPath(recipient.key)];
  const revisits = turns.filter(({ type, key }) => type === recipientType && key === recipientKey).length;
  if (revisits <= maxRevisits) return;
  throw loopDetected(`${revisits} turns of ${recipient} wait for the call to it`, turns, recipient);
}

function loopDetected(what: string, path: CallPath, recipient: AgentId): TroupeError {
  const chain = path.slice(-4).map(({ type, key }) => `${type}/${key}`);
  const text = `${what}: ${path.length > chain.length ? "… → " : ""}${chain.join(" → ")} → ${recipient}. It was not sent.`;
  const advice = "Do these agents call each other without end? If not, raise the bound (the runtime's option guards).";
  return new TroupeError("loop-detected", `${text} ${advice}`);
}
