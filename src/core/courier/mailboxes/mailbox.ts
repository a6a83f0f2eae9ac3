import type { Timer } from "../../clock.ts";
import { type AgentName, shardOf, textOfName } from "../../state/agent-name.ts";
import type { KeptMessage } from "../../state/durable-log.ts";
import type { CourierDelivery } from "../courier-call.ts";
import type { SlotUse } from "../courier-slots.ts";
import { noTries, type Tries } from "../retry-policy.ts";

/** The messages of one agent in memory. */
export interface Mailbox {
  readonly name: AgentName;
  readonly text: string;
  readonly shard: number;
  /** Peer address of the worker that served the agent when the mailbox came into memory. */
  readonly party: string;
  /** The head is delivered first; the others wait for it. */
  readonly queue: KeptMessage[];
  tries: Tries;
  delivery: CourierDelivery | undefined;
  /** Set while the head waits for its next attempt. */
  retryTimer: Timer | undefined;
  /** Messages that were handled, and are not settled in the log yet. */
  unsettled: number;
  isBurying: boolean;
  /** Whether the head that is being delivered may have been deleted with its agent. */
  isDoubtful: boolean;
  /** Whether later messages are out of the way of the shard. */
  isSpilled: boolean;
  /** Counts the times that messages were spilled. */
  spills: number;
  isReadingBack: boolean;
  /** `held`: by the delivery, or while messages are read back for one. */
  slot: "none" | "waiting" | "held";
  use: SlotUse | undefined;
  /** Length of the head if that is out of the way, too. */
  spilledHeadBytes: number;
  /** Places in the sets of those with messages in memory, and of those that are under way. */
  filledSlot: number;
  busySlot: number;
}

export function createMailbox(name: AgentName, party: string): Mailbox {
  // One literal: an object of several spreads takes more time and memory, and most mailboxes come for one message.
  return {
    name,
    text: textOfName(name),
    shard: shardOf(name),
    party,
    queue: [],
    tries: noTries,
    delivery: undefined,
    retryTimer: undefined,
    unsettled: 0,
    isBurying: false,
    isDoubtful: false,
    isSpilled: false,
    spills: 0,
    isReadingBack: false,
    slot: "none",
    use: undefined,
    spilledHeadBytes: 0,
    filledSlot: 0,
    busySlot: 0,
  };
}

export function isUnderWay(mailbox: Mailbox): boolean {
  const { delivery, retryTimer, unsettled, isBurying, isReadingBack, queue, slot } = mailbox;
  const isDelivered = delivery !== undefined || (queue.length > 0 && retryTimer === undefined);
  return isDelivered || slot === "waiting" || isBurying || isReadingBack || unsettled > 0;
}

/**
 * Whether a mailbox may leave memory, and come back from the log as it is. One with messages that are not settled would bring them again,
 * and one whose head was tried would forget how often.
 */
export function mayLeave({ delivery, isBurying, isReadingBack, unsettled, tries }: Mailbox): boolean {
  return delivery === undefined && !isBurying && !isReadingBack && unsettled === 0 && tries.attempts === 0;
}
