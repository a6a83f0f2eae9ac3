import type { Timer } from "../../../core/internal.ts";
import {
  decodePeerFrame,
  encodePeerFrame,
  type FrameHead,
  type PeerCall,
  type PeerEvent,
  type PeerFlush,
  type PeerFrame,
  type PeerHello,
  type PeerUnary,
  peekFrame,
  type RarePeerFrame,
  readPeerMessageHead,
} from "../../../protocol/internal.ts";
import {
  type MemoryAccount,
  type RpcStatus,
  type ServerStream,
  type ServerStreamReceiver,
  StatusCode,
  type StreamEnd,
} from "../../../transport/internal.ts";
import { GracefulClose } from "../../sessions/graceful-close.ts";
import { HostCaller } from "../host-caller.ts";
import type { ToldHost } from "../told/told-presence.ts";
import { whyHelloDiffers } from "./hello.ts";
import { LinkBarriers } from "./link-barriers.ts";
import { LinkLiveness } from "./link-liveness.ts";
import { LinkQueue } from "./link-queue.ts";
import { OpenAsks } from "./open-asks.ts";
import type { LinkSettings } from "./outgoing-link.ts";

/** Takes the frames that another host sends on a link that it has dialled. */
export interface AskedHost {
  /** The other host has said who it is, and may have had a link before. */
  linkOpened(link: IncomingLink): void;
  linkEnded(link: IncomingLink, reason: string): void;
  called(link: IncomingLink, call: PeerCall): void;
  /** Only the beginning of a call could be read. */
  calledBadly(
    link: IncomingLink,
    head: FrameHead,
    bad: { readonly reason: string; readonly isOverload: boolean },
  ): void;
  published(link: IncomingLink, event: PeerEvent): void;
  flush(link: IncomingLink, flush: PeerFlush): void;
  noticed(link: IncomingLink, notice: Uint8Array): void;
  asked(link: IncomingLink, ask: PeerUnary): void;
  waitingCame(link: IncomingLink, notice: Uint8Array): void;
  controlCame(link: IncomingLink, envelope: Uint8Array): void;
}

export interface IncomingLinkParts extends LinkSettings {
  /** The account of its connection. */
  readonly account: MemoryAccount;
  readonly address: string;
  /** Of two links of this host each has another number. */
  readonly number: number;
  readonly host: AskedHost;
}

// protocol.md §12
/** A link that another host has dialled: that host asks here, and is told which workers and subscriptions this one has. */
export class IncomingLink implements ServerStreamReceiver, ToldHost {
  readonly account: MemoryAccount;
  readonly address: string;
  readonly #parts: IncomingLinkParts;
  #stream: ServerStream | undefined;
  #queue: LinkQueue | undefined;
  #asks: OpenAsks | undefined;
  #liveness: LinkLiveness | undefined;
  #helloTimer: Timer | undefined;
  #close: GracefulClose | undefined;
  #caller: HostCaller | undefined;
  #hostId = "";
  #hasEnded = false;
  readonly #barriers: LinkBarriers;

