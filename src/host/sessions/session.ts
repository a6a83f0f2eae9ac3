import { type Clock, watchingClock } from "../../core/internal.ts";
import { encodeFrame, type FrameBytes, type WorkerIdentity } from "../../protocol/internal.ts";
import {
  type MemoryAccount,
  type RpcStatus,
  SentFrames,
  type ServerStream,
  StatusCode,
} from "../../transport/internal.ts";
import type { SessionAccess } from "../access/session-access.ts";
import type { CloseReason } from "../observer.ts";
import type { Principal } from "../principal.ts";
import type { CallerQuota } from "../quotas/quota-check.ts";
import type { DotnetWorker } from "./dotnet-worker.ts";
import { GracefulClose } from "./graceful-close.ts";
import type { FrameUse, Peer, PeerTraits, SendOutcome } from "./peer.ts";
import { createIncomingCalls, createOutgoingCalls } from "./pending-call.ts";
import { QueueBound, type QueueBounds } from "./queue-bound.ts";
import { SignsOfLife } from "./signs-of-life.ts";

/** A stream of a worker that ends with its data channel. */
export interface StreamBeside {
  /** Bytes that have come from the worker on this stream. */
  readonly receivedBytes: number;
  /** `reason` is undefined when the worker has ended its data channel itself. */
  finish(status: RpcStatus, reason: CloseReason | undefined): void;
}

/** A way for notices past all that waits on the worker's data channel: its side stream. */
export interface NoticePath extends StreamBeside {
  /** False: the path did not take the notice. */
  send(notice: Uint8Array): boolean;
}

/** The worker that opened a stream. */
export interface StreamOwner {
  readonly clientId: string;
  /** The address of the worker, for people. */
  readonly address: string;
  /** The worker's gRPC library as it names itself; empty if it does not. */
  readonly userAgent: string;
  /** Kept as long as the stream lives. Undefined for an anonymous worker. */
  readonly principal: Principal | undefined;
}

export interface SessionParts {
  readonly owner: StreamOwner;
  /** The number of the stream among all that were opened; a newer one has a higher number. */
  readonly openedAs: number;
  readonly traits: PeerTraits;
  readonly worker: WorkerIdentity;
  readonly dotnet: DotnetWorker | undefined;
  /** Undefined: the host has no rules. */
  readonly access?: SessionAccess | undefined;
  /** Undefined: the host has no quotas. */
  readonly quota?: CallerQuota | undefined;
  readonly stream: ServerStream;
  /** The account of the worker's connection. */
  readonly account: MemoryAccount;
  readonly bounds: QueueBounds;
  readonly clock: Clock;
  // protocol.md §11.12
  /** Milliseconds of silence after which the host asks a worker that knows heartbeats, and those for the answer. 0: it never asks. */
  readonly heartbeatMs: number;
  readonly heartbeatTimeoutMs: number;
  /** The session ends the channel because the worker gave no sign of life. */
  readonly onSilent: (session: Session) => void;
  /** The queue is full: the session begins to refuse frames. */
  readonly onOverflow: (session: Session) => void;
  /** The queue has shrunk to half its bound after `lost` frames were refused. */
  readonly onRelief: (session: Session, lost: number) => void;
  /** The session ends the channel because the worker does not read. */
  readonly onCutOff: (session: Session) => void;
}

/** One worker's open data channel. A worker that comes back gets a new session, also under the same client id. */
export class Session implements Peer {
  readonly id: string;
  readonly owner: StreamOwner;
  readonly openedAs: number;
  readonly traits: PeerTraits;
  readonly dotnet: DotnetWorker | undefined;
  readonly principal: string | undefined;
  readonly access: SessionAccess | undefined;
  readonly quota: CallerQuota | undefined;
  readonly account: MemoryAccount;
  readonly outgoingCalls = createOutgoingCalls();
  readonly incomingCalls = createIncomingCalls();
  lastEvent = 0;
  /** Events kept from this worker, and calls and chunks to it refused, because its queue was full. */
  droppedEvents = 0;
  refusedCalls = 0;
  readonly #stream: ServerStream;
  readonly #bound: QueueBound;
  readonly #sent = new SentFrames();
  readonly #parts: SessionParts;
  readonly #close: GracefulClose;
  readonly #signsOfLife: SignsOfLife | undefined;
  #sentFrames = 0;
  #asked = 0;
  #worker: WorkerIdentity;
  #noticePath: NoticePath | undefined;
  #stateStream: StreamBeside | undefined;
  #isOpen = true;
  #endedFor: CloseReason | undefined;

