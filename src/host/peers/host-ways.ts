import type { FrameHead, PeerBounce, PeerUnary } from "../../protocol/internal.ts";
import type { MemoryAccount, RpcError } from "../../transport/internal.ts";
import type { Admitted } from "../sessions/admission.ts";
import type { Peer } from "../sessions/peer.ts";
import type { TypeApplicant } from "./cluster-view.ts";
import type { HostCaller } from "./host-caller.ts";
import type { CallLink, WorkerElsewhere } from "./worker-elsewhere.ts";

/** A frame that could not be read, or for which there was no space. */
export interface BadFrame {
  readonly reason: string;
  readonly isOverload: boolean;
}

/** The other end of a link, as what control envelopes come from and go to. */
export interface ControlLink {
  readonly id: string;
  readonly account: MemoryAccount;
  /** Without a principal: the host refuses requests that only workers of the same principal may make. */
  readonly owner: { readonly principal: Admitted };
  readonly isElsewhere: true;
  /** False: it takes nothing now. */
  send(envelope: Uint8Array): boolean;
}

/** The ways by which frames of other hosts reach the rooms of a host. None of them throws. */
export interface HostWays {
  /** The answer to a call that this host has sent on the link; or the beginning of one that can't be read. */
  readonly answered: (link: CallLink, frame: Uint8Array) => void;
  readonly answeredBadly: (link: CallLink, head: FrameHead, bad: BadFrame) => void;
  /** A call comes back that no worker got. */
  readonly bounced: (link: CallLink, bounce: PeerBounce) => void;
  /** The link to the host of a worker has ended: its calls fail. */
  readonly workerGone: (worker: WorkerElsewhere) => void;
  /** The calls that wait under this key go where they belong. False: no host serves their type. */
  readonly placeKnown: (key: string, isServed: boolean) => void;
  /** Whether a client of this host serves an agent type. */
  readonly isServed: (agentType: string) => boolean;
  /** A client of this host has lost an agent type to a worker of another host. */
  readonly typeLost: (applicant: TypeApplicant) => void;

  /** Hands a call of another host to a channel here. False: its worker does not serve the type any more. */
  readonly called: (caller: HostCaller, frame: Uint8Array, channel: Peer) => boolean;
  readonly calledBadly: (caller: HostCaller, head: FrameHead, bad: BadFrame) => void;
  readonly noticed: (caller: HostCaller, notice: Uint8Array) => void;
  /** The link of the caller has ended: no caller waits for its calls. */
  readonly callerGone: (caller: HostCaller) => void;
  /** Hands an event to the workers here that serve these exclusive types. */
  readonly published: (caller: HostCaller, types: readonly string[], frame: Uint8Array) => void;
  /** Answers a unary call of a client whose channel is here, or one for all hosts. */
  readonly asked: (ask: PeerUnary, account: MemoryAccount) => Promise<Uint8Array | RpcError>;

  readonly controlCame: (from: ControlLink, envelope: Uint8Array) => void;
  readonly controlGone: (from: ControlLink) => void;
}

/** An occurrence on a link, for the host's log. */
export interface LinkOccurrence {
  readonly what: "opened" | "lost" | "not-opened" | "accepted" | "ended" | "refused" | "passed-by";
  readonly hostId: string;
  /** For people: the reason. */
  readonly detail: string;
}

/** Counts what links have done. Numbers only grow. */
export interface LinkCounters {
  /** Links of both kinds that were opened, and those that have ended. */
  openedLinks: number;
  endedLinks: number;
  /** Events sent to other hosts. */
  sentEvents: number;
  /** Events that found the queue for a host full. */
  droppedEvents: number;
  /** Of links that were lost: events that had not left, and those of which nothing showed that they arrived. Never too few. */
  lostEvents: number;
  unconfirmedEvents: number;
  /** Calls that came back from other hosts. */
  bouncedCalls: number;
  /** Workers and subscriptions that other hosts told under names which no host takes. */
  refusedNames: number;
  /** Subscriptions that were answered although some host may not know them yet. */
  lateSubscriptions: number;
}

export function createLinkCounters(): LinkCounters {
  return {
    ...{ openedLinks: 0, endedLinks: 0, sentEvents: 0, droppedEvents: 0, lostEvents: 0, unconfirmedEvents: 0 },
    ...{ bouncedCalls: 0, refusedNames: 0, lateSubscriptions: 0 },
  };
}
