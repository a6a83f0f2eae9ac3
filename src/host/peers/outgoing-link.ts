import type { Clock, Timer } from "../../core/internal.ts";
import {
  decodePeerFrame,
  encodePeerCall,
  encodePeerEvent,
  encodePeerFrame,
  type FrameBytes,
  type FrameHead,
  type PeerBounce,
  type PeerFrame,
  type PeerHello,
  type PeerInterest,
  type PeerUnary,
  type PeerUnaryAnswer,
  peekFrame,
  peerLinks,
  readPeerMessageHead,
  type WorkerHere,
} from "../../protocol/internal.ts";
import type {
  FrameStream,
  Link,
  MemoryAccount,
  Metadata,
  RpcStatus,
  StreamEnd,
  StreamReceiver,
} from "../../transport/internal.ts";
import { topicOf } from "../registry/name-checks.ts";
import type { SendOutcome } from "../sessions/peer.ts";
import { whyHelloDiffers } from "./hello.ts";
import { LinkLiveness } from "./link-liveness.ts";
import { type LinkBounds, LinkQueue } from "./link-queue.ts";
import { type CallLink, WorkerElsewhere } from "./worker-elsewhere.ts";

/** Takes the frames that another host sends on the link that this host has dialled. */
export interface AskingHost {
  answered(link: OutgoingLink, frame: Uint8Array): void;
  /** Only the beginning of an answer could be read. */
  answeredBadly(
    link: OutgoingLink,
    head: FrameHead,
    bad: { readonly reason: string; readonly isOverload: boolean },
  ): void;
  bounced(link: OutgoingLink, bounce: PeerBounce): void;
  workerHere(worker: WorkerElsewhere): void;
  /** The channel of a worker has ended, or takes no more calls. Its host still answers those that it has. */
  workerAway(worker: WorkerElsewhere): void;
  /** The link has ended, and these workers are out of reach. */
  workersLost(link: OutgoingLink, workers: readonly WorkerElsewhere[]): void;
  /** Returns whether it changes anything. */
  interestChanged(link: OutgoingLink, interest: PeerInterest): boolean;
  unaryAnswered(answer: PeerUnaryAnswer): void;
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
  /** The other host has said who it is: calls and events may go there. */
  readonly onOpened: (link: OutgoingLink) => void;
  /** Called once. */
  readonly onEnded: (link: OutgoingLink, reason: string) => void;
}

// protocol.md §12
/** A link that this host has dialled: it asks here, and learns which workers and subscriptions the other host has. */
export class OutgoingLink implements CallLink, StreamReceiver {
  readonly hostId: string;
  readonly account: MemoryAccount;
  readonly queue: LinkQueue;
  readonly #parts: OutgoingLinkParts;
  readonly #stream: FrameStream;
  readonly #liveness: LinkLiveness;
  readonly #helloTimer: Timer;
  readonly #workers = new Map<number, WorkerElsewhere>();
  #isOpen = false;
  #hasEnded = false;

  constructor(parts: OutgoingLinkParts) {
    this.#parts = parts;
    this.hostId = parts.hostId;
    const { clock, bounds, link, metadata, hello, helloMs, keepAliveMs, keepAliveTimeoutMs } = parts;
    this.account = parts.openAccount(() => this.cut("others needed the memory that its queue takes"));
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

  sendCall(slot: number, frame: FrameBytes, party: string): SendOutcome {
    return this.#isOpen ? this.queue.send(encodePeerCall(slot, frame), "call", party) : "closed";
  }

  /** Sends an event for the workers there that serve these types. `party`: the address of its publisher. */
  sendEvent(types: readonly string[], frame: Uint8Array, party: string): SendOutcome {
    return this.#isOpen ? this.queue.send(encodePeerEvent(types, frame), "event", party) : "closed";
  }

  sendNotice(notice: Uint8Array): SendOutcome {
    return this.#send({ kind: "notice", notice });
  }

  /** `party`: the address of the client that asks. */
  sendControl(envelope: Uint8Array, party: string): SendOutcome {
    if (!this.#isOpen) return "closed";
    return this.queue.send(encodePeerFrame({ kind: "control", envelope }), "call", party);
  }

  sendUnary(ask: PeerUnary, party: string): SendOutcome {
    return this.#isOpen ? this.queue.send(encodePeerFrame(ask), "call", party) : "closed";
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
      case "notice":
        return this.#noticed(frame.notice);
      case "here":
        return this.#workerHere(frame);
      case "away": {
        const worker = this.#workers.get(frame.slot);
        if (worker === undefined) return;
        this.#workers.delete(frame.slot);
        this.account.release(workerBytes);
        worker.markClosed();
        return host.workerAway(worker);
      }
      case "interest":
        return this.#interestChanged(frame);
      case "barrier":
        return void this.#send({ kind: "barrier-read", number: frame.number });
      case "control":
        return host.controlCame(this, frame.envelope);
      case "unary-answer":
        return host.unaryAnswered(frame);
      case "call":
      case "event":
      case "unary":
      case "barrier-read":
      case "empty":
        // Only the host that dials asks; and a later version may say more.
        return;
    }
  }

  #noticed(bytes: Uint8Array): void {
    const notice = peekFrame(bytes);
    if (notice.kind === "heartbeat") this.#liveness.heard(notice);
  }

  #workerHere(here: WorkerHere): void {
    if (this.#workers.has(here.slot)) return;
    if (!this.account.take(workerBytes)) return this.cut(tooMuch);
    const worker = new WorkerElsewhere(here, this);
    this.#workers.set(here.slot, worker);
    this.#parts.host.workerHere(worker);
  }

  #interestChanged(interest: PeerInterest): void {
    if (!this.#parts.host.interestChanged(this, interest)) return;
    const { pattern, begins } = interest;
    const bytes = patternBytes + 4 * (pattern.agentType.length + topicOf(pattern).length);
    if (!begins) this.account.release(bytes);
    else if (!this.account.take(bytes)) this.cut(tooMuch);
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
    for (const worker of this.#workers.values()) worker.markClosed();
    this.#parts.onEnded(this, reason);
    this.#parts.host.workersLost(this, [...this.#workers.values()]);
    this.queue.close();
    this.account.close();
  }
}

/** About what a worker takes in the tables, and a pattern beside its names. */
const workerBytes = 1_500;
const patternBytes = 500;
const tooMuch = "this host has no space for the workers and subscriptions that it tells (maxMemoryBytes)";

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
