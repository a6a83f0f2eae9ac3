import { errorText, type Logger, TroupeError, UndeliverableException } from "../../core/internal.ts";
import { announcement, clientIdKey, decodeFrame, type Frame, isAnnounced, method } from "../../protocol/internal.ts";
import type { StreamEnd, StreamReceiver } from "../../transport/internal.ts";
import { type Dialer, type FrameStream, type Link, type RpcStatus, StatusCode } from "../../transport/internal.ts";
import { ControlChannel, type ControlServer } from "../control/control-channel.ts";
import { ChannelRegistry } from "../registry/channel-registry.ts";
import { ConnectionRegistry } from "../registry/connection-registry.ts";
import type { HostRegistry } from "../registry/host-registry.ts";
import { UnaryRegistry } from "../registry/unary-registry.ts";
import type { WorkerSettings } from "../worker-options.ts";
import { KeepAlive } from "./keep-alive.ts";
import { Outbox, type UndeliverableReason } from "./outbox.ts";
import { SideStream } from "./side-stream.ts";
import { describeEnd } from "./stream-end.ts";
import { atMost, withinMs } from "./time-limits.ts";

export interface HostConnectionOptions {
  readonly settings: WorkerSettings;
  readonly address: string;
  /** Calls off the opening. */
  readonly signal: AbortSignal;
  readonly nextRequestNumber: () => number;
  /** Takes the frames that are not about registration. Must not throw. */
  readonly onFrame: (frame: Frame, connection: HostConnection) => void;
  /** A message that can't be read; `head` is as much of it as there is. Must not throw. */
  readonly onUnreadable: (error: TroupeError, head: Uint8Array | undefined, connection: HostConnection) => void;
  /** The outbox has room again. */
  readonly onDrain: (connection: HostConnection) => void;
  /** Whether the worker has as much work as it wants. */
  readonly isCrowded: () => boolean;
  readonly controlServer: ControlServer;
}

const flushTimeoutMs = 5_000;

/** How a connection ended: this side left, or it was lost. */
export type ConnectionEnd = { readonly by: "left" } | { readonly by: "lost"; readonly reason: string };

/** One attempt at being a host's worker: a link, the data channel, the control channel, under a client id of its own (protocol.md §2.1). */
export class HostConnection {
  readonly clientId: string;
  readonly address: string;
  readonly outbox: Outbox;
  readonly registry: HostRegistry;
  readonly control: ControlChannel;
  /** Resolves when the data channel has ended; never rejects. */
  readonly closed: Promise<ConnectionEnd>;
  readonly #link: Link;
  readonly #stream: FrameStream;
  readonly #legacy: ChannelRegistry;
  readonly #signals: SideStream;
  readonly #keepAlive: KeepAlive;
  readonly #options: HostConnectionOptions;
  readonly #ended = new AbortController();
  #resolveClosed!: (end: ConnectionEnd) => void;
  #isLeaving = false;
  #isPaused = false;
  /** Why this side gave the host up. */
  #deadBecause: string | undefined;

