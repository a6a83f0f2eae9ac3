import {
  type FeedRow,
  type HostOccurrence,
  isOtherHost,
  type ListedHost,
  type ShownPayload,
} from "../../host/internal.ts";
import type { AdminRights } from "../admin-rights.ts";

/** Something that happened at a host, as readers of the feed get it. */
export interface FeedEvent extends Omit<FeedRow, "number"> {
  /** Where it has happened. Null: the host is alone. */
  readonly host: ListedHost | null;
  /** The content of the message. Left out unless the reader asks for it and may read it, and this host has read it. */
  readonly payload?: ShownPayload | undefined;
}

/** The events that a reader wants. Undefined: any. */
export type FeedFilter = { readonly [Name in (typeof filterNames)[number]]?: string | undefined };

export const filterNames = ["kind", "type", "key", "topic", "outcome"] as const;

/** The kinds of what happens at a host. */
const kinds: { readonly [Kind in HostOccurrence["at"]]: true } = {
  ...({ call: true, event: true, commit: true, mail: true, reminder: true, claim: true, session: true } as const),
  ...({ registration: true, denied: true, limited: true, lease: true, peer: true, shard: true } as const),
};
export const feedKinds: readonly string[] = Object.keys(kinds);

/** Characters of a text from outside that an event shows. */
const shownChars = 500;

export function outcomeOfEvent({ missed }: { readonly missed: number }): "missed" | "delivered" {
  return missed > 0 ? "missed" : "delivered";
}

/** Whether it is a call that came from another host of the cluster. */
export function isForwarded(what: HostOccurrence): boolean {
  return what.at === "call" && isOtherHost(what.callerId);
}

type About = Pick<FeedEvent, "kind" | "outcome"> & Partial<FeedEvent>;

export function feedEventOf(what: HostOccurrence, time: string, host: ListedHost | null = null): FeedEvent {
  const { kind, outcome, type, key, topic, clientId, code, ms, traceId, detail } = aboutOf(what);
  return {
    time,
    kind,
    outcome,
    type: shown(type),
    key: shown(key),
    topic: shown(topic),
    clientId: shown(clientId),
    code: code ?? null,
    ms: ms ?? null,
    traceId: traceId ?? null,
    detail: shown(detail),
    host,
  };
}

export function isWanted(event: FeedEvent, filter: FeedFilter): boolean {
  return filterNames.every((name) => filter[name] === undefined || filter[name] === event[name]);
}

/**
 * Whether a reader may see the content of an event's message. A call may change the state of its agent. So it needs the right to read that state, as dead
 * letters do. An event may be read by those who may subscribe to its topic.
 */
export function mayRead({ kind, type, topic }: FeedEvent, rights: AdminRights): boolean {
  if (kind === "call") return type !== null && isWhole(type) && rights.may("read-state", type);
  return kind === "event" && topic !== null && isWhole(topic) && rights.may("subscribe", topic);
}

/** Rules are asked for whole names alone. */
function isWhole(name: string): boolean {
  return name.length <= shownChars;
}

function aboutOf(what: HostOccurrence): About {
  switch (what.at) {
    case "call": {
      // In one literal: of calls there are many.
      const { targetType: type, targetKey: key, callerId: clientId, outcome, ms, code = null, traceId = null } = what;
      return { kind: "call", outcome, type, key, clientId, ms, code, traceId };
    }
    case "event": {
      const outcome = outcomeOfEvent(what);
      const detail = `${what.delivered} delivered, ${what.missed} missed`;
      return { kind: "event", outcome, topic: what.topicType, traceId: what.traceId ?? null, detail };
    }
    case "commit":
      return {
        ...{ kind: "commit", outcome: what.outcome, type: what.agentType, key: what.key, clientId: what.clientId },
        ...{ ms: what.ms, detail: `${what.bytes} bytes${what.reason === undefined ? "" : `: ${shown(what.reason)}`}` },
      };
    case "mail":
      return { ...named("mail", what), ...codeOf(what.code), ms: what.ageMs };
    case "reminder":
      return { ...named("reminder", what), ...codeOf(what.code), ms: what.lateMs, detail: what.name };
    case "claim": {
      const { clientId, workerId } = what;
      if (!("count" in what)) return { ...named("claim", what), clientId, detail: `worker ${workerId}` };
      return { kind: "claim", outcome: what.what, clientId, detail: `${what.count} agents of worker ${workerId}` };
    }
    case "session": {
      const { clientId, channel, address } = what;
      const detail = `the ${channel} stream from ${address}`;
      if (what.what === "opened") return { kind: "session", outcome: "opened", clientId, detail };
      return {
        ...{ kind: "session", outcome: "closed", clientId, detail: `${detail}. ${what.detail}` },
        code: what.reason,
      };
    }
    case "registration": {
      const { clientId, what: outcome } = what;
      const type = "agentType" in what ? (what.agentType ?? null) : null;
      const detail = what.what === "refused" ? what.reason : null;
      return { kind: "registration", outcome, type, clientId, detail };
    }
    case "denied":
      return {
        ...{ kind: "denied", outcome: "denied", clientId: what.clientId ?? null, code: String(what.code) },
        detail: `${what.method} from ${what.address}: ${what.reason}`,
      };
    case "limited":
      return { kind: "limited", outcome: what.what, clientId: what.clientId ?? null, detail: what.detail };
    case "lease":
      return { kind: "lease", outcome: what.what };
    case "peer":
      return { kind: "peer", outcome: what.what, detail: `the host ${what.hostId}. ${what.detail}` };
    case "shard":
      return { kind: "shard", outcome: what.what, detail: `shard ${what.shard}` };
  }
}

function named(
  kind: FeedEvent["kind"],
  { what: outcome, agentType: type, key }: { readonly what: string; readonly agentType: string; readonly key: string },
): About {
  return { kind, outcome, type, key };
}

function codeOf(code: string | undefined): { readonly code: string | null } {
  return { code: code ?? null };
}

function shown(text: string | null | undefined): string | null {
  if (text === null || text === undefined) return null;
  return text.length <= shownChars ? text : `${text.slice(0, shownChars)}…`;
}
