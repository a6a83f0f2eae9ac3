import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type OutgoingHttpHeaders,
} from "node:http2";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { followAbort, realClock, setPatientTimer, unfollowAbort } from "../../../core/internal.ts";
import { formatAddress, type TransportAddress } from "../../address.ts";
import { waitCancelled } from "../../calls/call-errors.ts";
import { clearTimeout, setTimeout } from "../../real-time.ts";
import { RpcError, StatusCode } from "../../rpc-status.ts";
import { describeDialFailure, describeEarlyEnd, describeLoss, messageOf } from "../../system-error.ts";
import { DeliveryAcknowledgements } from "../connection/delivery-acknowledgements.ts";
import { startKeepAlive } from "../connection/keep-alive.ts";
import type { GrpcDialerSettings } from "./client-options.ts";
import { authorityUrl, openClientSocket } from "./client-socket.ts";
import { type ConnectionSetup, prepareSetup } from "./connection-setup.ts";

/** Milliseconds that an orderly close may take before this side destroys the socket. */
const GOODBYE_MS = 1_000;

const adviceForSilence = "Check that a gRPC host listens there, and that both sides agree on TLS.";

type ConnectionState =
  /** Not used yet. */
  | { readonly at: "idle" }
  /** Options that are functions make what the connection uses, or a proxy opens the tunnel. */
  | { readonly at: "preparing"; readonly abort: AbortController }
  /** Connecting, connected, or closing. */
  | { readonly at: "open"; readonly session: ClientHttp2Session; readonly socket: Socket }
  /** Ended. */
  | { readonly at: "closed" };

/** The one HTTP/2 connection of a link. It is made on first use and not made again. */
export class ClientConnection {
  /** Resolves when the server takes no new calls here. It has announced the end of the connection, or the connection has ended. */
  readonly leaving: Promise<string>;
  readonly closed: Promise<string>;
  readonly acknowledgements = new DeliveryAcknowledgements();
  readonly #address: TransportAddress;
  readonly #settings: GrpcDialerSettings;
  readonly #name: string;
  readonly #ready: Promise<void>;
  #state: ConnectionState = { at: "idle" };
  #metadata: Readonly<Record<string, string>> = {};
  /** Names the step for which the preparation waits. */
  #awaited = "";
  #wasReady = false;
  #isLeaving = false;
  #reason: string | undefined;
  #resolveReady: () => void = () => undefined;
  #resolveClosed: (reason: string) => void = () => undefined;
  #resolveLeaving: (reason: string) => void = () => undefined;
  #stopTimers: (() => void)[] = [];

