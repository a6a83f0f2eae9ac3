import type { AgentId } from "../../agents/agent-id.ts";
import type { CountedCall, CountingAgent, ScopeHandler } from "../../scope/handler-scope.ts";

/** The running handlers of an agent for whose calls as many handlers wait. */
interface Level {
  readonly above: number;
  running: number;
  /** Their calls under way. */
  calling: number;
}

/**
 * The counted handlers of one agent. A call may name none of them, by a signal or a scope. Then it counts as a call of the handler with the fewest
 * handlers above it, among those that wait for no call. Calls that the agent makes one directly after the other are those of one handler.
 */
export class AgentHandlers implements CountingAgent {
  /** The sender of the message that came last. */
  newestSender: AgentId | undefined;
  readonly #onEmpty: () => void;
  readonly #levels: Level[] = [];
  #running = 0;
  /** The level of the calls that the agent makes now, one directly after the other. */
  #now: Level | undefined;

  constructor(onEmpty: () => void) {
    this.#onEmpty = onEmpty;
  }

  begin({ above, sender }: ScopeHandler): void {
    const level = this.#levelOf(above);
    if (level === undefined) this.#levels.push({ above, running: 1, calling: 0 });
    else level.running += 1;
    this.#running += 1;
    this.newestSender = sender;
    this.#now = undefined;
  }

  end({ above }: ScopeHandler): void {
    const level = this.#levelOf(above);
    if (level === undefined) return;
    level.running -= 1;
    if (level.running === 0) this.#levels.splice(this.#levels.indexOf(level), 1);
    this.#running -= 1;
    this.#now = undefined;
    if (this.#running === 0) this.#onEmpty();
  }

  callOf(handler: ScopeHandler, above: number): CountedCall {
    return new CallOfLevel(above, this.#levelOf(handler.above));
  }

  /** Notes a call that names no handler. */
  ownCall(): CountedCall {
    const [first] = this.#levels;
    if (first === undefined || this.#levels.length === 1) return new CallOfLevel(first?.above ?? 0, first);
    const least = this.#levels.reduce((one, other) => (other.above < one.above ? other : one), first);
    const caller = this.#now ?? this.#freeLevel() ?? least;
    this.#callsFrom(caller);
    // A wrong guess would count more and more handlers from chain to chain. In a loop each handler stands at most for two.
    return new CallOfLevel(Math.min(caller.above, least.above + 2 * (this.#running - 1)), caller);
  }

  #levelOf(above: number): Level | undefined {
    for (const level of this.#levels) if (level.above === above) return level;
    return undefined;
  }

  /** Returns the lowest level with a handler that waits for no call. */
  #freeLevel(): Level | undefined {
    let free: Level | undefined;
    for (const level of this.#levels) {
      if (level.calling < level.running && (free === undefined || level.above < free.above)) free = level;
    }
    return free;
  }

  #callsFrom(level: Level): void {
    if (this.#now === level) return;
    this.#now = level;
    queueMicrotask(() => {
      this.#now = undefined;
    });
  }
}

/** A call of a handler of a level. */
class CallOfLevel implements CountedCall {
  readonly waiting: number;
  readonly #level: Level | undefined;

  constructor(above: number, level: Level | undefined) {
    this.waiting = above + 1;
    this.#level = level;
    if (level !== undefined) level.calling += 1;
  }

  end(): void {
    if (this.#level !== undefined) this.#level.calling -= 1;
  }
}
