import { type Clock, longestTimerMs, type Timer } from "../../clock.ts";
import type { ActivationCounters } from "./activation-counters.ts";
import type { AgentKind } from "./agent-kind.ts";
import type { LiveAgents } from "./live-agents.ts";

export interface LiveLimitsOptions {
  readonly clock: Clock;
  readonly counts: ActivationCounters;
  /** Largest number of live agents of all types together. */
  readonly maxLiveAgents: number;
  /** Returns the registered types. */
  readonly kinds: () => Iterable<AgentKind>;
  /** Whether too many deactivations run for another one to begin. */
  readonly isFull: () => boolean;
  /** The same for an idle agent, before which others go. */
  readonly isFullForIdleness: () => boolean;
  /** Deactivates a live agent that has no turn and no waiting message, or lets it leave (`LiveAgents.leave`). */
  readonly deactivate: (kind: AgentKind, key: string, reason: "idle" | "capacity") => void;
}

/** Agents at which a sweep looks in one turn of the event loop. */
const mostInTurn = 1_000;

/**
 * Keeps the tracked types within their limits. It deactivates agents that are idle, and those that were unused for the longest time
 * when there are too many.
 */
export class LiveLimits {
  readonly #options: LiveLimitsOptions;
  /** One timer a type, set for the oldest agent. */
  readonly #timers = new Map<AgentKind, Timer>();
  /** Types whose idle agents wait until fewer deactivations run. */
  readonly #behind = new Set<AgentKind>();
  /** Types of which a sweep continues in the next turn, with the number of agents that it has not seen yet. */
  readonly #unseen = new Map<AgentKind, number>();
  #isOverCap = false;

  constructor(options: LiveLimitsOptions) {
    this.#options = options;
  }

