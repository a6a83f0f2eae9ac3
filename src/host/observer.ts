import type { Clock, Logger, MailOccurrence, ReminderOccurrence } from "../core/internal.ts";
import { limits } from "./limits.ts";
import type { Principal } from "./principal.ts";

/** The reason for which a stream of a worker ended. */
export type CloseReason =
  /** The worker closed the stream in order. */
  | "left"
  /** The worker reset the stream, as Python's `stop()` does. */
  | "reset"
  /** The connection beneath it broke, or its worker did not answer keep-alive pings or the host's heartbeat. */
  | "lost"
  /** Another stream came under the same client id. */
  | "replaced"
  /** The worker did not read what the host sent it. */
  | "too-slow"
  /** The host kept more for this client than for any other, and others needed the space. */
  | "too-much"
  /** The host stops. */
  | "stopping"
  /** The host has lost touch with its cluster, or begins anew there. */
  | "isolated"
  /** The worker is gone for the cluster of the host. */
  | "gone";

/** The kind of a worker's stream. */
export type ChannelKind = "data" | "control" | "side" | "states";

/** A stream of a worker opened or closed. */
export type SessionOccurrence =
  | {
      readonly at: "session";
      readonly what: "opened";
      readonly channel: ChannelKind;
      readonly clientId: string;
      readonly address: string;
      readonly principal: Principal | undefined;
      /** True: the worker announced itself as Troupe's. */
      readonly isAnnounced: boolean;
      /** The id of the worker in `inspect()`. Undefined for other streams than data channels. */
      readonly workerId: string | undefined;
      /** Empty if the worker sent none. */
      readonly userAgent: string;
    }
  | {
      readonly at: "session";
      readonly what: "closed";
      readonly channel: ChannelKind;
      readonly clientId: string;
      readonly address: string;
      readonly principal: Principal | undefined;
      readonly reason: CloseReason;
      /** The transport's text about the end; empty if it has none. */
      readonly detail: string;
      /**
       * At most 100 of the agent types that the worker served when its channel ended. Empty for other streams than data channels, and
       * after `given-up`.
       */
      readonly types: readonly string[];
      readonly typeCount: number;
      /** Events that the host dropped and calls that it refused because the worker was too slow. */
      readonly droppedEvents: number;
      readonly refusedCalls: number;
    };

/** A client registered something, or the host refused it. */
export type RegistrationOccurrence =
  | { readonly at: "registration"; readonly what: "type"; readonly clientId: string; readonly agentType: string }
  | {
      readonly at: "registration";
      readonly what: "subscribed" | "unsubscribed";
      readonly clientId: string;
      readonly subscriptionId: string;
      /** Undefined for `unsubscribed`. */
      readonly agentType: string | undefined;
    }
  | {
      readonly at: "registration";
      readonly what: "refused";
      readonly clientId: string;
      readonly agentType: string | undefined;
      readonly subscriptionId: string | undefined;
      readonly reason: string;
      /** The client that holds the agent type, if that is why. */
      readonly holder: string | undefined;
    }
  /** The worker leaves, and gave up all its agent types: others may register them while it finishes its calls. */
  | {
      readonly at: "registration";
      readonly what: "given-up";
      readonly clientId: string;
      /** At most 100 of the types. */
      readonly types: readonly string[];
      readonly typeCount: number;
    }
  /** The client registered, and its data channel never came: the host forgot what it had registered. */
  | { readonly at: "registration"; readonly what: "expired"; readonly clientId: string };

/**
 * A worker has got an agent of a shared type (`made`), or has let it go (`given`). Or it has lost all of its agents of shared types: it is gone
 * (`lost`), or the time in which it stops was over (`revoked`).
 */
export type ClaimOccurrence =
  | {
      readonly at: "claim";
      readonly what: "made" | "given";
      readonly agentType: string;
      readonly key: string;
      readonly workerId: string;
      readonly clientId: string;
    }
  | {
      readonly at: "claim";
      readonly what: "lost" | "revoked";
      readonly workerId: string;
      readonly clientId: string;
      /** How many agents. */
      readonly count: number;
    };

