import { errorText, joinSignals, TroupeError, UndeliverableException } from "../../core/internal.ts";
import { clientIdKey, decodeFrame, type Frame, hostTraits, method, readCapabilities } from "../../protocol/internal.ts";
import type { FrameStream, Link, Metadata, StreamEnd, StreamReceiver } from "../../transport/internal.ts";
import { ChannelReading } from "./channel-reading.ts";
import { type ConnectionEnd, endError, leavingError, lossOf, saysVoid } from "./connection-end.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { ConnectionServices, HostConnectionOptions } from "./host-connection-options.ts";
import { droppedMessageError, reachHost } from "./host-link.ts";
import { askForSignOfLife, KeepAlive } from "./keep-alive.ts";
import { LeaseAsking } from "./lease-asking.ts";
import { type CarriedStream, LinkCarrier } from "./link-carrier.ts";
import { Outbox, type UndeliverableReason } from "./outbox.ts";
import { SideStream } from "./streams/side-stream.ts";
import { StateStream } from "./streams/state-stream.ts";
import { atMost, withinLimit } from "./time-limits.ts";

/** The bytes of a notice, which are not kept. */
const noBytes = new Uint8Array(0);

/** Milliseconds that the last messages have to leave before the worker ends the channel. */
const flushTimeoutMs = 5_000;

/** A link to a host and the data channel on it. Each connection has its own client id. */
// protocol.md §2.1
export class HostConnection<Services extends ConnectionServices = ConnectionServices> {
  readonly clientId: string;
  readonly address: string;
  readonly outbox: Outbox;
  readonly services: Services;
  /** Asks the host about states of agents. It opens with the first ask. */
  readonly states: StateStream;
  /** Metadata of every call and stream of the connection. */
  readonly metadata: Metadata;
  /** Makes unary calls under the client id of this connection. One that a leaving link does not take goes over the next link. */
  readonly calls: Pick<Link, "unary">;
  /** Resolves with the reason when the link takes no new calls any more or has ended. Never rejects. */
  readonly linkLeaving: Promise<string>;
  /** Resolves when the data channel has ended; never rejects. */
  readonly closed: Promise<ConnectionEnd>;
  // protocol.md §11.14, §11.15, §11.16
  /** Whether the host has said in its headers that it is .NET's gateway, and that it keeps states, and mail. */
  isDotnetGateway = false;
  keepsStates = false;
  keepsMail = false;
  /** Whether the host names the agents of shared types that an event is for. */
  tellsRecipients = false;
  readonly #link: Link;
  /** Carries calls and streams over this link until it leaves, then over a newer one. */
  readonly #carrier: LinkCarrier;
  readonly #stream: FrameStream;
  readonly #sideStream: SideStream;
  readonly #reading: ChannelReading;
  readonly #keepAlive: KeepAlive;
  readonly #heartbeat: Heartbeat;
  readonly #leaseAsking: LeaseAsking;
  readonly #options: HostConnectionOptions<Services>;
  readonly #ended = new AbortController();
  #resolveClosed!: (end: ConnectionEnd) => void;
  #isAccepted = false;
  #isLeaving = false;
  /** Whether the worker has told the host that it gives up its agent types. */
  #hasGivenUp = false;
  #isSilent = false;
  /** The reason for which the worker gave up the host. */
  #deadBecause: string | undefined;

  /** Reaches the host and opens the data channel. Does not wait for the host's answer, because stock hosts send none. */
  // protocol.md §1.5
  static async open<Services extends ConnectionServices>(
    options: HostConnectionOptions<Services>,
  ): Promise<HostConnection<Services>> {
    return reachHost(options, (link) => new HostConnection(link, options));
  }