  constructor(address: TransportAddress, settings: GrpcDialerSettings) {
    this.#address = address;
    this.#settings = settings;
    this.#name = formatAddress(address);
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.leaving = new Promise((resolve) => {
      this.#resolveLeaving = resolve;
    });
    this.#ready = new Promise((resolve) => {
      this.#resolveReady = resolve;
    });
  }

  /** The reason for which the connection has ended or is ending. */
  get lossReason(): string {
    if (this.#reason !== undefined) return this.#reason;
    return this.#wasReady ? `${this.#name} closed the connection.` : describeEarlyEnd(this.#name);
  }

  /** True when the connection stands, or stood before it was lost: the server's settings have come. */
  get wasReady(): boolean {
    return this.#wasReady;
  }

  /** True once the server has announced that it ends the connection. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** Metadata of every call. Begins the connection. Throws `RpcError` (unavailable) while it is being prepared. */
  get metadata(): Readonly<Record<string, string>> {
    this.#begin();
    if (this.#state.at !== "preparing") return this.#metadata;
    throw new RpcError(
      StatusCode.unavailable,
      `The connection to ${this.#name} is being prepared. Await ready() first.`,
    );
  }

  /** Resolves when the preparation is over, with or without success. Undefined if there is nothing to wait for. */
  prepared(signal?: AbortSignal): Promise<unknown> | undefined {
    this.#begin();
    return this.#state.at === "preparing" ? this.ready(signal).catch(() => undefined) : undefined;
  }

  get isGone(): boolean {
    return this.#state.at === "closed" || (this.#state.at === "open" && this.#state.session.destroyed);
  }

  /** Rejects with `RpcError` (unavailable) when the connection can't be made, with cancelled when the signal aborts. */
  async ready(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) throw waitCancelled(this.#name, signal);
    this.#begin();
    let onAbort: () => void = () => undefined;
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(waitCancelled(this.#name, signal, `${this.#standstill}. ${adviceForSilence}`));
    });
    followAbort(signal, onAbort);
    const lost = this.closed.then((reason) => {
      throw new RpcError(StatusCode.unavailable, reason);
    });
    try {
      await Promise.race(this.#state.at === "closed" ? [lost] : [this.#ready, lost, aborted]);
    } finally {
      unfollowAbort(signal, onAbort);
    }
  }

  /** Opens an HTTP/2 stream that `signal` cancels. Throws `RpcError` (unavailable) when the connection has ended or is ending. */
  request(headers: OutgoingHttpHeaders, signal: AbortSignal): ClientHttp2Stream {
    this.#begin();
    // After a GOAWAY Node 24 makes a stream and resets it, which would read as the server's own reset. Node 20 throws.
    if (this.#state.at !== "open" || this.#isLeaving) throw new RpcError(StatusCode.unavailable, this.lossReason);
    try {
      return this.#state.session.request(headers, { endStream: false, signal });
    } catch (error) {
      throw new RpcError(StatusCode.unavailable, this.lossReason, { cause: error });
    }
  }

  /** Closes the HTTP/2 session, then destroys the socket. The owners of the streams must have ended them. */
  close(): void {
    this.#reason ??= `The connection to ${this.#name} was closed by this side.`;
    if (this.#state.at === "preparing") this.#state.abort.abort();
    if (this.#state.at === "idle" || this.#state.at === "preparing") this.#settleClosed();
    if (this.#state.at !== "open") return;
    const timer = setTimeout(() => this.#cut(), GOODBYE_MS);
    this.#stopTimers.push(() => clearTimeout(timer));
    if (this.#wasReady) this.#state.session.close();
    else this.#cut();
  }

  #begin(): void {
    if (this.#state.at !== "idle") return;
    const { connectTimeoutMs } = this.#settings;
    const timer = setPatientTimer(realClock, connectTimeoutMs, () => this.#giveUp(), { keepAlive: true });
    this.#stopTimers.push(() => timer.cancel());
    const abort = new AbortController();
    const setup = prepareSetup(this.#address, this.#settings, {
      signal: abort.signal,
      onStep: (what) => {
        this.#awaited = what;
      },
    });
    if (!(setup instanceof Promise)) return this.#tryOpen(setup);
    this.#state = { at: "preparing", abort };
    void setup.then(
      (made) => {
        if (this.#state.at === "preparing") this.#tryOpen(made);
        else made.tunnel?.destroy();
      },
      (error) => this.#endUnopened(messageOf(error)),
    );
  }

  #tryOpen(setup: ConnectionSetup): void {
    try {
      this.#open(setup);
    } catch (error) {
      setup.tunnel?.destroy();
      this.#endUnopened(describeDialFailure(this.#name, error));
    }
  }

  #endUnopened(reason: string): void {
    this.#reason ??= reason;
    this.#settleClosed();
  }

  #open(setup: ConnectionSetup): void {
    const { limits } = this.#settings;
    this.#metadata = setup.metadata;
    const socket = openClientSocket(this.#address, setup);
    const session = connect(authorityUrl(this.#address, setup), {
      createConnection: () => socket,
      maxSessionMemory: limits.maxSessionMemoryMb,
      peerMaxConcurrentStreams: this.#settings.peerMaxConcurrentStreams,
      settings: { enablePush: false, initialWindowSize: limits.windowBytes },
    });
    this.#state = { at: "open", session, socket };
    session.once("connect", () => session.setLocalWindowSize(limits.windowBytes));
    session.once("remoteSettings", () => this.#onReady(session));
    session.on("error", (error) => this.#onError(error));
    session.on("goaway", (code: number, _lastStreamId: number, data?: Uint8Array) => this.#onGoaway(code, data));
    session.once("close", () => this.#settleClosed());
    // Node's session does not always end with its socket: not when a server refuses the certificate after the handshake (TLS 1.3).
    socket.once("error", (error) => {
      this.#onError(error);
      this.#cut();
    });
  }

  #onReady(session: ClientHttp2Session): void {
    this.#clearTimers();
    this.#wasReady = true;
    const { pingIntervalMs, pingTimeoutMs } = this.#settings;
    if (pingIntervalMs > 0) {
      const onDead = (): void => {
        this.#reason ??= `${this.#name} did not answer a keep-alive ping within ${pingTimeoutMs} ms.`;
        this.#cut();
      };
      this.#stopTimers.push(
        startKeepAlive(session, {
          ...{ intervalMs: pingIntervalMs, timeoutMs: pingTimeoutMs, onDead },
          beforeAsking: this.acknowledgements.beforeAsking,
        }),
      );
    }
    this.#resolveReady();
  }

  #giveUp(): void {
    if (this.#state.at === "preparing") {
      const { connectTimeoutMs } = this.#settings;
      this.#reason ??= `No connection to ${this.#name}: ${this.#awaited} gave no answer within ${connectTimeoutMs} ms.`;
      this.close();
      return;
    }
    const ms = this.#settings.connectTimeoutMs;
    this.#reason ??= `${this.#standstill} within ${ms} ms (the option connectTimeoutMs). ${adviceForSilence}`;
    this.#cut();
  }

  /** Says how far the connection has come while it is being made. */
  get #standstill(): string {
    const socket = this.#state.at === "open" ? this.#state.socket : undefined;
    if (socket === undefined || socket.connecting) return `${this.#name} did not accept the connection`;
    const isHandshaking = socket instanceof TLSSocket && socket.alpnProtocol === null;
    const missing = isHandshaking ? "did not finish the TLS handshake" : "did not answer HTTP/2";
    return `${this.#name} accepted the connection but ${missing}`;
  }

  /** Destroys the session without waiting for the peer. A session that has begun to close would wait for the peer's close. */
  #cut(): void {
    if (this.#state.at !== "open") return;
    this.#state.session.destroy();
    this.#state.socket.destroy();
  }

  #onError(error: Error): void {
    this.#reason ??= this.#wasReady ? describeLoss(this.#name, error) : describeDialFailure(this.#name, error);
  }

  #onGoaway(code: number, data: Uint8Array | undefined): void {
    this.#isLeaving = true;
    const text = data === undefined || data.byteLength === 0 ? "" : ` (${Buffer.from(data).toString("utf8")})`;
    this.#reason ??=
      code === constants.NGHTTP2_NO_ERROR
        ? `${this.#name} takes no new calls on this connection (GOAWAY).`
        : `${this.#name} ended the connection with HTTP/2 code ${code}${text}.`;
    this.#resolveLeaving(this.lossReason);
  }

  #settleClosed(): void {
    if (this.#state.at === "closed") return;
    this.#clearTimers();
    this.#state = { at: "closed" };
    this.#resolveClosed(this.lossReason);
    this.#resolveLeaving(this.lossReason);
  }

  #clearTimers(): void {
    for (const stop of this.#stopTimers) stop();
    this.#stopTimers = [];
  }
}