  constructor(parts: SessionParts) {
    this.id = parts.owner.clientId;
    this.owner = parts.owner;
    this.openedAs = parts.openedAs;
    this.traits = parts.traits;
    this.#worker = parts.worker;
    this.dotnet = parts.dotnet;
    this.principal = parts.owner.principal?.name;
    this.access = parts.access;
    this.quota = parts.quota;
    this.account = parts.account;
    this.#stream = parts.stream;
    this.#bound = new QueueBound(parts.stream, parts.bounds, parts.account);
    this.#close = new GracefulClose(parts.stream, parts.clock);
    this.#parts = parts;
    this.#signsOfLife = this.#watch();
  }

  get worker(): WorkerIdentity {
    return this.#worker;
  }

  // protocol.md §12.7
  /** A stock worker has another worker id in the next life of its host. No table may know the session meanwhile. */
  identifyAnew(workerId: string): void {
    this.#worker = { ...this.#worker, id: workerId };
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The reason for which the host ended the channel; undefined if it did not. */
  get endedFor(): CloseReason | undefined {
    return this.#endedFor;
  }

  get queuedBytes(): number {
    return this.#stream.queuedBytes;
  }

  get queuedFrames(): number {
    return this.#stream.queuedFrames;
  }

  /** Frames that the queue took. */
  get sentFrames(): number {
    return this.#sentFrames;
  }

  /** After the end of the stream: events that the queue took and that never left. */
  get lostEvents(): number {
    return this.#sent.eventsAmongLast(this.#stream.unsentFrames);
  }

  /** After the end of the stream: events that have left, and of which nothing shows that the worker has them. */
  get unconfirmedEvents(): number {
    const { unsentFrames, unconfirmedFrames } = this.#stream;
    return this.#sent.eventsAmongLast(unsentFrames + unconfirmedFrames) - this.lostEvents;
  }

  /** After the end of the stream: frames that came from the worker and that the host did not read. */
  get unreadFrames(): number {
    return this.#stream.unreadFrames;
  }

  // protocol.md H19
  /** Queues a frame for the worker within its bound; the only place where frames for a worker queue up. */
  send(frame: FrameBytes, use: FrameUse): SendOutcome {
    if (!this.#isOpen) return "closed";
    if (frame.byteLength > this.traits.maxFrameBytes) return "too-large";
    if (!this.#bound.hasRoom(frame.byteLength, use)) return this.#refuse(use);
    const lost = this.#bound.takeRelief();
    if (lost > 0) this.#parts.onRelief(this, lost);
    try {
      this.#stream.send(frame);
    } catch {
      // The transport has a limit of its own on what it sends.
      return "too-large";
    }
    this.#sentFrames += 1;
    this.#sent.note(use === "event", this.#stream);
    return "queued";
  }

  /**
   * Sends a notice in its place behind what waits, and also by the side stream if the worker has opened one. `full`: neither
   * took it.
   */
  notify(notice: Uint8Array): SendOutcome {
    const isPast = this.#isOpen && this.#noticePath?.send(notice) === true;
    const outcome = this.send(notice, "notice");
    return isPast ? "queued" : outcome;
  }

  /** Notices take this path from now on; the newest path counts. */
  openNoticePath(path: NoticePath): void {
    this.#noticePath?.finish(replacedPath, "replaced");
    if (this.#isOpen) this.#noticePath = path;
    else path.finish(endedPath, this.#endedFor);
  }

  closeNoticePath(path: NoticePath): void {
    if (this.#noticePath === path) this.#noticePath = undefined;
  }

  /** The stream by which the worker keeps its agents' states; the newest one counts. */
  openStateStream(stream: StreamBeside): void {
    this.#stateStream?.finish(replacedPath, "replaced");
    if (this.#isOpen) this.#stateStream = stream;
    else stream.finish(endedPath, this.#endedFor);
  }

  closeStateStream(stream: StreamBeside): void {
    if (this.#stateStream === stream) this.#stateStream = undefined;
  }

  /**
   * Ends the channel with a status after the frames that are queued. The host cuts off a worker that does not read them within
   * 5 s. `reason` is undefined when the worker ends the channel itself.
   */
  finish(status: RpcStatus, reason: CloseReason | undefined): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#signsOfLife?.stop();
    this.#endedFor = reason;
    this.#endBeside();
    this.#close.finish(status);
  }

  /** Ends the channel at once; what is queued is dropped. */
  abort(status: RpcStatus, reason: CloseReason): void {
    this.#endedFor ??= reason;
    this.markClosed();
    this.#stream.abort(status);
  }

  /** The stream has ended. */
  markClosed(): void {
    this.#isOpen = false;
    this.#signsOfLife?.stop();
    this.#endBeside();
    this.#close.done();
  }

  #endBeside(): void {
    this.#noticePath?.finish(endedPath, this.#endedFor);
    this.#stateStream?.finish(endedPath, this.#endedFor);
  }

  flushed(): Promise<void> {
    return this.#stream.flushed();
  }

  #watch(): SignsOfLife | undefined {
    const { clock, traits, heartbeatMs: afterMs, heartbeatTimeoutMs: timeoutMs } = this.#parts;
    if (timeoutMs === 0 || !traits.capabilities.has("heartbeat")) return undefined;
    return new SignsOfLife({
      ...{ clock: watchingClock(clock), afterMs, timeoutMs },
      receivedBytes: () =>
        this.#stream.receivedBytes + (this.#noticePath?.receivedBytes ?? 0) + (this.#stateStream?.receivedBytes ?? 0),
      frames: () => ({ left: this.#sentFrames - this.queuedFrames, queued: this.#sentFrames }),
      ask: () => this.#askForSignOfLife(),
      onSilent: () => {
        this.#parts.onSilent(this);
        this.abort(silent(timeoutMs), "lost");
      },
    });
  }

  /** Asks on the side stream too, because the worker may hold back its data channel. */
  #askForSignOfLife(): void {
    this.#asked = this.#asked === mostSeq ? 1 : this.#asked + 1;
    const question = encodeFrame({ kind: "heartbeat", seq: this.#asked, isAnswer: false, leaseMs: 0 });
    this.send(question, "heartbeat");
    this.#noticePath?.send(question);
  }

  #refuse(use: FrameUse): SendOutcome {
    // What the queue is full of keeps the stream busy, and the worker asks again.
    if (use === "heartbeat") return "full";
    if (use === "event") this.droppedEvents += 1;
    if (use === "call" || use === "chunk") this.refusedCalls += 1;
    if (this.#bound.noteLoss()) this.#parts.onOverflow(this);
    // A lost notice leaves a handler at work in vain, and that is all.
    if (use !== "notice" && (use === "answer" || this.#bound.endsChannel)) {
      this.#parts.onCutOff(this);
      this.abort(tooSlow, "too-slow");
    }
    return "full";
  }
}

const mostSeq = 0xffff_ffff;

function silent(timeoutMs: number): RpcStatus {
  const details = `The worker gave no sign of life within ${timeoutMs} ms (the host's option heartbeatTimeoutMs).`;
  return { code: StatusCode.unavailable, details };
}

const endedPath: RpcStatus = { code: StatusCode.ok, details: "The data channel has ended." };
const replacedPath: RpcStatus = { code: StatusCode.aborted, details: "replaced by a newer stream" };

const tooSlow: RpcStatus = {
  code: StatusCode.resourceExhausted,
  details: "This worker does not read what it is sent: the host's queue for it is full.",
};
