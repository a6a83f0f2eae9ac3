import type { LeaveReason } from "../../protocol/internal.ts";
import { FairShare, type MemoryAccount } from "../../transport/internal.ts";
import { limits } from "../limits.ts";
import type { SharedType } from "../registry/shared-type.ts";
import type { Peer } from "../sessions/peer.ts";
import type { Claim } from "./agent-directory.ts";
import type { Placed, Seeker } from "./located.ts";

/** A message that waits until its agent has a place. The router of its kind makes it. */
export interface HeldMessage extends Seeker {
  /** Pays for the message; its party shares the bound. */
  readonly account: MemoryAccount;
  readonly byteLength: number;
  /** Its worker could not read the agent's state, which is of a newer version. */
  readonly isUnfit: boolean;
  /** Where it waits; written by `HeldMessages`. */
  queue: { readonly agent: MovingAgent; readonly messages: Set<HeldMessage> } | undefined;
  /** Sends the message to its place, or ends it. Undefined: the agent's type is not the same any more. */
  place(placed: Placed | undefined): void;
}

/**
 * - `leaving`: its worker has been told to let it go, and holds it under `claim`.
 * - `placing`: it has left, or it stays; the messages that waited are being sent, and others wait behind them.
 */
export type MovingState = "leaving" | "placing";

// protocol.md §11.17
/** An agent on its way from a worker to the next. */
export interface MovingAgent {
  readonly type: SharedType;
  readonly key: string;
  at: MovingState;
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
}

/** About what a message takes beside its bytes: its object and the entries of two sets. */
const messageBytes = 300;

/** Holds the messages for agents that move, within bounds for each agent and for all, of which each address has a fair share. */
export class HeldMessages {
  readonly #share = new FairShare(limits.heldForAgents);
  #count = 0;

  /** The number of messages that wait now. */
  get size(): number {
    return this.#count;
  }

  /** Whether there is space for one more message. Of the space for one agent, too, each address has a fair share. */
  mayAdd({ ofParty }: MovingAgent, { account, byteLength }: Pick<HeldMessage, "account" | "byteLength">): boolean {
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
      countHeld(agent) >= limits.heldPerAgent ||
      agent.heldBytes + byteLength > limits.heldBytesPerAgent ||
      !this.#share.mayAdd(account.party, byteLength);
    if (isFull || !account.take(byteLength + messageBytes)) return false;
    this.#share.add(account.party, byteLength);
    this.#count += 1;
    agent.heldBytes += byteLength;
    agent.ofParty ??= {
      messages: new FairShare(limits.heldPerAgent),
      bytes: new FairShare(limits.heldBytesPerAgent),
    };
    agent.ofParty.messages.add(account.party);
    agent.ofParty.bytes.add(account.party, byteLength);
    messages.add(message);
    message.queue = { agent, messages };
    return true;
  }

  /** Holds the message no more; one that is not held is fine. */
  remove(message: HeldMessage): void {
    const { queue, account, byteLength } = message;
    if (queue === undefined) return;
    message.queue = undefined;
    queue.messages.delete(message);
    queue.agent.heldBytes -= byteLength;
    queue.agent.ofParty?.messages.remove(account.party);
    queue.agent.ofParty?.bytes.remove(account.party, byteLength);
    this.#count -= 1;
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

  /** Takes out the message that goes next. */
  takeNext({ returned, returnedOnNewest, held }: MovingAgent): HeldMessage | undefined {
    for (const messages of [returned, returnedOnNewest, held]) {
      for (const message of messages) {
        this.remove(message);
        return message;
      }
    }
    return undefined;
  }
}

/** The number of messages that wait for an agent. */
export function countHeld({ returned, returnedOnNewest, held }: MovingAgent): number {
  return returned.size + returnedOnNewest.size + held.size;
}
