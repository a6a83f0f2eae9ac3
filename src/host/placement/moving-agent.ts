import type { LeaveReason } from "../../protocol/internal.ts";
import { FairShare, type MemoryAccount } from "../../transport/internal.ts";
import { limits } from "../limits.ts";
import type { SharedType } from "../registry/shared-type.ts";
import type { Peer } from "../sessions/peer.ts";
import { SenderWaits } from "../sessions/sender-waits.ts";
import type { Claim } from "./agent-directory.ts";
import type { MessageOrigin, Nowhere, Placed, Seeker } from "./located.ts";
import type { MovingLane } from "./moving-lane.ts";

/** The search for the place of a control request, which opens no route. */
export interface SeekingPlace {
  /** A place was wrong: the cluster is asked for the claim of the agent first. */
  readonly looksUp: boolean;
  /** Another host has sent it. An agent without a worker gets one of this host. */
  readonly isForWorkerHere: boolean;
}

/** A message that waits until its agent has a place. The router of its kind makes it. */
export interface HeldMessage extends Seeker {
  /** Pays for the message; its party shares the bound. */
  readonly account: MemoryAccount;
  readonly byteLength: number;
  /** Its worker could not read the agent's state, which is of a newer version. */
  readonly isUnfit: boolean;
  /** Undefined: a worker of this host has sent it, or the host itself. */
  readonly origin?: MessageOrigin | undefined;
  /** Whether it says what has become of it when it is the first on a route to another host. */
  readonly opensRoutes: boolean;
  /** It takes no place of a message: it only stands behind others, and its account pays for it. */
  readonly isMark?: boolean | undefined;
  // protocol.md §12.8
  /** The search for its place. Undefined: as for calls and events. */
  readonly seeking?: SeekingPlace | undefined;
  /** Where it waits; written by `HeldMessages`. */
  queue: { readonly agent: MovingAgent; readonly messages: Set<HeldMessage> } | undefined;
  /** Sends the message to its place, or ends it. Undefined: the agent's type is not the same any more. */
  place(placed: Placed | undefined): void;
}

/**
 * - `leaving`: its worker has been told to let it go, and holds it under `claim`.
 * - `placing`: it has left, or it stays; the messages that waited are being sent, and others wait behind them.
 *
 * In a cluster, for an agent whose place is not known:
 * - `claiming`: the cluster is asked whether a worker of this host may have it, or who has it.
 * - `asking`: one message is on its way to another host.
 * - `flushing`: the route has changed; what is on its way on the old one comes back first.
 * - `waiting`: a worker that has it is between two hosts, or no worker that may have it is linked yet.
 */
export type MovingState = "leaving" | "placing" | "claiming" | "asking" | "flushing" | "waiting";

// protocol.md §11.17
/** An agent on its way from a worker to the next. */
export interface MovingAgent {
  readonly type: SharedType;
  readonly key: string;
  at: MovingState;
  /** Where it is entered; written by `MovingLane`. */
  lane: MovingLane | undefined;
  /** The claim under which it leaves. */
  claim: Claim;
  reason: LeaveReason;
  /** The channels on which its worker has been told to let it go, and has not said `left`. */
  readonly unanswered: Set<Peer>;
  /** The place (`Workers.placeOf`) of the worker's newest channel when the agent began to leave. Its last messages went there. */
  newest: number;
  /** Pays for this entry: the account of the worker that asked. */
  account: MemoryAccount;
  /**
   * Messages that the worker gave back, which go first, and those that came since. What comes back on the `newest`
   * channel, or on one that was opened since, was sent behind what comes back on the others.
   */
  readonly returned: Set<HeldMessage>;
  readonly returnedOnNewest: Set<HeldMessage>;
  readonly held: Set<HeldMessage>;
  heldBytes: number;
  /** How many messages and bytes each address has among them. Undefined: none was held yet. */
  ofParty: { readonly messages: FairShare; readonly bytes: FairShare } | undefined;
  /** Only a worker with a higher version can read the agent's state. */
  above: string | undefined;
  /** Its messages are being sent now. */
  isBeingPlaced: boolean;
  // protocol.md §12.8
  /** The worker that has it, by the latest that this host has heard, and the one that was tried last in vain. */
  heldBy: string | undefined;
  tried: string | undefined;
  /** Claims and messages that have found no place since the last one that did. */
  failures: number;
  /** The next so many messages fail: no place was found for them. */
  refusal: { readonly outcome: Nowhere; left: number } | undefined;
  /** The message whose claim another worker has. */
  refused: HeldMessage | undefined;
  /** How many of the messages came from this host, and not from another. */
  ownCount: number;
}

/** An entry for an agent of which nothing else is known. */
export function movingAgent(
  type: SharedType,
  key: string,
  account: MemoryAccount,
  more: Pick<MovingAgent, "at" | "claim" | "reason" | "newest">,
): MovingAgent {
  const [returned, returnedOnNewest, held] = [new Set<HeldMessage>(), new Set<HeldMessage>(), new Set<HeldMessage>()];
  return {
    lane: undefined,
    ...{ type, key, account, returned, returnedOnNewest, held, heldBytes: 0, ofParty: undefined, above: undefined },
    ...{ isBeingPlaced: false, heldBy: undefined, tried: undefined, failures: 0, refusal: undefined },
    ...{ refused: undefined, ownCount: 0, unanswered: new Set(), ...more },
  };
}

