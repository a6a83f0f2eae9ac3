import { type AgentId, type Clock, type HandlerContext, IndexedSet } from "../../core/internal.ts";
import type { Claim, ClaimedWork } from "../claims/claim.ts";
import type { Outbox } from "../connection/outbox.ts";
import { atMost } from "../connection/time-limits.ts";

/** A handler that runs, or a parked message. */
export interface Work extends ClaimedWork {
  /** Index in the set of running handlers. */
  workSlot: number;
  /** The agent whose handler runs. Undefined while a call is parked. */
  readonly agentId?: AgentId | undefined;
  /** The host's word that its agent is here. Undefined: the agent's type is exclusive. */
  readonly claim?: Claim | undefined;
  /** Whether its answer leaves by this connection, or the message may go back there. */
  leavesBy?(outbox: Outbox): boolean;
  /** Gives the work up: aborts the signal of the handler, and sends an error if an answer is owed. */
  abandon(reason: Error): void;
}

/** The handlers that run and the parked messages; `stop` waits for them. */
export class InFlight {
  readonly #works = new IndexedSet<"workSlot", Work>("workSlot");
  readonly #onIdle = new Set<() => void>();

  get size(): number {
    return this.#works.size;
  }

  /** Returns the agents of the first works, for people. */
  names(count: number): string[] {
    const names: string[] = [];
    for (const { agentId } of this.#works.all()) {
      if (names.length >= count) break;
      names.push(agentId?.toString() ?? "a parked call");
    }
    return names;
  }

  /** Returns the contexts of the messages that an agent handles, or that wait for it. */
  contextsAt(id: AgentId): HandlerContext[] {
    return this.#works.all().flatMap(({ context }) => (context?.agentId?.equals(id) === true ? [context] : []));
  }

  /** Whether something that runs or is parked still needs a connection. */
  uses(outbox: Outbox): boolean {
    return this.#works.all().some((work) => work.leavesBy?.(outbox) === true);
  }

  // protocol.md §11.19
  /** Whether a message of this connection has not begun. */
  hasUnbegun(outbox: Outbox): boolean {
    return this.#works.all().some((work) => work.mayGoBack && work.leavesBy?.(outbox) === true);
  }

  /** Drops the messages of this connection for agents that a host has placed here, as far as they have not begun. Returns the number of events. */
  dropUnbegun(outbox: Outbox): number {
    let events = 0;
    for (const work of this.#works.all()) {
      if (work.claim === undefined || !work.mayGoBack || work.leavesBy?.(outbox) !== true) continue;
      if (work.isEvent === true) events += 1;
      work.drop?.();
    }
    return events;
  }

  add(work: Work): void {
    this.#works.add(work);
    work.claim?.begin(work);
  }

  /** Removes work that has ended. Returns false for work that was given up. */
  delete(work: Work): boolean {
    const wasThere = this.#works.delete(work);
    if (wasThere) work.claim?.end(work);
    if (this.#works.size > 0) return wasThere;
    for (const resolve of this.#onIdle) resolve();
    this.#onIdle.clear();
    return wasThere;
  }

  /** Resolves when nothing runs any more, when the time is up, or when the signal aborts. */
  async idle(timeoutMs: number, clock: Clock, signal?: AbortSignal): Promise<void> {
    if (this.#works.size === 0) return;
    let isIdle = () => {};
    const idle = new Promise<void>((resolve) => {
      isIdle = resolve;
    });
    this.#onIdle.add(isIdle);
    await atMost(idle, timeoutMs, clock, signal);
    this.#onIdle.delete(isIdle);
  }

  /** Gives up all work that still runs, and forgets it: its handlers may never end. */
  abandon(reason: Error): void {
    for (const work of this.#works.all()) {
      work.abandon(reason);
      this.delete(work);
    }
  }
}
