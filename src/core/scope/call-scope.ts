import type { AgentRuntime } from "../agent-runtime.ts";
import type { AgentId } from "../agents/agent-id.ts";
import { sharedByCopies } from "../copies.ts";
import { joinUntilGarbage } from "../follow-abort.ts";
import { assertSignal } from "../validation/option-kinds.ts";
import { wrongValue } from "../validation/option-values.ts";
import type { CallPath } from "./call-path.ts";
import type { Deadline } from "./deadline.ts";

/** The handler that makes a call: the call inherits the time that is left to it. `context.scope` is the scope of a handler. */
export interface CallScope {
  /** The agent whose handler runs. */
  readonly agentId: AgentId;
  /** The runtime in which the handler runs. */
  readonly runtime: AgentRuntime;
  /** When the handler's own caller stops waiting. Undefined: without a limit. */
  readonly deadline: Deadline | undefined;
  /**
   * The turns of sequential agents that wait for a call of the handler, the outermost first; its own turn is the last one. Empty where
   * nothing is sequential, and after the end of the handler. A turn that has given up the call of the handler does not wait.
   */
  readonly path: CallPath;
  /**
   * The number of handlers of events, told messages and given-up calls, one after the other, that led to what this handler sends; its own counts. A
   * call hands it on. 0: there is none. The runtime's option `guards` bounds it.
   */
  readonly depth: number;
}

/** Makes its scope on first use. */
export interface ScopeHolder {
  readonly scope: CallScope;
}

/** Maps a signal to its holder. The holder makes the scope on first use, so that an unused scope costs nothing. */
const holders = sharedByCopies("scopes", () => new WeakMap<AbortSignal, ScopeHolder>());

/**
 * Returns the scope of a handler's signal or of a signal that `withScope` made. Undefined for every other signal, and for a
 * handler's own signal once the handler has ended.
 */
export function scopeOf(signal: AbortSignal): CallScope | undefined {
  assertSignal(signal);
  return holders.get(signal)?.scope;
}

/**
 * Returns a signal that carries a scope and aborts when `signal` does, or the first of several signals. Signals that you combine lose the scope of the
 * handler, and with it the time that is left: `withScope` gives it back. The signals that you pass stay as they are. One of them may live as long
 * as the process: it keeps nothing of the returned signal.
 *
 * @example
 * ```ts
 * const signal = withScope([context.signal, mine], context.scope);
 * await this.sendMessage(Ask({ text }), writer, { signal });
 * ```
 */
export function withScope(signal: AbortSignal | readonly AbortSignal[], scope: CallScope): AbortSignal {
  const signals = Array.isArray(signal) ? signal : [signal];
  for (const one of signals) assertSignal(one);
  if (typeof scope !== "object" || scope === null) {
    throw wrongValue("The scope must be that of a handler, context.scope", scope);
  }
  const scoped = joinUntilGarbage(...signals);
  holders.set(scoped, { scope });
  return scoped;
}

/** Gives a handler's signal its scope. */
export function holdScope(signal: AbortSignal, holder: ScopeHolder): void {
  holders.set(signal, holder);
}

/** Takes the scope off a handler's signal when the handler has ended. Later calls with that signal inherit nothing. */
export function dropScope(signal: AbortSignal): void {
  holders.delete(signal);
}
