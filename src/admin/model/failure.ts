import { loggableUpTo } from "../../core/internal.ts";
import type { Failure, FailureKind, HostOccurrence } from "../../host/internal.ts";

/** A failure, before it has its number and time. */
export type NewFailure = Pick<Failure, "kind" | "code"> & Partial<Omit<Failure, "number" | "time" | "kind" | "code">>;

/** Characters of a text that a failure shows. */
const shownChars = 500;

/** Returns the failure that an occurrence is. Undefined: the occurrence is not a failure. */
export function failureOf(what: HostOccurrence): NewFailure | undefined {
  switch (what.at) {
    case "call": {
      if (what.outcome === "answered") return undefined;
      const { targetType: type, targetKey: key, callerId: clientId, outcome, code = outcome, traceId, ms } = what;
      // A type that no worker serves may be anything that a caller writes.
      const name = what.targetId === undefined ? {} : { type: shown(type), key: shown(key) };
      const isUnplaced = what.targetId === undefined && type !== "";
      const detail = `${outcome} after ${Math.round(ms)} ms${isUnplaced ? `; it was for the type ${shown(type)}` : ""}`;
      return { kind: "call", ...name, code, detail, clientId: shown(clientId), traceId: traceId ?? null };
    }
    case "event":
      if (what.missed === 0) return undefined;
      return {
        ...{ kind: "event", topic: shown(what.topicType), code: "missed" },
        detail: `${what.missed} workers did not get it, and ${what.delivered} did`,
      };
    case "commit": {
      if (what.outcome === "committed") return undefined;
      const { agentType, key, outcome: code, clientId, bytes, reason } = what;
      const detail = `a state of ${bytes} bytes${reason === undefined ? "" : `: ${shown(reason)}`}`;
      return { ...of(what.at, agentType, key, code), detail, clientId: shown(clientId) };
    }
    case "mail":
      if (what.what !== "retried" && what.what !== "buried") return undefined;
      return { ...of(what.at, what.agentType, what.key, what.code), detail: what.what };
    case "reminder":
      if (what.what === "fired") return undefined;
      return {
        ...of(what.at, what.agentType, what.key, what.code),
        detail: `${what.what}: the reminder ${shown(what.name)}`,
      };
    case "session":
      if (what.what === "opened" || calmEnds.includes(what.reason)) return undefined;
      return {
        ...{ kind: "session", code: what.reason, clientId: shown(what.clientId) },
        detail: shown(`the ${what.channel} stream from ${what.address} ended. ${what.detail}`),
      };
    case "registration": {
      if (what.what !== "refused" && what.what !== "expired") return undefined;
      const detail = what.what === "refused" ? shown(what.reason) : "its data channel never came";
      return { kind: "registration", code: what.what, clientId: shown(what.clientId), detail };
    }
    case "claim":
      if (what.what !== "lost" && what.what !== "revoked") return undefined;
      return {
        ...{ kind: "claim", code: what.what, clientId: shown(what.clientId) },
        detail: `${what.count} agents of the worker ${shown(what.workerId)}`,
      };
    case "denied": {
      const clientId = what.clientId === undefined ? null : shown(what.clientId);
      const detail = shown(`${what.method} from ${what.address}: ${what.reason}`);
      return { kind: "denied", code: String(what.code), clientId, detail };
    }
    case "limited": {
      const clientId = what.clientId === undefined ? null : shown(what.clientId);
      return { kind: "limited", code: what.what, clientId, detail: shown(what.detail) };
    }
    case "lease":
      return what.what === "held" ? undefined : { kind: "lease", code: "lost", detail: "the host is isolated" };
    case "peer":
      if (calmPeers.includes(what.what)) return undefined;
      return { kind: "peer", code: what.what, detail: shown(`the host ${what.hostId}. ${what.detail}`) };
    case "shard":
      return undefined;
  }
}

const calmEnds: readonly string[] = ["left", "reset", "stopping", "replaced"];
const calmPeers: readonly string[] = ["opened", "accepted", "ended"];

function of(kind: FailureKind, type: string, key: string, code = "unknown") {
  return { kind, type: shown(type), key: shown(key), code };
}

function shown(text: string): string {
  return loggableUpTo(shownChars, text);
}