/** A call that the host took has its outcome. */
export interface CallOccurrence {
  readonly at: "call";
  readonly callerId: string;
  /** Undefined: the host found no worker for the call. */
  readonly targetId: string | undefined;
  readonly targetType: string;
  /** The first 256 characters; empty if the host did not take the call. */
  readonly targetKey: string;
  /** `answered`: by the target, whatever it said. `failed`: by the host, with `code`. `abandoned`: the caller no longer waits. */
  readonly outcome: "answered" | "failed" | "abandoned";
  /** An error code for `failed`, a reason for `abandoned`, else undefined. */
  readonly code: string | undefined;
  /** Milliseconds from the call's arrival to its outcome, by the host's clock. */
  readonly ms: number;
  /** The id of the trace that the caller records, 32 digits. Undefined: it records none. */
  readonly traceId: string | undefined;
  /** The agent that calls, if the caller records a trace. Undefined: it records none, or the call names no agent. */
  readonly sender?: MessageSender | undefined;
  /** Chunks of its answer that the host has passed on. Undefined: the caller reads none. */
  readonly chunks?: number | undefined;
}

/** The agent in whose name a message was sent. */
export interface MessageSender {
  readonly type: string;
  /** The first 256 characters. */
  readonly key: string;
}

/** The host routed an event. */
export interface EventOccurrence {
  readonly at: "event";
  readonly topicType: string;
  /** Workers whose queue took the event. */
  readonly delivered: number;
  /** Workers that subscribe and did not get it: absent, too slow, or unable to take it. */
  readonly missed: number;
  /** The id of the trace that the publisher records, 32 digits. Undefined: it records none. */
  readonly traceId?: string | undefined;
  /** The agent that publishes, if the publisher records a trace. Undefined: it records none, or the event names no agent. */
  readonly sender?: MessageSender | undefined;
}

/** A commit of a worker was decided. */
export interface CommitOccurrence {
  readonly at: "commit";
  readonly clientId: string;
  readonly agentType: string;
  readonly key: string;
  /** Only `committed` has changed anything; `unknown` may have. */
  readonly outcome: "committed" | "conflict" | "stale" | "refused" | "failed" | "unknown";
  /** Bytes of the state; 0 if the commit wrote none. */
  readonly bytes: number;
  /** Milliseconds from the commit's turn at the host to its outcome, by the host's clock. */
  readonly ms: number;
  /** The text that the worker got for a commit that was refused, has failed, or whose outcome is unknown. */
  readonly reason?: string | undefined;
}

/** `authorize` refused a call or a stream, or failed; or the client id that it names belongs to another principal. */
export interface DeniedOccurrence {
  readonly at: "denied";
  readonly method: string;
  readonly clientId: string | undefined;
  readonly address: string;
  /** Undefined: the host does not know who calls, or knows it by no name. */
  readonly principal: Principal | undefined;
  /** The number of the gRPC status that the caller got, and its text. */
  readonly code: number;
  readonly reason: string;
}

/** A bound of the host was reached, so that it refused or dropped something. */
export interface LimitedOccurrence {
  readonly at: "limited";
  /**
   * `queue`: a worker began to read too slowly. `sessions`, `admissions`, `registrations`: one more was refused. `quota`: a principal or an address
   * began to use too much; it is said once in 10 s for each.
   */
  readonly what: "queue" | "sessions" | "admissions" | "registrations" | "quota";
  readonly clientId: string | undefined;
  readonly detail: string;
}

/** The lease of this host in its cluster: `lost` while the host has no touch with the cluster's store, and `held` again. */
export interface LeaseOccurrence {
  readonly at: "lease";
  readonly what: "held" | "lost";
}

/** A link between this host and another one of its cluster. */
export interface PeerOccurrence {
  readonly at: "peer";
  /**
   * `opened`, `lost`, `not-opened`: the link by which this host reaches the other one. `accepted`, `ended`: the link of the other host. `refused`: a
   * link of a host that names another cluster or secret. `passed-by`: the other host told of what no host takes.
   */
  readonly what: "opened" | "accepted" | "lost" | "not-opened" | "ended" | "refused" | "passed-by";
  /** Empty if it is not known. */
  readonly hostId: string;
  readonly detail: string;
}

/** A shard of the cluster's mail: this host owns it from now on (`taken`), or no longer (`dropped`). */
export interface ShardOccurrence {
  readonly at: "shard";
  readonly what: "taken" | "dropped";
  readonly shard: number;
}

/** Something that happened at a host. `at` names its kind; later versions add kinds, so ignore those that you do not know. */
export type HostOccurrence =
  | SessionOccurrence
  | RegistrationOccurrence
  | ClaimOccurrence
  | CallOccurrence
  | EventOccurrence
  | CommitOccurrence
  | DeniedOccurrence
  | LimitedOccurrence
  | MailOccurrence
  | ReminderOccurrence
  | LeaseOccurrence
  | PeerOccurrence
  | ShardOccurrence;