/** The claim of an agent that no worker of this host holds. */
export function noClaim(type: string, key: string): Claim {
  return { type, key, workerId: "", epoch: { generation: 0, era: 0, number: 0 } };
}

/** Entries in two tables and two sets, beside the names. */
const agentBytes = 800;

/** Memory of an entry beside its messages. */
export function costOfMoving({ name }: SharedType, key: string): number {
  return agentBytes + 4 * (name.length + key.length);
}

/** About what a message takes beside its bytes: its object and the entries of two sets. */
const messageBytes = 300;

/** Holds the messages for agents that move, within bounds for each agent and for all, of which each address has a fair share. */
export class HeldMessages {
  readonly #share = new FairShare(limits.heldForAgents);
  readonly #senders: SenderWaits;
  #count = 0;

  /** `senders`: counts what waits for each sender. */
  constructor(senders = new SenderWaits()) {
    this.#senders = senders;
  }

  /** The number of messages that wait now. */
  get size(): number {
    return this.#count;
  }

  /** Whether there is space for one more message. Of the space for one agent, too, each address has a fair share. */
  mayAdd(
    { ofParty }: MovingAgent,
    { account, byteLength, isMark }: Pick<HeldMessage, "account" | "byteLength" | "isMark">,
  ): boolean {
    if (isMark) return true;
    const { party } = account;
    if (ofParty === undefined) return byteLength <= limits.heldBytesPerAgent;
    // One message may be as long as all of them.
    const isFirst = ofParty.messages.size === 0;
    return ofParty.messages.mayAdd(party) && (isFirst || ofParty.bytes.mayAdd(party, byteLength));
  }

  /** Adds a message that may be one that was given back, which has had its share. False: there is no space for it. */
  add(agent: MovingAgent, messages: Set<HeldMessage>, message: HeldMessage): boolean {
    const { account, byteLength } = message;
    const isFull =
      !message.isMark &&
      (countHeld(agent) >= limits.heldPerAgent ||
        agent.heldBytes + byteLength > limits.heldBytesPerAgent ||
        !this.#share.mayAdd(account.party, byteLength));
    if (isFull || !account.take(byteLength + messageBytes)) return false;
    this.#share.add(account.party, byteLength);
    this.#count += 1;
    this.#senders.add(account);
    agent.heldBytes += byteLength;
    agent.ofParty ??= {
      messages: new FairShare(limits.heldPerAgent),
      bytes: new FairShare(limits.heldBytesPerAgent),
    };
    agent.ofParty.messages.add(account.party);
    agent.ofParty.bytes.add(account.party, byteLength);
    if (message.origin === undefined) agent.ownCount += 1;
    messages.add(message);
    message.queue = { agent, messages };
    return true;
  }

  /** Adds a message before all others of the agent. False: there is no space for it. */
  addFirst(agent: MovingAgent, message: HeldMessage): boolean {
    const later = [...agent.returned];
    agent.returned.clear();
    const isAdded = this.add(agent, agent.returned, message);
    for (const one of later) agent.returned.add(one);
    return isAdded;
  }

  /** Moves all messages of an agent before those of another entry of it, in their order. */
  moveBefore(from: MovingAgent, to: MovingAgent): void {
    const later = [...to.returned];
    to.returned.clear();
    for (let message = this.takeNext(from); message !== undefined; message = this.takeNext(from)) {
      // They had their share, which is free again.
      if (!this.add(to, to.returned, message)) message.place(noRoom);
    }
    for (const one of later) to.returned.add(one);
  }

  /** Holds the message no more; one that is not held is fine. */
  remove(message: HeldMessage): void {
    const { queue, account, byteLength } = message;
    if (queue === undefined) return;
    message.queue = undefined;
    queue.messages.delete(message);
    if (message.origin === undefined) queue.agent.ownCount -= 1;
    queue.agent.heldBytes -= byteLength;
    queue.agent.ofParty?.messages.remove(account.party);
    queue.agent.ofParty?.bytes.remove(account.party, byteLength);
    this.#count -= 1;
    this.#senders.remove(account);
    this.#share.remove(account.party, byteLength);
    account.release(byteLength + messageBytes);
  }

  /** The agent leaves again: what it gave back before waits on, behind what its worker gives back now. */
  leaveAgain(agent: MovingAgent): void {
    const { returned, returnedOnNewest, held } = agent;
    const before = [...returned, ...returnedOnNewest];
    if (before.length === 0) return;
    const later = [...held];
    held.clear();
    for (const message of [...before, ...later]) {
      held.add(message);
      message.queue = { agent, messages: held };
    }
    returned.clear();
    returnedOnNewest.clear();
  }

  /** Returns the message that goes next. */
  next({ returned, returnedOnNewest, held }: MovingAgent): HeldMessage | undefined {
    for (const messages of [returned, returnedOnNewest, held]) for (const message of messages) return message;
    return undefined;
  }

  /** Takes out the message that goes next. */
  takeNext(agent: MovingAgent): HeldMessage | undefined {
    const message = this.next(agent);
    if (message !== undefined) this.remove(message);
    return message;
  }
}

const noRoom: Nowhere = {
  at: "nowhere",
  code: "overloaded",
  reason: "Too much waits for agents that move. Try again later.",
};

/** The number of messages that wait for an agent. */
export function countHeld({ returned, returnedOnNewest, held }: MovingAgent): number {
  return returned.size + returnedOnNewest.size + held.size;
}
