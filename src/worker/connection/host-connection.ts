import { errorText, type Logger, TroupeError, UndeliverableException } from "../../core/internal.ts";
import { announcement, clientIdKey, decodeFrame, type Frame, isAnnounced, method } from "../../protocol/internal.ts";
import type { Metadata, StreamEnd, StreamReceiver } from "../../transport/internal.ts";
import { type Dialer, type FrameStream, type Link, type RpcStatus, StatusCode } from "../../transport/internal.ts";
import type { WorkerSettings } from "../worker-options.ts";
import { type ConnectionEnd, describeEnd, endError, refusalCode } from "./connection-end.ts";
import { askForSignOfLife, KeepAlive } from "./keep-alive.ts";
import { Outbox, type UndeliverableReason } from "./outbox.ts";
import { SideStream } from "./side-stream.ts";
import { atMost, withinMs } from "./time-limits.ts";

/** Answers of generation 1 to registrations; they come on the data channel. */
export type AckFrame = Extract<Frame, { readonly kind: "ack" }>;

/** What a connection carries beside calls and events: registrations, the control channel. */
export interface ConnectionServices {
  /** Whether the host owes an `ack`: then the data channel is read on. */
  readonly awaitsAck: boolean;
  /** Takes an `ack`; false: nobody waits for it. */
  onAck(ack: AckFrame): boolean;
  /** The connection has ended. */
  close(reason: UndeliverableReason): void;
}

export interface HostConnectionOptions<Services extends ConnectionServices> {
  readonly settings: WorkerSettings;
  readonly address: string;
  /** Calls off the opening. */
  readonly signal: AbortSignal;
  readonly createServices: (connection: HostConnection) => Services;
  /** Takes the frames that are not about registration. Must not throw. */
  readonly onFrame: (frame: Frame, connection: HostConnection) => void;
  /** Takes the failure of a message that can't be read; `head` is as much of it as there is. Must not throw. */
  readonly onUnreadable: (error: TroupeError, head: Uint8Array | undefined, connection: HostConnection) => void;
  /** The host has taken the data channel. */
  readonly onAccepted: (connection: HostConnection) => void;
  /** The outbox has room again. */
  readonly onDrain: (connection: HostConnection) => void;
  /** Whether the worker has as much work as it wants. */
  readonly isCrowded: () => boolean;
}

/** Milliseconds that the last messages have to leave before the channel is ended. */
const flushTimeoutMs = 5_000;

/** One link to a host with the data channel on it, under a client id of its own. */
// protocol.md §2.1
export class HostConnection<Services extends ConnectionServices = ConnectionServices> {
  readonly clientId: string;
  readonly address: string;
  readonly outbox: Outbox;
  readonly services: Services;
  /** Goes with every call and stream of the connection. */
  readonly metadata: Metadata;
  /** Makes unary calls under the client id of this connection. */
  readonly calls: Pick<Link, "unary">;
  /** Resolves, with the reason, when the host takes no new calls on this link any more, or the link is gone. Never rejects. */
  readonly linkLeaving: Promise<string>;
  /** Resolves when the data channel has ended; never rejects. */
  readonly closed: Promise<ConnectionEnd>;
  readonly #link: Link;
  /** Carries unary calls: the link, until it leaves; then the link of a newer connection. */
  #callLink: Pick<Link, "unary">;
  readonly #stream: FrameStream;
  readonly #sideStream: SideStream;
  readonly #keepAlive: KeepAlive;
  readonly #options: HostConnectionOptions<Services>;
  readonly #ended = new AbortController();
  #resolveClosed!: (end: ConnectionEnd) => void;
  #isAccepted = false;
  #isLeaving = false;
  #isPaused = false;
  #isLinkGone = false;
  #isLinkLeaving = false;
  #isSilent = false;
  /** Why this side gave up on the host. */
  #deadBecause: string | undefined;

  /** Reaches the host and opens the data channel. Does not wait for the host's answer: stock hosts send none (protocol.md §1.5). */
  static async open<Services extends ConnectionServices>(
    options: HostConnectionOptions<Services>,
  ): Promise<HostConnection<Services>> {
    const { address, signal: given, settings } = options;
    const link = dialTo(settings.dialer, address);
    try {
      await withinMs(settings.startTimeoutMs, settings.clock, given, (signal) => link.ready({ signal }));
      return new HostConnection(link, options);
    } catch (cause) {
      await link.close();
      const text = `Can't reach the host at ${address}: ${errorText(cause)}`;
      throw new UndeliverableException(text, { cause, code: "disconnected" });
    }
  }