  constructor(parts: IncomingLinkParts) {
    this.#parts = parts;
    this.account = parts.account;
    this.address = parts.address;
    this.#barriers = new LinkBarriers({
      clock: parts.clock,
      send: (number) => this.tell({ kind: "barrier", number }),
    });
  }

  /** The id of the other host; empty before it has said who it is. */
  get hostId(): string {
    return this.#hostId;
  }

  get isOpen(): boolean {
    return this.#caller !== undefined && !this.#hasEnded;
  }

  /** The other host as the caller of its calls, from its first frame on. */
  get caller(): HostCaller | undefined {
    return this.#caller;
  }

  /** Sends what the other host may not miss. */
  tell(frame: RarePeerFrame): void {
    if (!this.#hasEnded) this.#queue?.send(encodePeerFrame(frame), "notice");
  }

  /** Sends what may be refused. False: the queue is full, or the link has ended. `party`: who shares the queue with others. */
  tellIfRoom(frame: Uint8Array, party = ""): boolean {
    return this.isOpen && this.#queue?.send(frame, "answer", party) === "queued";
  }

  /** The unary calls that the other host has made, and whose answers it has not taken. */
  get openAsks(): number {
    return this.#asks?.count ?? 0;
  }

  /** A unary call of the other host begins; call `answeredAsk` when its answer was told. */
  beginAsk(): void {
    this.#asks?.begin();
  }

  answeredAsk(): void {
    this.#asks?.answered();
  }

  /** Sends a control envelope. False: the queue is full, or the link has ended. */
  sendControl(envelope: Uint8Array): boolean {
    return this.tellIfRoom(encodePeerFrame({ kind: "control", envelope }));
  }

  /** Resolves when the other host has read all that it was told so far, or when the link has ended. To false: the host is late. */
  barrier(): Promise<boolean> {
    return this.isOpen ? this.#barriers.reach() : Promise.resolve(true);
  }

  onOpen(stream: ServerStream): void {
    const { clock, bounds, account, hello, helloMs, keepAliveMs, keepAliveTimeoutMs } = this.#parts;
    this.#stream = stream;
    this.#close = new GracefulClose(stream, clock);
    const onOverflow = (): void => this.cut("It does not read what it is sent.");
    this.#queue = new LinkQueue({ stream, bounds, account, onOverflow });
    this.#asks = new OpenAsks(this.#queue);
    this.#liveness = new LinkLiveness({
      ...{ clock, keepAliveMs, keepAliveTimeoutMs, queue: this.#queue },
      receivedBytes: () => stream.receivedBytes,
      send: (notice) => this.tell({ kind: "notice", notice }),
      onSilent: () => this.cut(`It gave no sign of life within ${keepAliveTimeoutMs} ms.`),
    });
    this.#helloTimer = clock.setTimer(helloMs, () => this.cut(`It did not say who it is within ${helloMs} ms.`));
    this.tell(hello);
  }

  onFrame(bytes: Uint8Array): void {
    if (this.#hasEnded) return;
    let frame: PeerFrame;
    try {
      frame = decodePeerFrame(bytes);
    } catch {
      return this.cut("It has sent a frame that can't be read.");
    }
    if (frame.kind !== "hello" && !this.isOpen) return this.cut("It did not say first who it is.");
    this.#receive(frame);
  }

  onBadFrame({ details }: RpcStatus, head?: Uint8Array, isOverload = false): void {
    const known = head && readPeerMessageHead(head);
    if (known === undefined) this.cut(`It has sent a frame that was refused: ${details}`);
    else if (this.isOpen) this.#parts.host.calledBadly(this, known, { reason: details, isOverload });
  }

  onHalfClose(): void {
    this.finish({ code: StatusCode.ok, details: "" }, "the other host closes the link");
  }

  onDrain(): void {
    // What finds the queue full is refused at once; nothing waits for room.
    this.#queue?.settle();
  }

  onEnd(end: StreamEnd): void {
    this.#close?.done();
    this.#end(end.by === "connection-lost" ? end.reason : "the link has ended");
    this.#queue?.close();
  }

  /** Ends the link at once. `details`: a sentence about the other host, for its log. */
  cut(details: string): void {
    const code = StatusCode.failedPrecondition;
    this.#end(details);
    this.#close?.done();
    this.#stream?.abort({ code, details });
  }

  /** Ends the link after what waits. `reason`: for the log of this host. */
  finish(status: RpcStatus, reason: string): void {
    if (this.#hasEnded) return;
    this.#end(reason);
    this.#close?.finish(status);
  }

  #greeted(hello: PeerHello): void {
    const flaw = whyHelloDiffers(hello, this.#parts.hello);
    // The other host reads this about itself.
    if (flaw !== undefined) return this.cut(`This host refuses the link of the other one: ${flaw}.`);
    if (this.#caller !== undefined || this.#queue === undefined) return;
    this.#helloTimer?.cancel();
    this.#hostId = hello.hostId;
    this.#caller = new HostCaller({
      ...{ hostId: hello.hostId, passesChunks: hello.features.has("streams"), number: this.#parts.number },
      ...{ account: this.account, queue: this.#queue },
      tell: (frame) => this.tell(frame),
      tellIfRoom: (frame) => this.tellIfRoom(frame),
    });
    this.#parts.host.linkOpened(this);
  }

  #receive(frame: PeerFrame): void {
    const { host } = this.#parts;
    switch (frame.kind) {
      case "hello":
        return this.#greeted(frame);
      case "call":
        return host.called(this, frame);
      case "event":
        return host.published(this, frame);
      case "notice": {
        const notice = peekFrame(frame.notice);
        if (notice.kind === "heartbeat") this.#liveness?.heard(notice);
        else host.noticed(this, frame.notice);
        return;
      }
      case "barrier-read":
        return this.#barriers.read(frame.number);
      case "flush":
        return host.flush(this, frame);
      case "control":
        return host.controlCame(this, frame.envelope);
      case "unary":
        return host.asked(this, frame);
      case "waiting":
        return host.waitingCame(this, frame.notice);
      case "answer":
      case "bounce":
      case "taken":
      case "flushed":
      case "here":
      case "away":
      case "interest":
      case "load":
      case "barrier":
      case "unary-answer":
      case "empty":
        // Only the host that accepts a link says these; and a later version may say more.
        return;
    }
  }

  #end(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#helloTimer?.cancel();
    this.#liveness?.stop();
    this.#caller?.markClosed();
    this.#barriers.close();
    this.#parts.host.linkEnded(this, reason);
  }
}
