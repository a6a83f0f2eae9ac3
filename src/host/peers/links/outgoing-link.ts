import type { Clock, Timer } from "../../../core/internal.ts";
import {
  decodePeerFrame,
  encodePeerCall,
  encodePeerEvent,
  encodePeerFrame,
  encodePeerNotice,
  type FrameBytes,
  type FrameHead,
  type PeekedChunk,
  type PeerBounce,
  type PeerEventTarget,
  type PeerFlush,
  type PeerFrame,
  type PeerHello,
  type PeerInterest,
  type PeerTaken,
  type PeerUnary,
  type PeerUnaryAnswer,
  peekFrame,
  peerLinks,
  readPeerMessageHead,
  type WorkerHere,
} from "../../../protocol/internal.ts";
import type {
  FrameStream,
  Link,
  MemoryAccount,
  Metadata,
  RpcStatus,
  StreamEnd,
  StreamReceiver,
} from "../../../transport/internal.ts";
import type { SendOutcome } from "../../sessions/peer.ts";
import type { RingLink } from "../other-hosts.ts";
import {
  costOfPattern,
  costOfWorker,
  type TellingBounds,
  ToldBounds,
  whyNoPattern,
  whyNoWorker,
} from "../told/told-bounds.ts";
import { type CallLink, type CallOrigin, WorkerElsewhere } from "../worker-elsewhere.ts";
import { whyHelloDiffers } from "./hello.ts";
import { LinkLiveness } from "./link-liveness.ts";
import { type LinkBounds, LinkQueue } from "./link-queue.ts";

/** Takes the frames that another host sends on the link that this host has dialled. */
export interface AskingHost {
  answered(link: OutgoingLink, frame: Uint8Array): void;
  /** Only the beginning of an answer, or of a chunk, could be read. */
  answeredBadly(
    link: OutgoingLink,
    head: FrameHead,
    bad: { readonly reason: string; readonly isOverload: boolean },
  ): void;
  /** A part of an answer. */
  chunkCame(link: OutgoingLink, chunk: PeekedChunk): void;
  bounced(link: OutgoingLink, bounce: PeerBounce): void;
  taken(link: OutgoingLink, taken: PeerTaken): void;
  flushed(link: OutgoingLink, number: number): void;
  workerHere(worker: WorkerElsewhere): void;
  /** The channel of a worker has ended, or takes no more calls. Its host still answers those that it has, or gives them back. */
  workerAway(worker: WorkerElsewhere): void;
  /** It takes new agents no more, or again. */
  workerChanged(worker: WorkerElsewhere): void;
  /** The link has ended, and these workers are out of reach: nothing comes back from there. */
  workersLost(link: OutgoingLink, workers: readonly WorkerElsewhere[]): void;
  /** Returns whether it changes anything. */
  interestChanged(link: OutgoingLink, interest: PeerInterest): boolean;
  unaryAnswered(link: OutgoingLink, answer: PeerUnaryAnswer): void;
  controlCame(link: OutgoingLink, envelope: Uint8Array): void;
}

export interface LinkSettings {
  readonly clock: Clock;
  readonly bounds: LinkBounds;
  /** Milliseconds in which the other host must say who it is. */
  readonly helloMs: number;
  readonly keepAliveMs: number;
  readonly keepAliveTimeoutMs: number;
  /** The first frame of this host on each link. */
  readonly hello: PeerHello;
}

export interface OutgoingLinkParts extends LinkSettings {
  /** The host that was dialled. */
  readonly hostId: string;
  readonly link: Link;
  readonly metadata: Metadata;
  /** Opens the account of what waits for the other host. */
  readonly openAccount: (giveWay: () => void) => MemoryAccount;
  readonly host: AskingHost;
  readonly telling: TellingBounds;
  /** The other host has said who it is: calls and events may go there. */
  readonly onOpened: (link: OutgoingLink) => void;
  /** The other host has told names that no host takes, and is not believed. `reason`: the predicate of a sentence about it. */
  readonly onWrongName: (reason: string) => void;
  /** Called once. */
  readonly onEnded: (link: OutgoingLink, reason: string) => void;
}

// protocol.md §12
/** A link that this host has dialled: it asks here, and learns which workers and subscriptions the other host has. */
export class OutgoingLink implements CallLink, RingLink, StreamReceiver {
  readonly hostId: string;
  readonly account: MemoryAccount;
  readonly queue: LinkQueue;
  readonly #parts: OutgoingLinkParts;
  readonly #stream: FrameStream;
  readonly #liveness: LinkLiveness;
  readonly #helloTimer: Timer;
  readonly #told: ToldBounds;
  /** Workers by slot, each with its memory. */
  readonly #workers = new Map<number, { readonly worker: WorkerElsewhere; readonly bytes: number }>();
  /** Workers whose channels have ended, and which have calls. */
  readonly #away = new Set<WorkerElsewhere>();
  #isOpen = false;
  #hasEnded = false;
  #searchesRings = false;
  #passesChunks = false;

