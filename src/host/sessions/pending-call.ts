import { Buffer } from "node:buffer";
import { IndexedSet, NamedIndexedSet, type Timer } from "../../core/internal.ts";
import type { PeekedResponse } from "../../protocol/internal.ts";
import { limits } from "../limits.ts";
import type { MessageSender } from "../observer.ts";
import type { CallTrace } from "./message-traces.ts";
import type { Peer } from "./peer.ts";

// protocol.md §11.13
/** The path of a call to a worker that knows no paths. */
export interface StockPath {
  readonly target: Peer;
  /** The agent that is called, `type/key`. */
  readonly agent: string;
  /** The value of `agpath`. */
  readonly path: string;
  /** The same without the calls between its turns. */
  readonly turns: string;
  /** Memory of all this, taken from the caller's account. */
  readonly bytes: number;
}

// protocol.md §11.21
/** The stream of a call whose caller reads chunks, in bytes since the call began, and when it last moved. */
export interface CallStream {
  /** The reader has granted them. */
  askedBytes: number;
  /** The target may send them, as far as it has heard. */
  grantedBytes: number;
  sentBytes: number;
  /** Chunks that were passed on. */
  chunks: number;
  movedMs: number;
  /** Whether the host passes no further chunk on. The call continues, since a commit decides it. */
  isCut: boolean;
  /** An answer that has overtaken some of its chunks, and waits for them. */
  answer: PeekedResponse | undefined;
}

// protocol.md H1
/** A call between two peers without an outcome: who called under which id, and who was called. */
export interface PendingCall {
  /** The number of the call at this host; the request id that the target sees is made from it. */
  readonly hostId: number;
  readonly caller: Peer;
  // protocol.md §11.20
  /** The name of the principal that calls, as the caller's own host has found out. Undefined: an anonymous caller. */
  readonly principal: string | undefined;
  /** The caller's own request id, as raw bytes. */
  readonly callerId: Uint8Array;
  readonly targetType: string;
  readonly targetKey: string;
  /** Memory of the call, taken from the caller's account. */
  readonly heldBytes: number;
  /** Memory of the report that the call waits for its turn, taken from the account of `reporter`; 0: it is not reported. */
  reportBytes: number;
  /** The worker that pays for the report: the target, or the caller of a call that is held for its agent. */
  reporter: Peer | undefined;
  /** Set for a call with a path to a worker that knows no paths. */
  stockPath: StockPath | undefined;
  /** 0: no bound. */
  readonly timeoutMs: number;
  /** When the call came, by the host's clock; `untimed` if no observer listened then. */
  readonly openedMs: number;
  /** The id of the trace that its caller records, and the beginning of its path. Undefined and empty if no observer listened when it came. */
  readonly traceId: string | undefined;
  readonly path: string;
  /** The agent that calls, if its trace was recorded and an observer listened when the call came. */
  readonly sender: MessageSender | undefined;
  /** When the call times out, by the host's clock; 0: never, or it has a timer of its own. Written by the deadlines. */
  dueMs: number;
  /** Its place among those with the common timeout; negative for a stream, whose time moves. Written by the deadlines. */
  dueSlot: number;
  timer: Timer | undefined;
  /** Undefined while the call waits for the target's channel. */
  target: Peer | undefined;
  // protocol.md §11.15
  /** Undecided commits that carry an answer to the call. While there is one, no end of its worker, time limit or drain ends the call. */
  commits: number;
  /** Whether the outcome of such a commit is not known: the state may have been written. */
  isInDoubt: boolean;
  // protocol.md §11.17
  /** Length of the message that the worker of an agent of a shared type was sent. Times that the call was given back, and those for a conflict. */
  sentBytes: number;
  returns: number;
  conflicts: number;
  // protocol.md §12
  /** Times that the call came back from another host. */
  bounces: number;
  /** When the call began to wait for the place of its type, by the host's clock. */
  heldSinceMs: number | undefined;
  // protocol.md §11.21
  /** Undefined: the caller reads no chunks, or its target can send none. */
  stream: CallStream | undefined;
  /** Undefined: the call is not traced. */
  readonly trace: CallTrace | undefined;
  /** Places of the call in the sets of its caller and of its target. */
  outgoingSlot: number;
  incomingSlot: number;
}

/** The time of calls that came while no observer listened: observers don't hear of them. */
export const untimed = -1;

/** Calls that one worker waits for, found by the worker's own request ids once it cancels one. */
export type OutgoingCalls = NamedIndexedSet<"outgoingSlot", PendingCall>;

/** Calls that one worker was sent and has not answered. */
export type IncomingCalls = IndexedSet<"incomingSlot", PendingCall>;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The request id under which the caller knows a call. */
export function callerIdText({ callerId }: PendingCall): string {
  return decoder.decode(callerId);
}

export function createOutgoingCalls(): OutgoingCalls {
  return new NamedIndexedSet("outgoingSlot", callerIdText);
}

export function createIncomingCalls(): IncomingCalls {
  return new IndexedSet("incomingSlot");
}

/** Cuts a long key, without keeping the rest in memory behind it. */
export function keptText(key: string): string {
  if (key.length <= limits.keptKeyChars) return key;
  return `${Buffer.from(key.slice(0, limits.keptKeyChars)).toString()}…`;
}