  /** Reaches the host and opens the data channel, without waiting for an answer to it: reference hosts send none (§1.5). */
  static async open(options: HostConnectionOptions): Promise<HostConnection> {
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

  private constructor(link: Link, options: HostConnectionOptions) {
    const { settings, nextRequestNumber } = options;
    const { maxMessageBytes, stockHostMaxBytes, registrationTimeoutMs: timeoutMs, clock } = settings;
    this.#link = link;
    this.#options = options;
    this.clientId = settings.makeId();
    this.address = options.address;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    const metadata = { [clientIdKey]: this.clientId };
    this.#stream = link.openStream(method.openChannel, this.#receiver(), {
      metadata: { ...metadata, ...announcement },
    });
    const onAsked = () => this.review();
    this.outbox = new Outbox({ stream: this.#stream, maxMessageBytes, stockHostMaxBytes, onAsked });
    this.#legacy = new ChannelRegistry({ outbox: this.outbox, nextRequestNumber, timeoutMs, clock });
    this.registry = new ConnectionRegistry({
      unary: new UnaryRegistry({
        ...{ link, metadata, timeoutMs, signal: this.#ended.signal },
        isHostAnnounced: () => this.outbox.isHostAnnounced,
      }),
      legacy: this.#legacy,
      logger: settings.logger,
    });
    this.control = new ControlChannel({ link, clientId: this.clientId, settings, server: options.controlServer });
    this.#signals = new SideStream({
      ...{ link, metadata, logger: settings.logger },
      onSignal: (frame) => options.onFrame(frame, this),
      onChange: () => this.review(),
    });
    this.#keepAlive = new KeepAlive({
      ...{ link, metadata, clock, afterMs: settings.keepAliveMs, timeoutMs: settings.keepAliveTimeoutMs },
      isInDoubt: () => this.#stream.unconfirmedFrames > 0,
      onDead: (reason) => this.#giveUp(reason),
    });
  }

  get isOpen(): boolean {
    return !this.#ended.signal.aborted;
  }

  /** The host is not read from at the moment. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** The host does not take what it was answered: it had better not ask for more. */
  get isFull(): boolean {
    return !this.outbox.isWritable && this.outbox.queuedBytes > this.#options.settings.maxOutboxBytes;
  }

  /**
   * Reads on, or lets flow control hold the host: when the worker has enough to do, and word that its work is not wanted any
   * more is not held too; or when the host does not take what it was answered. Never while one of its own calls waits for an
   * answer that would be held (W23).
   */
  review(): void {
    const isWaitedFor = this.outbox.askedCount > 0 || this.#legacy.pendingCount > 0;
    const isPaused = !isWaitedFor && (this.isFull || (this.#options.isCrowded() && this.#hearsSignals));
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    if (isPaused) this.#stream.pause();
    else this.#stream.resume();
  }

  /** Sends what is queued, half-closes, gives the host a moment to end the channel, then cancels it (§1.5). `signal` cuts the waits short. Never rejects. */
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
    this.outbox.takeHeaders(isHostAnnounced);
    // Only a worker with bounds on its handlers ever holds the data channel back for long.
    if (isHostAnnounced && Number.isFinite(this.#options.settings.maxConcurrentHandlers)) this.#signals.open();
  }

  /** Also while nothing is read from the data channel. A stock host says nothing that could be missed. */
  get #hearsSignals(): boolean {
    return this.#signals.isOpen || !this.outbox.isHostAnnounced;
  }

  #receive(bytes: Uint8Array): void {
    this.#keepAlive.heard();
    this.outbox.takeHeaders(false);
    let frame: Frame;
    try {
      frame = decodeFrame(bytes);
    } catch (cause) {
      this.#options.onUnreadable(new TroupeError("invalid-message", errorText(cause), { cause }), bytes, this);
      return;
    }
    if (frame.kind !== "ack") this.#options.onFrame(frame, this);
    else if (!this.#legacy.onAck(frame)) this.#logger.debug("The host acknowledged a registration nobody waits for.");
    this.review();
  }

  #giveUp(reason: string): void {
    this.#deadBecause = reason;
    this.#stream.cancel();
  }

  #onEnd(end: StreamEnd): void {
    const text = `The connection to the host at ${this.address} is gone: ${this.#deadBecause ?? describeEnd(end)}`;
    this.#finish({ code: "disconnected", text });
    this.#resolveClosed(this.#isLeaving ? { by: "left" } : { by: "lost", reason: text });
    if (!this.#isLeaving) void this.#link.close();
  }

  #finish(reason: UndeliverableReason): void {
    this.#keepAlive.stop();
    this.outbox.close(reason);
    this.#legacy.close(reason);
    this.control.close(reason);
    this.#signals.close();
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

/** What the transport says of a message that it threw away. */
function toError({ code, details }: RpcStatus): TroupeError {
  return new TroupeError(code === StatusCode.resourceExhausted ? "message-too-large" : "invalid-message", details);
}
