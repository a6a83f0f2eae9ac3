import { errorText, type Logger, TroupeError, UndeliverableException } from "../core/index.ts";
import { announcement, clientIdKey, decodeFrame, type Frame, isAnnounced, method } from "../protocol/index.ts";
import type { Dialer, FrameStream, Link, StreamEnd, StreamReceiver } from "../transport/index.ts";
import { ChannelRegistry } from "./channel-registry.ts";
import { ConnectionRegistry } from "./connection-registry.ts";
import { ControlChannel, type ControlServer } from "./control-channel.ts";
import type { HostRegistry } from "./host-registry.ts";
import { Outbox, type UndeliverableReason } from "./outbox.ts";
import { describeEnd } from "./stream-end.ts";
import { atMost, withinMs } from "./time-limits.ts";
import { UnaryRegistry } from "./unary-registry.ts";
import type { WorkerCounts } from "./worker-counts.ts";
import type { WorkerSettings } from "./worker-options.ts";

export interface HostConnectionOptions {
  readonly settings: WorkerSettings;
  readonly counts: WorkerCounts;
  readonly nextRequestId: () => string;
  /** Takes the frames that are not about registration. Must not throw. */
  readonly onFrame: (frame: Frame, connection: HostConnection) => void;
  readonly controlServer: ControlServer;
}

const flushTimeoutMs = 5_000;

/** How a connection ended: this side left, or it was lost. */
export type ConnectionEnd = { readonly by: "left" } | { readonly by: "lost"; readonly reason: string };

/** One attempt at being a host's worker: a link, the data channel, the control channel, under a client id of its own (protocol.md §2.1). */
export class HostConnection {
  readonly clientId: string;
  readonly outbox: Outbox;
  readonly registry: HostRegistry;
  readonly control: ControlChannel;
  /** Resolves when the data channel has ended; never rejects. */
  readonly closed: Promise<ConnectionEnd>;
  readonly #link: Link;
  readonly #stream: FrameStream;
  readonly #legacy: ChannelRegistry;
  readonly #options: HostConnectionOptions;
  readonly #ended = new AbortController();
  #resolveClosed!: (end: ConnectionEnd) => void;
  #isLeaving = false;

  /** Reaches the host and opens the data channel, without waiting for an answer to it: reference hosts send none (§1.5). */
  static async open(options: HostConnectionOptions): Promise<HostConnection> {
    const { address, dialer, clock, startTimeoutMs } = options.settings;
    const link = dialTo(dialer, address);
    try {
      await withinMs(startTimeoutMs, clock, (signal) => link.ready({ signal }));
      return new HostConnection(link, options);
    } catch (cause) {
      await link.close();
      const text = `Can't reach the host at ${address}: ${errorText(cause)}`;
      throw new UndeliverableException(text, { cause, code: "disconnected" });
    }
  }

  private constructor(link: Link, options: HostConnectionOptions) {
    const { settings, nextRequestId } = options;
    this.#link = link;
    this.#options = options;
    this.clientId = settings.makeId();
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    const metadata = { [clientIdKey]: this.clientId };
    this.#stream = link.openStream(method.openChannel, this.#receiver(), {
      metadata: { ...metadata, ...announcement },
    });
    this.outbox = new Outbox(this.#stream, settings.maxMessageBytes);
    const timeoutMs = settings.registrationTimeoutMs;
    this.#legacy = new ChannelRegistry({ outbox: this.outbox, nextRequestId, timeoutMs, clock: settings.clock });
    this.registry = new ConnectionRegistry({
      unary: new UnaryRegistry({ link, metadata, timeoutMs, signal: this.#ended.signal }),
      legacy: this.#legacy,
      logger: settings.logger,
    });
    this.control = new ControlChannel({ link, clientId: this.clientId, settings, server: options.controlServer });
  }

  get isOpen(): boolean {
    return !this.#ended.signal.aborted;
  }

  /** Sends what is queued, half-closes, gives the host a moment to end the channel, then cancels it (§1.5). Never rejects. */
  async leave(): Promise<void> {
    const { clock, halfCloseWaitMs } = this.#options.settings;
    this.#isLeaving = true;
    if (this.isOpen) {
      // A host that takes nothing any more must not hold us for ever.
      await atMost(this.outbox.flushed(), flushTimeoutMs, clock);
      this.outbox.close({ code: "shutting-down", text: "The worker has stopped." });
      this.#stream.end();
      await atMost(this.closed, halfCloseWaitMs, clock);
      this.#stream.cancel();
    }
    this.#finish({ code: "shutting-down", text: "The worker has stopped." });
    this.#resolveClosed({ by: "left" });
    await this.#link.close();
  }

  #receiver(): StreamReceiver {
    return {
      onMetadata: (metadata) => this.outbox.learnPeer(isAnnounced(metadata)),
      onFrame: (bytes) => this.#receive(bytes),
      onHalfClose: () => undefined,
      onBadFrame: ({ details }) => this.#unreadable(details),
      onDrain: () => undefined,
      onEnd: (end) => this.#onEnd(end),
    };
  }

  #receive(bytes: Uint8Array): void {
    let frame: Frame;
    try {
      frame = decodeFrame(bytes);
    } catch (error) {
      this.#unreadable(errorText(error));
      return;
    }
    if (frame.kind !== "ack") this.#options.onFrame(frame, this);
    else if (!this.#legacy.onAck(frame)) this.#logger.debug("The host acknowledged a registration nobody waits for.");
  }

  #unreadable(why: string): void {
    this.#options.counts.unreadableFrames += 1;
    this.#logger.warn(`A message from the host was passed over: ${why}`);
  }

  #onEnd(end: StreamEnd): void {
    const reason = describeEnd(end);
    const text = `The connection to the host at ${this.#options.settings.address} is gone: ${reason}`;
    this.#finish({ code: "disconnected", text });
    this.#resolveClosed(this.#isLeaving ? { by: "left" } : { by: "lost", reason: text });
    if (!this.#isLeaving) void this.#link.close();
  }

  #finish(reason: UndeliverableReason): void {
    this.outbox.close(reason);
    this.#legacy.close(reason);
    this.control.close(reason);
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
