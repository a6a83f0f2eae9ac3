import type { Clock } from "../../core/internal.ts";
import type { BatchRunner } from "../batch-runner.ts";
import type { MessageSender } from "../observer.ts";
import { HostCaller } from "../peers/host-caller.ts";
import { topicOf } from "../registry/name-checks.ts";
import type { HeldSubscription } from "../registry/subscriptions/subscription-book.ts";
import { type PendingCall, untimed } from "../sessions/pending-call.ts";
import { searchRanked } from "./ranked-search.ts";

export interface MessageOperationsParts {
  readonly batches: BatchRunner;
  readonly clock: Clock;
  readonly calls: () => Iterable<PendingCall>;
  readonly subscriptions: () => Iterable<HeldSubscription>;
}

/** A call that has no outcome yet. */
export interface ListedCall {
  /** Grows with each call of this host. */
  readonly number: number;
  readonly type: string;
  /** The first 256 characters. */
  readonly key: string;
  readonly callerId: string;
  /** True: another host has sent it for a caller there. */
  readonly isOfOtherHost: boolean;
  readonly principal: string | undefined;
  /** Undefined: it waits for a worker. */
  readonly targetId: string | undefined;
  /** Undefined: no observer listened when the call came. */
  readonly ageMs: number | undefined;
  /** Undefined: it has none. */
  readonly timeoutMs: number | undefined;
  /** True: its worker has said that it waits long for its turn. */
  readonly isStuck: boolean;
  /** The beginning of its path, as `agpath` has it. Empty: no turn waits for it, or no observer listened when it came. */
  readonly path: string;
  readonly traceId: string | undefined;
  /** The agent that calls. Undefined: it records no trace, or only readers of failures listened when the call came. */
  readonly sender: MessageSender | undefined;
}

/** A subscription of a client that is connected. */
export interface ListedSubscription {
  readonly number: number;
  readonly id: string;
  readonly agentType: string;
  readonly topicType: string;
  /** True: all topic types that begin with `topicType`. */
  readonly isPrefix: boolean;
  readonly clientId: string;
  readonly principal: string | undefined;
}

/** The query of a page. */
export interface ListQuery<Row> {
  readonly after: number;
  readonly limit: number;
  readonly isWanted: (row: Row) => boolean;
}

/** A page, oldest first. */
export interface Listed<Row> {
  readonly rows: readonly Row[];
  /** Undefined: there are no more. */
  readonly next: number | undefined;
}

/** Shows calls under way and subscriptions to an operator. */
export class MessageOperations {
  readonly #parts: MessageOperationsParts;

  constructor(parts: MessageOperationsParts) {
    this.#parts = parts;
  }

  /** Lists calls without an outcome. Rejects with the reason of `signal`. */
  async calls({ isWanted, ...query }: ListQuery<ListedCall>, signal: AbortSignal): Promise<Listed<ListedCall>> {
    const { batches, clock, calls } = this.#parts;
    const nowMs = clock.now();
    const { items, next } = await searchRanked(batches, {
      ...{ ...query, signal, items: calls(), rankOf: (call: PendingCall) => call.hostId },
      isWanted: (call: PendingCall) => isWanted(rowOfCall(call, nowMs)),
    });
    return { rows: items.map((call) => rowOfCall(call, nowMs)), next };
  }

  /** Lists subscriptions of clients. Rejects with the reason of `signal`. */
  async subscriptions(
    { isWanted, ...query }: ListQuery<ListedSubscription>,
    signal: AbortSignal,
  ): Promise<Listed<ListedSubscription>> {
    const { batches, subscriptions } = this.#parts;
    const { items, next } = await searchRanked(batches, {
      ...{ ...query, signal, items: subscriptions(), rankOf: (held: HeldSubscription) => held.number },
      isWanted: (held: HeldSubscription) => held.isLive && isWanted(rowOfSubscription(held)),
    });
    return { rows: items.map(rowOfSubscription), next };
  }
}

function rowOfCall(call: PendingCall, nowMs: number): ListedCall {
  const { hostId, targetType, targetKey, caller, principal, target, openedMs, timeoutMs, reportBytes, path } = call;
  return {
    ...{ number: hostId, type: targetType, key: targetKey, callerId: caller.id, principal, targetId: target?.id },
    isOfOtherHost: caller instanceof HostCaller,
    ageMs: openedMs === untimed ? undefined : Math.max(0, nowMs - openedMs),
    timeoutMs: timeoutMs === 0 ? undefined : timeoutMs,
    ...{ isStuck: reportBytes > 0, path, traceId: call.traceId, sender: call.sender },
  };
}

function rowOfSubscription({ number, id, pattern, holder }: HeldSubscription): ListedSubscription {
  return {
    ...{ number, id, agentType: pattern.agentType, topicType: topicOf(pattern), isPrefix: pattern.kind === "prefix" },
    ...{ clientId: holder.clientId, principal: holder.principal?.name },
  };
}