  private constructor(link: Link, options: HostConnectionOptions<Services>) {
    const { settings } = options;
    const { maxMessageBytes, stockHostMaxBytes, clock, whileDisconnected } = settings;
    this.#link = link;
    this.#callLink = link;
    this.#options = options;
    this.clientId = settings.makeId();
    this.address = options.address;
    void link.closed.then(() => {
      this.#isLinkGone = true;
    });
    this.linkLeaving = link.leaving.then((reason) => {
      this.#isLinkLeaving = !this.#isLinkGone;
      return reason;
    });
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.metadata = { [clientIdKey]: this.clientId };
    this.calls = { unary: (...call) => this.#callLink.unary(...call) };
    this.#stream = link.openStream(method.openChannel, this.#receiver(), {
      metadata: { ...this.metadata, ...announcement },
    });
    this.outbox = new Outbox({
      ...{ stream: this.#stream, maxMessageBytes, stockHostMaxBytes, onCall: () => this.review() },
      maxKeptMessages: whileDisconnected.maxQueuedMessages,
      maxKeptBytes: whileDisconnected.maxQueuedBytes,
    });
    this.#sideStream = new SideStream({
      ...{ link, metadata: this.metadata, logger: settings.logger },
      onNotice: (frame) => options.onFrame(frame, this),
      onChange: () => this.review(),
    });
    this.#keepAlive = new KeepAlive({
      ...{ link, metadata: this.metadata, clock },
      ...{ afterMs: settings.keepAliveMs, timeoutMs: settings.keepAliveTimeoutMs },
      isInDoubt: () => this.#stream.unconfirmedFrames > 0,
      // By now the host would have refused the channel.
      onAnswer: () => this.#accept(),
      onDead: (reason) => {
        this.#isSilent = true;
        this.cut(reason);
      },
    });
    this.services = options.createServices(this);
  }

  get isOpen(): boolean {
    return !this.#ended.signal.aborted;
  }

  /** Whether the host takes no new calls on this link, while what runs goes on. */
  get isLinkLeaving(): boolean {
    return this.#isLinkLeaving && !this.#isLinkGone;
  }

  /** Whether the host has taken the data channel: it has answered with headers or a message, and has not refused it. */
  get isAccepted(): boolean {
    return this.#isAccepted;
  }

  /** Aborts when the connection ends. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Whether this worker does not read from the host at the moment. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whether the host does not take the answers that it gets. Then it should not ask for more. */
  get isFull(): boolean {
    return !this.outbox.isWritable && this.outbox.queuedBytes > this.#options.settings.maxOutboxBytes;
  }

  /** Opens a further stream on the link, with the client id. */
  openStream(name: string, receiver: StreamReceiver): FrameStream {
    return this.#link.openStream(name, receiver, { metadata: this.metadata });
  }

  /** Resolves when the host itself has answered on this link. Rejects when it does not in time, or a proxy answers for it. */
  async confirm(signal: AbortSignal): Promise<void> {
    const { startTimeoutMs, clock } = this.#options.settings;
    const either = AbortSignal.any([signal, this.signal]);
    try {
      await withinMs(startTimeoutMs, clock, either, (within) =>
        askForSignOfLife(this.#link, { metadata: this.metadata, signal: within }),
      );
    } catch (cause) {
      await this.assertOpen();
      const text = `The host at ${this.address} gave no answer of its own: ${errorText(cause)}`;
      throw new UndeliverableException(text, { cause, code: "disconnected" });
    }
  }

  /** Rejects with the reason of the end when the connection has ended. */
  async assertOpen(): Promise<void> {
    if (!this.isOpen) throw endError(await this.closed);
  }

  /** The link takes no new calls any more: makes unary calls over a newer connection. The newer one's keep-alive serves both. */
  callOver(newer: HostConnection): void {
    if (newer === this) return;
    this.#callLink = newer.#link;
    this.#keepAlive.stop();
  }

  /**
   * Reads on, or lets flow control hold the host. It holds the host while the worker has enough to do, if notices still reach the
   * worker; and while the host does not take its answers. It reads on while the worker waits for an answer on this channel.
   */
  review(): void {
    const isWaitedFor = this.outbox.outgoingCallsCount > 0 || this.services.awaitsAck;
    const isPaused = !isWaitedFor && (this.isFull || (this.#options.isCrowded() && this.#hearsNotices));
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    if (isPaused) this.#stream.pause();
    else this.#stream.resume();
  }

  /** Sends what is queued, half-closes, gives the host a moment to end the channel, then cancels it. `signal` cuts the waits short. Never rejects. */
  async leave(signal?: AbortSignal): Promise<void> {
    const { clock, halfCloseWaitMs } = this.#options.settings;
    this.#isLeaving = true;
    this.#keepAlive.stop();
    if (this.isOpen) {
      // A host that takes nothing any more must not hold us for ever.
      await atMost(this.outbox.flushed(), flushTimeoutMs, clock, signal);
      this.outbox.close({ code: "shutting-down", text: "The worker has stopped." });
      this.#stream.end();
      this.#stream.resume();
      await atMost(this.closed, halfCloseWaitMs, clock, signal);
      this.#stream.cancel();
    }
    this.#finish({ code: "shutting-down", text: "The worker has stopped." });
    this.#resolveClosed({ by: "left" });
    await this.#link.close();
  }

  /** Ends the connection at once: the host counts as lost. */
  cut(reason: string): void {
    this.#deadBecause ??= reason;
    this.#stream.cancel();
  }

  #receiver(): StreamReceiver {
    return {
      onMetadata: (metadata) => this.#takeHeaders(isAnnounced(metadata)),
      onFrame: (bytes) => this.#receive(bytes),
      onHalfClose: () => undefined,
      onBadFrame: (status, head) => this.#options.onUnreadable(toError(status), head, this),
      onDrain: () => {
        this.outbox.drained();
        this.review();
        this.#options.onDrain(this);
      },
      onEnd: (end) => this.#onEnd(end),
    };
  }

  #takeHeaders(isHostAnnounced: boolean): void {
    this.#keepAlive.heard();
    this.outbox.takeHeaders(isHostAnnounced);
    this.#accept();
    // Only a worker with bounds on its handlers ever holds the data channel back for long.
    if (isHostAnnounced && Number.isFinite(this.#options.settings.maxConcurrentHandlers)) this.#sideStream.open();
  }

  #accept(): void {
    if (this.#isAccepted) return;
    this.#isAccepted = true;
    this.outbox.forgetKept();
    this.#options.onAccepted(this);
  }

  /** Notices arrive also while nothing is read from the data channel. A stock host sends none. */
  get #hearsNotices(): boolean {
    return this.#sideStream.isOpen || !this.outbox.isHostAnnounced;
  }

  #receive(bytes: Uint8Array): void {
    this.#keepAlive.heard();
    if (!this.#isAccepted) {
      this.outbox.takeHeaders(false);
      this.#accept();
    }
    let frame: Frame;
    try {
      frame = decodeFrame(bytes);
    } catch (cause) {
      this.#options.onUnreadable(new TroupeError("invalid-message", errorText(cause), { cause }), bytes, this);
      return;
    }
    if (frame.kind !== "ack") this.#options.onFrame(frame, this);
    else if (!this.services.onAck(frame)) this.#logger.debug("The host acknowledged a registration nobody waits for.");
    this.review();
  }

  #onEnd(end: StreamEnd): void {
    const refusal = this.#isAccepted ? undefined : refusalCode(end);
    const why = this.#deadBecause ?? describeEnd(end);
    const reason =
      refusal === undefined
        ? `The connection to the host at ${this.address} is gone: ${why}`
        : `The host at ${this.address} refused the worker: ${why}`;
    this.#finish({ code: "disconnected", text: reason });
    if (this.#isLeaving) this.#resolveClosed({ by: "left" });
    else
      this.#resolveClosed(
        refusal === undefined
          ? { by: "lost", reason, isSilent: this.#isSilent }
          : { by: "refused", reason, code: refusal },
      );
    if (!this.#isLeaving) void this.#link.close();
  }

  #finish(reason: UndeliverableReason): void {
    this.#keepAlive.stop();
    this.outbox.close(reason);
    this.services.close(reason);
    this.#sideStream.close();
    this.#ended.abort(new UndeliverableException(reason.text, { code: reason.code }));
  }

  get #logger(): Logger {
    return this.#options.settings.logger;
  }
}

/** Throws `invalid-argument` for an address that can't be read. */
function dialTo(dialer: Dialer, address: string): Link {
  try {
    return dialer.dial(address);
  } catch (cause) {
    throw new TroupeError("invalid-argument", errorText(cause), { cause });
  }
}

/** Turns what the transport says of a message that it threw away into an error. */
function toError({ code, details }: RpcStatus): TroupeError {
  return new TroupeError(code === StatusCode.resourceExhausted ? "message-too-large" : "invalid-message", details);
}
