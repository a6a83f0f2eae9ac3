import type { Clock } from "../../core/internal.ts";
import type { MemoryAccount, RpcStatus, ServerStream } from "../../transport/internal.ts";
import type { CloseReason } from "../observer.ts";
import { GracefulClose } from "../sessions/graceful-close.ts";
import { QueueBound, type QueueBounds } from "../sessions/queue-bound.ts";
import type { StreamOwner } from "../sessions/session.ts";
import type { ControlPeer } from "./control-peer.ts";

export interface ControlSessionParts {
  readonly owner: StreamOwner;
  /** The number of the stream among all that were opened; a newer one has a higher number. */
  readonly openedAs: number;
  readonly stream: ServerStream;
  /** The account of the client's connection. */
  readonly account: MemoryAccount;
  readonly bounds: QueueBounds;
  readonly clock: Clock;
}

// protocol.md §1.8
/** One client's open control channel, apart from its data channel. */
export class ControlSession implements ControlPeer {
  readonly id: string;
  readonly owner: StreamOwner;
  readonly openedAs: number;
  readonly account: MemoryAccount;
  readonly isElsewhere = false;
  readonly ask = undefined;
  readonly #stream: ServerStream;
  readonly #bound: QueueBound;
  readonly #close: GracefulClose;
  #isOpen = true;
  #endedFor: CloseReason | undefined;

  constructor({ owner, openedAs, stream, account, bounds, clock }: ControlSessionParts) {
    this.id = owner.clientId;
    this.owner = owner;
    this.openedAs = openedAs;
    this.account = account;
    this.#stream = stream;
    this.#bound = new QueueBound(stream, bounds, account);
    this.#close = new GracefulClose(stream, clock);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The reason for which the host ended the channel; undefined if it did not. */
  get endedFor(): CloseReason | undefined {
    return this.#endedFor;
  }

  /** False: the channel has ended or its queue is full, or the envelope is longer than the transport may send. */
  send(envelope: Uint8Array): boolean {
    if (!this.#isOpen || !this.#bound.hasRoom(envelope.length, "call")) return false;
    try {
      this.#stream.send(envelope);
    } catch {
      return false;
    }
    return true;
  }

  /** Ends the channel after what is queued, or after 5 s if the client does not read it. `reason`: undefined if the client ends it. */
  finish(status: RpcStatus, reason: CloseReason | undefined): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#endedFor = reason;
    this.#close.finish(status);
  }

  /** Ends the call at once; what is queued is dropped. */
  abort(status: RpcStatus, reason: CloseReason): void {
    this.#endedFor ??= reason;
    this.markClosed();
    this.#stream.abort(status);
  }

  markClosed(): void {
    this.#isOpen = false;
    this.#close.done();
  }

  flushed(): Promise<void> {
    return this.#stream.flushed();
  }
}