  constructor(parts: OutgoingLinkParts) {
    this.#parts = parts;
    this.hostId = parts.hostId;
    const { clock, bounds, link, metadata, hello, helloMs, keepAliveMs, keepAliveTimeoutMs } = parts;
    this.account = parts.openAccount(() => this.cut("others needed the memory that its queue takes"));
    this.#told = new ToldBounds(parts.telling, this.account);
    this.#stream = link.openStream(peerLinks.path, this, { metadata });
    const stream = this.#stream;
    const onOverflow = (): void => this.cut("it does not read what it is sent");
    this.queue = new LinkQueue({ stream, bounds, account: this.account, onOverflow });
    this.#liveness = new LinkLiveness({
      ...{ clock, keepAliveMs, keepAliveTimeoutMs, queue: this.queue },
      receivedBytes: () => stream.receivedBytes,
      send: (notice) => void this.sendNotice(notice),
      onSilent: () => this.cut(`it gave no sign of life within ${keepAliveTimeoutMs} ms`),
    });
    this.#helloTimer = clock.setTimer(helloMs, () => this.cut(`it did not say who it is within ${helloMs} ms`));
    this.queue.send(encodePeerFrame(hello), "notice");
  }

  /** Whether the other host has said who it is, and the link has not ended. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Whether the other host takes part in the search for rings over hosts. */
  get searchesRings(): boolean {
    return this.#searchesRings;
  }

  /** Whether the other host passes on the chunks of answers. */
  get passesChunks(): boolean {
    return this.#passesChunks;
  }

  sendCall(slot: number, frame: FrameBytes, origin: CallOrigin): SendOutcome {
    return this.#isOpen ? this.queue.send(encodePeerCall(slot, frame, origin), "call", origin.party) : "closed";
  }

  sendEvent(targets: readonly PeerEventTarget[], frame: Uint8Array, party: string, number: number): SendOutcome {
    return this.#isOpen ? this.queue.send(encodePeerEvent(targets, frame, number), "event", party) : "closed";
  }

  sendFlush(flush: PeerFlush, party: string | undefined): SendOutcome {
    if (!this.#isOpen) return "closed";
    return this.queue.send(encodePeerFrame(flush), party === undefined ? "notice" : "call", party);
  }

  sendNotice(notice: Uint8Array, party?: string): SendOutcome {
    if (party === undefined) return this.#send({ kind: "notice", notice });
    return this.#isOpen ? this.queue.send(encodePeerNotice(notice), "call", party) : "closed";
  }

  /** `party`: the address of the client that asks. */
  sendControl(envelope: Uint8Array, party: string): SendOutcome {
    if (!this.#isOpen) return "closed";
    return this.queue.send(encodePeerFrame({ kind: "control", envelope }), "call", party);
  }

  /** Says that a call waits long for its turn, or no more. It may not be missed: a link that has no space for it ends. */
  sendWaiting(notice: Uint8Array): void {
    if (this.#isOpen) this.#send({ kind: "waiting", notice });
  }

  sendUnary(ask: PeerUnary, party: string): SendOutcome {
    return this.#isOpen ? this.queue.send(encodePeerFrame(ask), "call", party) : "closed";
  }

  /** Milliseconds of the last heartbeat and its answer. Undefined: none was answered. */
  get roundTripMs(): number | undefined {
    return this.#liveness.roundTripMs;
  }

  /** Asks for a sign of life, for the round trip. */
  measure(): void {
    if (this.#isOpen) this.#liveness.measure();
  }

  /** Resolves when the other host has read all that was sent before, or when the link has ended. */
  wasRead(): Promise<void> {
    return this.#isOpen ? this.#liveness.wasRead() : Promise.resolve();
  }

  /** Ends the link at once. `reason`: the predicate of a sentence about the other host. */
  cut(reason: string): void {
    if (this.#hasEnded) return;
    this.#stream.cancel();
    this.#end(reason);
    void this.#parts.link.close();
  }

  /** Ends the link after what waits. */
  close(): void {
    if (this.#hasEnded) return;
    this.#stream.end();
    this.#end("this host closes the link");
    void this.#stream.flushed().then(() => this.#parts.link.close());
  }

  onFrame(bytes: Uint8Array): void {
    if (this.#hasEnded) return;
    let frame: PeerFrame;
    try {
      frame = decodePeerFrame(bytes);
    } catch {
      return this.cut("it has sent a frame that can't be read");
    }
    if (frame.kind !== "hello" && !this.#isOpen) return this.cut("it did not say first who it is");
    this.#receive(frame);
  }

  onBadFrame({ details }: RpcStatus, head?: Uint8Array, isOverload = false): void {
    const known = head && readPeerMessageHead(head);
    if (known === undefined) this.cut(`it has sent a frame that was refused (${details})`);
    else this.#parts.host.answeredBadly(this, known, { reason: details, isOverload });
  }

  onHalfClose(): void {
    // The status of the stream follows.
  }

  onDrain(): void {
    // What finds the queue full is refused at once; nothing waits for room.
    this.queue.settle();
  }

  onEnd(end: StreamEnd): void {
    this.#end(reasonOf(end));
    void this.#parts.link.close();
  }

  #greeted(hello: PeerHello): void {
    const { hello: own, hostId, onOpened } = this.#parts;
    const flaw = whyHelloDiffers(hello, own, hostId);
    if (flaw !== undefined) return this.cut(flaw);
    if (this.#isOpen) return;
    this.#helloTimer.cancel();
    this.#isOpen = true;
    this.#searchesRings = hello.features.has("rings");
    this.#passesChunks = hello.features.has("streams");
    onOpened(this);
  }

  #receive(frame: PeerFrame): void {
    const { host } = this.#parts;
    switch (frame.kind) {
      case "hello":
        return this.#greeted(frame);
      case "answer":
        return host.answered(this, frame.frame);
      case "bounce":
        return host.bounced(this, frame);
      case "taken":
        return host.taken(this, frame);
      case "flushed":
        return host.flushed(this, frame.number);
      case "notice":
        return this.#noticed(frame.notice);
      case "here":
        return this.#workerHere(frame);
      case "away": {
        const known = this.#workers.get(frame.slot);
        if (known === undefined) return;
        this.#workers.delete(frame.slot);
        this.#told.leaveWorker(known.bytes);
        known.worker.markClosed();
        this.#keepAway(known.worker);
        return host.workerAway(known.worker);
      }
      case "interest":
        return this.#interestChanged(frame);
      case "load":
        for (const { slot, agents, calls } of frame.workers) this.#workers.get(slot)?.worker.setLoad({ agents, calls });
        return;
      case "barrier":
        return void this.#send({ kind: "barrier-read", number: frame.number });
      case "control":
        return host.controlCame(this, frame.envelope);
      case "unary-answer":
        return host.unaryAnswered(this, frame);
      case "call":
      case "event":
      case "unary":
      case "flush":
      case "barrier-read":
      case "waiting":
      case "empty":
        // Only the host that dials asks; and a later version may say more.
        return;
    }
  }

  /** The other host still answers the calls of a worker whose channel has ended, unless the link ends first. */
  #keepAway(worker: WorkerElsewhere): void {
    for (const one of this.#away) if (one.incomingCalls.size === 0) this.#away.delete(one);
    if (worker.incomingCalls.size > 0) this.#away.add(worker);
  }

  #noticed(bytes: Uint8Array): void {
    const notice = peekFrame(bytes);
    if (notice.kind === "heartbeat") this.#liveness.heard(notice);
    else if (notice.kind === "chunk") this.#parts.host.chunkCame(this, notice);
  }

  #workerHere(here: WorkerHere): void {
    const known = this.#workers.get(here.slot)?.worker;
    if (known !== undefined) {
      if (known.isDraining === here.isDraining) return;
      known.isDraining = here.isDraining;
      return this.#parts.host.workerChanged(known);
    }
    const flaw = whyNoWorker(here);
    if (flaw !== undefined) return this.#parts.onWrongName(flaw);
    const bytes = costOfWorker(here);
    const refusal = this.#told.takeWorker(bytes);
    if (refusal !== undefined) return this.cut(refusal);
    const worker = new WorkerElsewhere(here, this);
    this.#workers.set(here.slot, { worker, bytes });
    this.#parts.host.workerHere(worker);
  }

  #interestChanged(interest: PeerInterest): void {
    const { pattern, begins } = interest;
    const flaw = whyNoPattern(pattern);
    if (flaw !== undefined) return this.#parts.onWrongName(flaw);
    const bytes = costOfPattern(pattern);
    const refusal = begins ? this.#told.takePattern(bytes) : undefined;
    if (refusal !== undefined) return this.cut(refusal);
    const hasChanged = this.#parts.host.interestChanged(this, interest);
    // One that is known already costs nothing more.
    if (begins !== hasChanged) this.#told.leavePattern(bytes);
  }

  #send(frame: Parameters<typeof encodePeerFrame>[0]): SendOutcome {
    return this.#hasEnded ? "closed" : this.queue.send(encodePeerFrame(frame), "notice");
  }

  /** The calls that went out on the link fail with it. */
  #end(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#isOpen = false;
    this.#helloTimer.cancel();
    this.#liveness.stop();
    for (const { worker } of this.#workers.values()) worker.markClosed();
    this.#parts.onEnded(this, reason);
    this.#parts.host.workersLost(this, [...Array.from(this.#workers.values(), ({ worker }) => worker), ...this.#away]);
    this.queue.close();
    this.account.close();
  }
}

function reasonOf(end: StreamEnd): string {
  switch (end.by) {
    case "status":
      return end.status.details === "" ? "it has ended the link" : end.status.details;
    case "connection-lost":
      return end.reason;
    case "peer":
    case "cancelled":
      return "it has ended the link";
  }
}