/**
 * Takes what happens at a host, synchronously and in order. It runs between two messages, so it must be quick, and it must not
 * throw: the host drops what it throws and logs that.
 */
export type HostObserver = (what: HostOccurrence) => void;

/** Passes occurrences on to an observer that may throw or return a promise that rejects. Logs at most one failure in 10 s. */
export function guardedObserver(observer: HostObserver, logger: Logger | undefined, clock: Clock): HostObserver {
  let quietUntilMs = Number.NEGATIVE_INFINITY;
  const onFailure = (error: unknown): void => {
    const nowMs = clock.now();
    if (nowMs < quietUntilMs) return;
    quietUntilMs = nowMs + limits.logWindowMs;
    logger?.error("the observer option failed; the host goes on", { error });
  };
  return (what) => {
    try {
      // An async function is assignable to an observer; its rejection must not end the process.
      const returned: unknown = observer(what);
      if (typeof returned === "object" && returned !== null) Promise.resolve(returned).catch(onFailure);
    } catch (error) {
      onFailure(error);
    }
  };
}

/** Takes the content of messages, as frames, while an operator watches it. */
export interface PayloadNotes {
  /** `call`: the host's own record of the call. */
  callOpened(call: object, frame: Uint8Array): void;
  /** Called before the observers are told of the outcome. */
  callEnded(call: object, occurrence: HostOccurrence): void;
  eventRouted(frame: Uint8Array, occurrence: HostOccurrence): void;
}

/** All that listen to one host. */
export class Observers {
  #all: readonly Listener[] = [];
  /** Tells all of them. Undefined while none listens: then make no occurrence. */
  now: HostObserver | undefined;
  /** Undefined while no operator watches what messages say: then read nothing of them. */
  payloads: PayloadNotes | undefined;
  #ofFailures: readonly Listener[] = [];
  /** Tells those that hear of failures alone. Undefined while none listens. */
  failures: HostObserver | undefined;

  /** Whether anyone may hear of a call that comes now. */
  get hearOfCalls(): boolean {
    return this.now !== undefined || this.failures !== undefined;
  }

  /** Adds a listener, which must not throw (`guardedObserver`). Returns what ends its listening. */
  add(observer: HostObserver): () => void {
    // Its own entry, so that an observer that is added twice ends once.
    const entry: Listener = { observer };
    this.#use([...this.#all, entry]);
    return () => this.#use(this.#all.filter((other) => other !== entry));
  }

  /** As `add`, for a listener that hears of failures alone. */
  addForFailures(observer: HostObserver): () => void {
    const entry: Listener = { observer };
    this.#useForFailures([...this.#ofFailures, entry]);
    return () => this.#useForFailures(this.#ofFailures.filter((other) => other !== entry));
  }

  #use(all: readonly Listener[]): void {
    this.#all = all;
    this.now = oneOf(all);
  }

  #useForFailures(all: readonly Listener[]): void {
    this.#ofFailures = all;
    this.failures = oneOf(all);
  }
}

interface Listener {
  readonly observer: HostObserver;
}

/** Makes one observer of several. It runs for each message while an operator watches, so that one or two cost no loop. */
function oneOf(all: readonly Listener[]): HostObserver | undefined {
  const [first, second] = all.map(({ observer }) => observer);
  if (first === undefined || second === undefined) return first;
  if (all.length > 2)
    return (what) => {
      for (const { observer } of all) observer(what);
    };
  return (what) => {
    first(what);
    second(what);
  };
}

/** The listeners to a host, in groups by what they cost. A part of the host tells the group of its occurrences. */
export interface ObserverGroups {
  /** Calls and events. The log does not hear of these, so that they cost nothing without another observer. */
  readonly observers: Observers;
  /** Commits, mail and reminders, which cost a write of the store each. */
  readonly stored: Observers;
  /** All else. */
  readonly seldom: Observers;
  /** Adds a listener to all groups. Returns what ends its listening. */
  readonly observe: (observer: HostObserver, hears?: "everything" | "failures") => () => void;
}

export function observerGroups(logger: Logger | undefined, clock: Clock): ObserverGroups {
  const [observers, stored, seldom] = [new Observers(), new Observers(), new Observers()];
  return {
    ...{ observers, stored, seldom },
    observe: (observer, hears = "everything") => {
      const guarded = guardedObserver(observer, logger, clock);
      const messages = hears === "everything" ? observers.add(guarded) : observers.addForFailures(guarded);
      const ends = [messages, stored.add(guarded), seldom.add(guarded)];
      return () => {
        for (const end of ends) end();
      };
    },
  };
}