  private constructor(link: Link, options: HostConnectionOptions<Services>) {
    const { settings, lease } = options;
    const { maxMessageBytes, stockHostMaxBytes, clock, whileDisconnected } = settings;
    this.#link = link;
    this.#options = options;
    this.clientId = settings.makeId();
    this.address = options.address;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.metadata = { [clientIdKey]: this.clientId };
    this.#carrier = new LinkCarrier({
      ...{ link, metadata: this.metadata, clock, timeoutMs: settings.registrationTimeoutMs },
      isOpen: () => this.isOpen,
      // A registration after the end of the channel, or after the notice, would stay behind at the host.
      assertStays: () => {
        if (this.#isLeaving || this.#hasGivenUp) throw leavingError(this.address);
      },
      renewed: () => options.linkRenewed(this),
    });
    this.calls = this.#carrier;
    this.linkLeaving = this.#carrier.leaving;
    this.#stream = link.openStream(method.openChannel, this.#receiver(), {
      metadata: { ...this.metadata, ...options.introduce(this) },
    });
    const openStream = (name: string, receiver: StreamReceiver) => this.openStream(name, receiver).stream;
    this.states = new StateStream({ settings, openStream, onFullness: () => this.review() });
    this.outbox = new Outbox({
      ...{ stream: this.#stream, states: this.states, maxMessageBytes, stockHostMaxBytes, onCall: () => this.review() },
      maxKeptMessages: whileDisconnected.maxQueuedMessages,
      maxKeptBytes: whileDisconnected.maxQueuedBytes,
      expectsAnnouncement: options.expectsAnnouncement,
      onHostKnown: () => options.onHostKnown(this),
    });
    this.#sideStream = new SideStream({
      ...{ settings, openStream, onChange: () => this.review() },
      onNotice: (frame) => options.onFrame(frame, this, noBytes),
      onAnswer: ({ seq, leaseMs }) => lease.granted(this, seq, leaseMs),
    });
    this.#leaseAsking = new LeaseAsking({
      ...{ clock, nextSeq: () => lease.request(this), isHeld: () => lease.mayBegin },
      sayBeside: (question) => this.#sideStream.sayHeartbeat(question),
      say: (question) => this.outbox.sayLease(question),
    });
    this.#reading = new ChannelReading({
      ...{ stream: this.#stream, outbox: this.outbox, sideStream: this.#sideStream },
      ...{ maxOutboxBytes: settings.maxOutboxBytes, isCrowded: options.isCrowded },
      awaitsAck: () => this.services.awaitsAck,
      // What the host said during the pause is read only now.
      onResumed: () => this.#keepAlive.heard(),
    });
    this.#heartbeat = new Heartbeat({
      ...{ clock, everyMs: settings.heartbeatMs, askData: (heartbeat) => this.outbox.sayHeartbeat(heartbeat) },
      leaseSeq: () => lease.request(this),
      askOthers: (heartbeat) => {
        this.#sideStream.sayHeartbeat(heartbeat);
        this.states.sayHeartbeat(heartbeat);
        this.services.sayHeartbeat(heartbeat);
      },
    });
    this.#keepAlive = new KeepAlive({
      ...{ link, metadata: this.metadata, clock },
      ...{ afterMs: settings.keepAliveMs, timeoutMs: settings.keepAliveTimeoutMs },
      ...{ isInDoubt: () => this.#stream.unconfirmedFrames > 0, receivedBytes: () => this.#stream.receivedBytes },
      askInChannel: () => !this.isPaused && this.#heartbeat.ask(),
      isChannelRead: () => !this.isPaused,
      isLinkLeaving: () => this.isLinkLeaving,
      // The host has not refused the channel, so it has accepted it.
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

  /** Whether the link takes no new calls, while its calls and streams continue. */
  get isLinkLeaving(): boolean {
    return this.#carrier.isLeaving;
  }

  /** Whether the host has accepted the data channel: it has answered with headers or a message, and has not refused it. */
  get isAccepted(): boolean {
    return this.#isAccepted;
  }

  /** Whether the worker takes no calls on this connection, because it leaves it and may not be able to answer them. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** Aborts when the connection ends. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Whether the worker has paused reading from the host. */
  get isPaused(): boolean {
    return this.#reading.isPaused;
  }

  /** Whether the host does not take the answers that the worker sends. The worker then takes no further calls. */
  get isFull(): boolean {
    return this.#reading.isFull;
  }

  /** Number of `use`s that are not released. The worker does not leave the connection before. */
  get usersCount(): number {
    return this.#carrier.usersCount;
  }

  /** Opens another stream with the client id, on the link that carries calls. */
  openStream(name: string, receiver: StreamReceiver): CarriedStream {
    return this.#carrier.openStream(name, receiver);
  }

  /** Keeps the connection in use, so that the worker does not leave it for a newer one. Returns the function that ends the use. */
  use(): () => void {
    return this.#carrier.use();
  }

  /** Resolves when the host itself has answered on the link that carries the calls. Rejects when the time is up, or when only a proxy answers. */
  async confirm(signal: AbortSignal): Promise<void> {
    const { startTimeoutMs, clock } = this.#options.settings;
    const either = joinSignals(signal, this.signal);
    try {
      const limit = { ms: startTimeoutMs, option: "startTimeoutMs", clock, signal: either.signal };
      await withinLimit(limit, (within) =>
        askForSignOfLife(this.#carrier.link, { metadata: this.metadata, signal: within }),
      );
    } catch (cause) {
      await this.assertOpen();
      const text = `The host at ${this.address} gave no answer of its own: ${errorText(cause)}`;
      throw new UndeliverableException(text, { cause, code: "disconnected" });
    } finally {
      either.letGo();
    }
  }

  /** Rejects with the reason when the connection has ended. */
  async assertOpen(): Promise<void> {
    if (!this.isOpen) throw endError(await this.closed);
  }

  /** Makes unary calls over a newer connection, because this link takes none. The newer connection's keep-alive serves both. */
  callOver(newer: HostConnection): void {
    if (newer === this) return;
    this.#carrier.carryOver(newer.#carrier);
    this.outbox.continueIn(newer.outbox);
    // Behind a load balancer the newer link may lead to another host. A heartbeat asks the host of this channel.
    if (!this.#heartbeat.isOn) this.#keepAlive.stop();
  }

  /** Decides anew whether the connection reads or lets flow control hold the host. */
  review(): void {
    this.#reading.review();
  }

  /** Tells an announced host that the worker stops, and registers nothing here from now on. Never throws. */
  sayLeaving(graceMs: number): void {
    this.#hasGivenUp = true;
    this.outbox.sayLeaving(graceMs);
  }

  /**
   * Sends queued frames, half-closes, waits `halfCloseWaitMs` for the host to end the channel, then cancels it. `signal` ends
   * the waits. Never rejects.
   */
  async leave(signal?: AbortSignal): Promise<void> {
    const { clock, halfCloseWaitMs } = this.#options.settings;
    this.#isLeaving = true;
    this.#keepAlive.stop();
    this.#heartbeat.stop();
    if (this.isOpen) {
      // A host that takes nothing any more must not hold up the worker.
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

  /**
   * Gives up the registrations on this connection. The host sends no more calls here, and tells the callers of those that are on
   * their way that they were not handled. Call it when each call that came here has its answer, and call `leave` next.
   */
  handOver(): void {
    this.#isLeaving = true;
    if (this.isOpen) this.outbox.sayLeaving(0);
  }

  /** Begins to ask for the lease. Call it when the host has named `lease`. */
  startLease(): void {
    if (this.isOpen) this.#leaseAsking.start();
  }

  /** Something waits for a lease. */
  hurryLease(): void {
    this.#leaseAsking.hurry();
  }

  /** Resolves to true when the host has read everything that was sent here, and to false after so many milliseconds. Never rejects. */
  async wasRead(timeoutMs: number): Promise<boolean> {
    const { clock } = this.#options.settings;
    const endMs = clock.now() + timeoutMs;
    await atMost(this.outbox.flushed(), timeoutMs, clock, this.signal);
    const read = this.#heartbeat.answered();
    const answer = read && (await atMost(read, endMs - clock.now(), clock, this.signal));
    return answer === true;
  }

  /** Ends the connection at once. The host counts as lost. */
  cut(reason: string): void {
    this.#deadBecause ??= reason;
    this.#stream.cancel();
  }

  #receiver(): StreamReceiver {
    return {
      onMetadata: (metadata) => this.#takeHeaders(metadata),
      onFrame: (bytes) => this.#receive(bytes),
      ...{ onHalfClose: () => undefined, onLate: this.#options.onLate },
      onBadFrame: (status, head) => this.#options.onUnreadable(droppedMessageError(status), head, this),
      onDrain: () => {
        this.outbox.drained();
        this.review();
        this.#options.onDrain(this);
      },
      onEnd: (end) => this.#onEnd(end),
    };
  }

  #takeHeaders(metadata: Metadata): void {
    const { isAnnounced: isHostAnnounced, isDotnetGateway } = hostTraits(metadata);
    this.isDotnetGateway = isDotnetGateway;
    this.#keepAlive.heard();
    const capabilities = readCapabilities(metadata);
    this.keepsStates = capabilities.has("states");
    this.keepsMail = capabilities.has("mail");
    this.outbox.host.take(isHostAnnounced, capabilities);
    this.#accept();
    this.tellsRecipients = capabilities.has("claims");
    if (capabilities.has("heartbeat") && this.isOpen && !this.#isLeaving) this.#heartbeat.start();
    // Only a worker that limits its handlers pauses the data channel for long. The lease must not wait behind messages.
    const { maxConcurrentHandlers } = this.#options.settings;
    if (isHostAnnounced && (Number.isFinite(maxConcurrentHandlers) || capabilities.has("lease")))
      this.#sideStream.open({ isServed: capabilities.size > 0 });
    this.#options.onHeaders(this);
  }

  #accept(): void {
    if (this.#isAccepted) return;
    this.#isAccepted = true;
    this.outbox.forgetKept();
    this.#options.onAccepted(this);
  }

  #receive(bytes: Uint8Array): void {
    this.#keepAlive.heard();
    if (!this.#isAccepted) {
      this.outbox.host.take(false);
      this.#accept();
    }
    let frame: Frame;
    try {
      frame = decodeFrame(bytes);
    } catch (cause) {
      this.#options.onUnreadable(new TroupeError("invalid-message", errorText(cause), { cause }), bytes, this);
      return;
    }
    if (frame.kind === "heartbeat") {
      if (frame.isAnswer) this.#options.lease.granted(this, frame.seq, frame.leaseMs);
      return this.#heartbeat.take(frame);
    }
    if (frame.kind !== "ack") this.#options.onFrame(frame, this, bytes);
    else if (!this.services.onAck(frame))
      this.#options.settings.logger.debug("The host acknowledged a registration for which no caller waits.");
    this.review();
  }

  #onEnd(end: StreamEnd): void {
    const loss = lossOf(end, {
      ...{ address: this.address, isAccepted: this.#isAccepted },
      ...{ isSilent: this.#isSilent, deadBecause: this.#deadBecause },
    });
    const { host } = this.outbox;
    if (saysVoid(end) && (host.knowsLease || host.isAwaited)) this.#options.onVoid(this);
    const isNotAdmitted = loss.by === "refused" && loss.code === "not-authorized";
    this.#finish({ code: "disconnected", text: loss.reason }, isNotAdmitted ? endError(loss) : undefined);
    if (this.#isLeaving) return this.#resolveClosed({ by: "left" });
    this.#resolveClosed(loss);
    void this.#link.close();
  }

  /** `error`: the one of registrations and questions that are under way. */
  #finish(reason: UndeliverableReason, error?: Error): void {
    this.#keepAlive.stop();
    this.#heartbeat.stop();
    this.#leaseAsking.stop();
    this.outbox.close(reason);
    this.services.close(reason);
    this.states.close(reason);
    this.#sideStream.close();
    this.#ended.abort(error ?? new UndeliverableException(reason.text, { code: reason.code }));
  }
}
