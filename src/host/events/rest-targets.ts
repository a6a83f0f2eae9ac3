import { limits } from "../limits.ts";
import type { SharedType } from "../registry/shared-type.ts";
import type { TopicIndex } from "../registry/subscriptions/topic-index.ts";
import type { TypeOwners } from "../registry/type-owners.ts";
import type { Peer, PeerTable } from "../sessions/peer.ts";

export interface RestTargetsParts {
  readonly owners: TypeOwners;
  readonly topics: TopicIndex;
  readonly peers: PeerTable;
}

// protocol.md §11.18
/** The agent types that get a durable event as any other event, since it is not kept for them. */
export class RestTargets {
  /** Exclusive types by the worker that has them. */
  readonly exclusive = new Map<Peer, Set<string>>();
  readonly shared = new Set<SharedType>();
  /** Owners that have no channel now. */
  readonly absent: number;

  constructor(
    { owners, topics, peers }: RestTargetsParts,
    { topicType, except }: { readonly topicType: string; readonly except: ReadonlySet<string> },
  ) {
    const absent = new Set<string>();
    topics.visit(topicType, (agentType) => {
      if (except.has(agentType)) return;
      const shared = owners.hasShared ? owners.shared(agentType) : undefined;
      if (shared !== undefined) {
        this.shared.add(shared);
        return;
      }
      for (const clientId of owners.owners(agentType)) {
        const peer = peers.of(clientId);
        if (peer === undefined) absent.add(clientId);
        else this.exclusive.set(peer, (this.exclusive.get(peer) ?? new Set()).add(agentType));
      }
    });
    this.absent = absent.size;
  }
}

/** Puts names into lots, each within the characters in which an event may name its agents. */
export function lotsOf(
  names: readonly string[],
  maxChars: number = limits.recipientChars,
): readonly (readonly string[])[] {
  const lots: string[][] = [];
  let chars = Number.POSITIVE_INFINITY;
  for (const name of names) {
    chars += 1 + name.length;
    if (chars > maxChars) {
      lots.push([]);
      chars = name.length;
    }
    lots.at(-1)?.push(name);
  }
  return lots;
}
