import { loggableText, TimedOutError, TroupeError, UndeliverableException } from "../../core/internal.ts";
import { refusalKey, retryAfterMsIn, type WireSubscription } from "../../protocol/internal.ts";
import { RpcError, StatusCode } from "../../transport/internal.ts";
import { subscriptionText } from "./wire-subscription.ts";

/** The host refuses an agent type since another worker serves it (code `already-exists`). */
export class TypeTakenError extends TroupeError {
  /** The client id of that worker, where the host names it. */
  readonly owner: string | undefined;
  /** The refusal itself, without the advice. */
  readonly refusal: string;
  /** The host does not name that worker, which belongs to another principal. It can't be this one under an old client id. */
  readonly isForeign: boolean;

  constructor(refusal: string, owner: string | undefined, options?: ErrorOptions & { readonly isForeign?: boolean }) {
    const advice =
      'Stop that worker first, or register with { whenTaken: "wait" } to take the type over when it leaves.';
    super("already-exists", `${refusal} ${advice}`, options);
    this.owner = owner;
    this.refusal = refusal;
    this.isForeign = options?.isForeign === true;
  }
}

/**
 * Turns a host's refusal of an agent type into an error. A Troupe host says who serves the type, and from where, unless that worker
 * belongs to another principal.
 */
// protocol.md §11.9
export function typeRefusalError(agentType: string, thrown: unknown, isHostAnnounced = false): Error {
  if (!(thrown instanceof RpcError)) return refusalError(registering(agentType), thrown);
  const { code, details, metadata } = thrown.status;
  if (!isTaken(details) && code !== StatusCode.alreadyExists) return refusalError(registering(agentType), thrown);
  const holder = metadata?.[refusalKey.holder];
  if (holder === undefined) {
    const owner = ownerNamedIn(details);
    return new TypeTakenError(details, owner, { cause: thrown, isForeign: isHostAnnounced && owner === undefined });
  }
  const address = metadata?.[refusalKey.holderAddress];
  const place = address === undefined ? "" : ` at ${loggableText(address)}`;
  const refusal = `Agent type "${agentType}" is served by worker ${loggableText(holder)}${place}.`;
  return new TypeTakenError(refusal, holder, { cause: thrown });
}

/** The host refuses a subscription since an equal one exists (code `already-exists`). The host does not say which, or whose it is. */
export class SubscriptionTakenError extends TroupeError {
  /** The refusal itself, in the words of the host. */
  readonly refusal: string;

  constructor(refusal: string, subscription: WireSubscription, options?: ErrorOptions) {
    super("already-exists", `${refusal.replace(/\.$/, "")}: ${subscriptionText(subscription)}.`, options);
    this.refusal = refusal;
  }
}

/** Turns a host's refusal of a subscription into an error that names the subscription. */
export function subscriptionRefusalError(subscription: WireSubscription, thrown: unknown): Error {
  const error = refusalError(`add the subscription (${subscriptionText(subscription)})`, thrown);
  const exists = error instanceof TroupeError && error.code === "already-exists";
  return exists ? new SubscriptionTakenError(error.message, subscription, { cause: thrown }) : error;
}

/** Turns a host's refusal into an error. "Already" in its text means taken, whatever the status. */
// protocol.md §2.2, W18
export function refusalError(what: string, thrown: unknown): Error {
  if (!(thrown instanceof RpcError)) return thrown instanceof Error ? thrown : new Error(String(thrown));
  const { code, details } = thrown.status;
  const options = { cause: thrown };
  if (isTaken(details) || code === StatusCode.alreadyExists) {
    return new TroupeError("already-exists", details, options);
  }
  // A call that the end of the connection has cancelled: that end says more.
  const text = `The host did not ${what}: ${thrown.cause instanceof TroupeError ? thrown.cause.message : details}`;
  switch (code) {
    case StatusCode.invalidArgument:
      return new TroupeError("invalid-argument", text, options);
    case StatusCode.notFound:
      return new TroupeError("not-found", text, options);
    case StatusCode.resourceExhausted:
      return new UndeliverableException(text, {
        ...options,
        ...{ code: "overloaded", retryAfterMs: retryAfterMsIn(thrown.status.metadata) },
      });
    case StatusCode.permissionDenied:
    case StatusCode.unauthenticated:
      return new TroupeError("not-authorized", text, options);
    case StatusCode.deadlineExceeded:
      return new TimedOutError(text, options);
    case StatusCode.cancelled:
    case StatusCode.unavailable:
      if (thrown.cause instanceof TroupeError && thrown.cause.code === "not-authorized")
        return new TroupeError("not-authorized", text, options);
      return new UndeliverableException(text, { ...options, code: "disconnected" });
    default:
      return new UndeliverableException(text, options);
  }
}

/** Turns a refusal of generation 1, which has a text and no status, into an error. */
function legacyRefusalError(what: string, text: string): Error {
  return isTaken(text)
    ? new TroupeError("already-exists", text)
    : new UndeliverableException(`The host did not ${what}: ${text}`);
}

/** As `legacyRefusalError`, for a subscription. */
export function legacySubscriptionRefusalError(subscription: WireSubscription, text: string): Error {
  return isTaken(text)
    ? new SubscriptionTakenError(text, subscription)
    : legacyRefusalError(`add the subscription (${subscriptionText(subscription)})`, text);
}

/** As `legacyRefusalError`, for an agent type. */
export function legacyTypeRefusalError(agentType: string, text: string): Error {
  return isTaken(text)
    ? new TypeTakenError(text, ownerNamedIn(text))
    : legacyRefusalError(registering(agentType), text);
}

function registering(agentType: string): string {
  return `register the agent type "${agentType}"`;
}

function isTaken(text: string): boolean {
  return /already (registered|exists)/i.test(text);
}

// protocol.md §2.2
/** The client id that the text of a refusal names; hosts of generation 1 name none. */
function ownerNamedIn(text: string): string | undefined {
  return /already registered with client (\S+?)\.?$/.exec(text)?.[1];
}

// protocol.md §1.1
/** Whether the host lacks the method, or has only Python's stub of it. */
export function isNotImplemented(thrown: unknown): boolean {
  // A proxy that does not know the path says nothing about the host.
  if (!(thrown instanceof RpcError) || thrown.origin !== "peer") return false;
  if (thrown.code === StatusCode.unimplemented) return true;
  return thrown.code === StatusCode.unknown && /not ?implemented/i.test(thrown.status.details);
}

// protocol.md §2.2
/** Whether the host does not know the subscription: our status, or Python's. */
export function isUnknownSubscription(thrown: unknown): boolean {
  if (!(thrown instanceof RpcError)) return false;
  return thrown.code === StatusCode.notFound || thrown.status.details.includes("Subscription does not exist");
}
