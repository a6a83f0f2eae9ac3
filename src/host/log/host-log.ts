import type { Clock, LogFields, Logger } from "../../core/internal.ts";
import type { RefusedHandshake } from "../../transport/internal.ts";
import type { HostObserver, SessionOccurrence } from "../observer.ts";
import { RepeatedRefusals } from "./repeated-refusals.ts";

/**
 * The observer that writes the host's log: who joins and leaves, what they serve, and what the host refuses. It says a refusal
 * that repeats once a minute.
 */
export function hostLog(logger: Logger, clock: Clock): HostObserver {
  const refusals = new RepeatedRefusals(clock);
  return (what) => {
    switch (what.at) {
      case "session":
        return logSession(logger, what);
      case "registration":
        switch (what.what) {
          case "type":
            refusals.forget(what.clientId, what.agentType);
            return logger.info("a worker serves an agent type", { agentType: what.agentType, clientId: what.clientId });
          case "subscribed":
          case "unsubscribed": {
            const { clientId, subscriptionId, agentType } = what;
            const text = what.what === "subscribed" ? "a worker has subscribed" : "a worker has unsubscribed";
            return logger.debug(text, { clientId, subscriptionId, agentType });
          }
          case "refused": {
            const { clientId, agentType, subscriptionId, reason, holder } = what;
            // A subscription has an id, and no worker asks for one again and again.
            const isOfType = subscriptionId === undefined && agentType !== undefined;
            const kept = isOfType ? refusals.note(clientId, agentType, `${reason} ${holder}`) : 0;
            if (kept === undefined) return;
            const repeated = kept > 0 ? kept : undefined;
            const fields = { clientId, agentType, subscriptionId, reason, holder, repeated };
            return logger.info("a registration is refused", fields);
          }
          case "given-up":
            return logger.info("a worker leaves and gave up its agent types", {
              clientId: what.clientId,
              ...listOf(what),
            });
          case "expired":
            // The registry warns of it.
            return;
        }
        return;
      case "denied": {
        const { method, clientId, address, code, reason } = what;
        const principal = what.principal?.name;
        const fields = { method, clientId, address, principal, code, reason };
        return logger.info("a call is refused: it is not authorized", fields);
      }
      case "limited":
        // A queue that is full has a warning with more to it.
        if (what.what === "queue") return;
        return logger.warn("something is refused: a bound of the host is reached", {
          bound: what.what,
          clientId: what.clientId,
          detail: what.detail,
        });
      case "claim":
        if (what.what === "lost") {
          const { workerId, clientId, count } = what;
          logger.info("the agents of a worker that is gone are placed anew", { workerId, clientId, count });
        }
        return;
      case "commit":
      case "call":
      case "event":
      case "mail":
      case "reminder":
      case "lease":
      case "peer":
      case "shard":
        // Never logged one by one, or by the parts that know more.
        return;
    }
  };
}

/** Writes which clients failed in their TLS handshake: each address and reason once a minute. */
export function handshakeLog(logger: Logger, clock: Clock): (refused: RefusedHandshake) => void {
  const refusals = new RepeatedRefusals(clock);
  return ({ address, reason }) => {
    const kept = refusals.note(address, "", reason);
    if (kept === undefined) return;
    const repeated = kept > 0 ? kept : undefined;
    logger.info("a client is refused: its TLS handshake failed", { address, reason, repeated });
  };
}

function logSession(logger: Logger, what: SessionOccurrence): void {
  const { clientId, address, channel } = what;
  const principal = what.principal?.name;
  if (channel !== "data") {
    const text = what.what === "opened" ? "a worker has opened a stream" : "a stream of a worker has ended";
    return logger.debug(text, { channel, clientId, address, principal });
  }
  if (what.what === "opened") {
    const { isAnnounced, workerId, userAgent } = what;
    const peer = isAnnounced ? "troupe" : "stock";
    return logger.info("a worker has joined", { clientId, address, workerId, principal, peer, userAgent });
  }
  const { reason, detail, droppedEvents, refusedCalls } = what;
  logger.info("a worker has left", {
    ...{ clientId, address, principal, reason },
    detail: detail === "" ? undefined : detail,
    ...listOf(what),
    droppedEvents,
    refusedCalls,
  });
}

/** The types that are listed, and the number of all if these are more. */
function listOf({
  types,
  typeCount,
}: Pick<Extract<SessionOccurrence, { what: "closed" }>, "types" | "typeCount">): LogFields {
  return { types, typeCount: typeCount > types.length ? typeCount : undefined };
}