  /** An agent of the type has become live, and the messages that waited for it have begun. */
  added(kind: AgentKind, slot: number): void {
    const { idleAfterMs } = kind.limits;
    const isWatched = this.#timers.has(kind) || this.#behind.has(kind) || !Number.isFinite(idleAfterMs);
    if (!isWatched) this.#arm(kind, idleAfterMs);
    const { tracked } = kind;
    const agent = tracked?.agentAt(slot);
    if (!this.#isOver(kind) || this.#keepCaps(kind)) return;
    // It may have gone itself, because all others are busy.
    const isHere = tracked?.agentAt(slot) === agent && tracked?.isLeaving(slot) === false;
    if (isHere && !this.#letGo(kind, slot)) this.#options.counts.overCap += 1;
  }

  /** The last turn of an agent has ended. */
  released(kind: AgentKind, slot: number): void {
    if (this.#isOverCap && !this.#keepCaps(kind) && this.#isOver(kind)) this.#letGo(kind, slot);
  }

  /** An agent that was on its way out stays. If that is one too many, another one goes when a turn has ended. */
  stays(kind: AgentKind): void {
    if (this.#isOver(kind)) this.#isOverCap = true;
  }

  /** No other one may go: this one does, unless it is busy too. */
  #letGo(kind: AgentKind, slot: number): boolean {
    const { tracked } = kind;
    if (tracked === undefined || !mayGo(kind, tracked, slot) || this.#options.isFull()) return false;
    this.#options.deactivate(kind, tracked.keyAt(slot), "capacity");
    return true;
  }

  /** A deactivation has ended: there is room for another. */
  onRoom(): void {
    if (this.#isOverCap) for (const kind of this.#options.kinds()) this.#keepCaps(kind);
    // A sweep may put its type there again.
    for (const kind of [...this.#behind]) {
      this.#behind.delete(kind);
      this.#sweep(kind);
    }
  }

  /** An agent of the type is live no more. A type without live agents has no timer. */
  gone(kind: AgentKind): void {
    if (kind.tracked?.size !== 0) return;
    this.#timers.get(kind)?.cancel();
    this.#timers.delete(kind);
    this.#unseen.delete(kind);
  }

  /** Ends all timers. */
  close(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    this.#behind.clear();
    this.#unseen.clear();
    this.#isOverCap = false;
  }

  #isOver({ tracked, limits }: AgentKind): boolean {
    return (
      tracked !== undefined &&
      (tracked.stayingCount > limits.maxLive || this.#liveCount() > this.#options.maxLiveAgents)
    );
  }

  /** Returns false when a cap stays exceeded, because all agents are busy, or the first ones that are not in use wait for a turn. */
  #keepCaps(kind: AgentKind): boolean {
    const { maxLiveAgents } = this.#options;
    const { tracked, limits } = kind;
    if (tracked === undefined) return true;
    let isKept = this.#shrink(() => (tracked.stayingCount > limits.maxLive ? [kind] : []));
    if (Number.isFinite(maxLiveAgents)) {
      isKept = this.#shrink(() => (this.#liveCount() > maxLiveAgents ? this.#options.kinds() : [])) && isKept;
    }
    if (!isKept) this.#isOverCap = true;
    else if (this.#isOverCap) this.#isOverCap = this.#isAnyOver();
    return isKept;
  }

  /** Deactivates the longest unused agent of the types that are over a cap, until there are none. */
  #shrink(over: () => Iterable<AgentKind>): boolean {
    for (;;) {
      const kinds = [...over()];
      if (kinds.length === 0) return true;
      if (this.#options.isFull()) {
        // Made good by `onRoom`. Until then activations wait.
        this.#isOverCap = true;
        return true;
      }
      const oldest = oldestOf(kinds);
      if (oldest === undefined) return false;
      this.#options.deactivate(oldest.kind, oldest.key, "capacity");
    }
  }

  #isAnyOver(): boolean {
    for (const kind of this.#options.kinds()) if (this.#isOver(kind)) return true;
    return false;
  }

  #liveCount(): number {
    let count = 0;
    for (const { tracked } of this.#options.kinds()) count += tracked?.stayingCount ?? 0;
    return count;
  }

  #arm(kind: AgentKind, ms: number): void {
    this.#timers.get(kind)?.cancel();
    this.#timers.set(
      kind,
      this.#options.clock.setTimer(Math.min(ms, longestTimerMs), () => {
        this.#timers.delete(kind);
        this.#sweep(kind);
      }),
    );
  }

  /** Deactivates the agents that are idle, and sets the timer for the next one. */
  #sweep(kind: AgentKind): void {
    const { clock, isFullForIdleness, deactivate } = this.#options;
    const { tracked, limits } = kind;
    if (tracked === undefined || this.#timers.has(kind)) return;
    const now = clock.now();
    let count = this.#unseen.get(kind) ?? tracked.size;
    this.#unseen.delete(kind);
    for (let left = mostInTurn; count > 0; count -= 1) {
      const slot = tracked.first();
      if (slot < 0) break;
      const dueMs = tracked.usedMs(slot) + limits.idleAfterMs;
      const isKept = tracked.usedMs(slot) > now;
      if (!isKept && dueMs > now) return this.#arm(kind, dueMs - now);
      if (left === 0) {
        this.#unseen.set(kind, count);
        return this.#arm(kind, 0);
      }
      left -= 1;
      // Agents that are kept active are not in the order of their times: they go behind the others.
      if (isKept) tracked.putBehind(slot);
      else if (!mayGo(kind, tracked, slot)) tracked.touch(slot);
      else if (isFullForIdleness()) {
        this.#behind.add(kind);
        return;
      } else deactivate(kind, tracked.keyAt(slot), "idle");
    }
    // An agent that is in use now is idle for so long at the earliest.
    if (tracked.size > 0) this.#arm(kind, limits.idleAfterMs);
  }
}

/** Returns the longest unused agent that may go; of each type it looks at the oldest ones. */
function oldestOf(kinds: readonly AgentKind[]): { readonly kind: AgentKind; readonly key: string } | undefined {
  let found: { readonly kind: AgentKind; readonly tracked: LiveAgents; readonly slot: number } | undefined;
  for (const kind of kinds) {
    const { tracked } = kind;
    if (tracked === undefined) continue;
    const slot = tracked.oldest((candidate) => mayGo(kind, tracked, candidate));
    if (slot < 0) continue;
    if (found === undefined || tracked.usedMs(slot) < found.tracked.usedMs(found.slot)) found = { kind, tracked, slot };
  }
  return found && { kind: found.kind, key: found.tracked.keyAt(found.slot) };
}

/** Whether an agent has no turn and no waiting message. */
function mayGo({ turns }: AgentKind, tracked: LiveAgents, slot: number): boolean {
  if (tracked.isHeld(slot)) return false;
  const agent = tracked.agentAt(slot);
  return agent !== undefined && turns?.isBusy(agent) !== true;
}
