import type { X509Certificate } from "node:crypto";
import type { FrameBytes } from "../protocol/internal.ts";
import type { MemoryAccount, MemoryAccountant, SharedBound } from "./accounting/memory-account.ts";
import type { ListenerCounters } from "./listener-counters.ts";
import type { RpcStatus, StatusOrigin } from "./rpc-status.ts";

// As both reference implementations read it: protocol.md §2.1.
/**
 * Key-value pairs that travel with a call. Keys are ASCII in lower case; values are printable ASCII text. A key that
 * ends in `-bin` carries base64 text. Of a repeated key the last value counts.
 */
export type Metadata = Readonly<Record<string, string>>;

/** The end of a stream, as one side sees it. Each side gets exactly one end per stream. */
export type StreamEnd =
  /**
   * The server ended the stream with a status, or the client could not open it (`unavailable`, …). `origin` says, on the
   * client's side, who made the status. `isUnread` is true when it is certain that the server read nothing of the stream.
   */
  | {
      readonly by: "status";
      readonly status: RpcStatus;
      readonly origin?: StatusOrigin | undefined;
      readonly isUnread?: boolean | undefined;
    }
  /** This side called `cancel()`. */
  | { readonly by: "cancelled" }
  /** The peer reset the stream (as Python's `stop()` does), or half-closed it and went away. */
  | { readonly by: "peer" }
  /** The connection under the stream was lost. */
  | { readonly by: "connection-lost"; readonly reason: string };

/**
 * Callbacks for one side of a stream. The link calls them in the order of arrival and never re-enters them. They must
 * not throw.
 */
export interface StreamReceiver {
  /**
   * Client only: receives the server's response headers, once, before the first frame. Not called if the server refuses
   * the call.
   */
  onMetadata?(metadata: Metadata): void;
  /** Receives one whole message. The receiver owns the bytes; they may be a view into a larger buffer. */
  onFrame(frame: Uint8Array): void;
  /** Server only: the client has half-closed and sends nothing more. The server may still send. */
  onHalfClose(): void;
  /**
   * Reports a message that the link discarded: too large, badly compressed, or badly framed. The stream stays open.
   * `head` holds the first bytes of the message if the link has them; they may name the call it belongs to. `isOverload`:
   * the message itself is good, but this side had no space for it.
   */
  onBadFrame(status: RpcStatus, head?: Uint8Array, isOverload?: boolean): void;
  /** The queue has space again after `send` returned false. */
  onDrain(): void;
  /** The stream has ended. No callback follows but `onLate`. */
  onEnd(end: StreamEnd): void;
  /**
   * Called at most once, after `onEnd`, with the number of messages that came after the end, until the peer knew of it. They are
   * not read, and `unreadFrames` does not count them.
   */
  onLate?(messages: number): void;
}

/** One side of a bidirectional stream of messages. */
export interface FrameStream {
  /**
   * Queues one message. Everything queued in one turn of the event loop leaves in one write. Returns false when the
   * queue is above its high-water mark, or when the stream has ended; in the first case the frame is queued
   * nevertheless. The caller must not change the frame afterwards. Only the head of a frame in two parts is copied.
   * Throws `RpcError` (resource-exhausted) for a frame longer than `maxSendBytes`, and queues nothing.
   */
  send(frame: FrameBytes): boolean;
  /** Largest frame that `send` accepts, in bytes: the transport's `maxSendMessageBytes`. */
  readonly maxSendBytes: number;
  /** Bytes and frames in the queue that have not been handed to the network. */
  readonly queuedBytes: number;
  readonly queuedFrames: number;
  /** Number of queued frames that the end of the stream discarded: no byte of them has left. 0 while the stream is open. */
  readonly unsentFrames: number;
  /**
   * Number of frames handed to the network without proof of arrival; at the end of the stream they may be lost. After
   * the end it includes those that were being handed over. Over
   * gRPC an answered keep-alive ping, an answered call and an orderly end are proof. The number is never too low.
   */
  readonly unconfirmedFrames: number;
  /**
   * Notes the frames sent so far. Call the returned function when an answer of the peer on this stream shows that it has read
   * them: they are not unconfirmed any more.
   */
  beforeAsking(): () => void;
  /** Number of messages that had arrived and were not read when the stream ended. Later ones: see `onLate`. */
  readonly unreadFrames: number;
  /** Number of bytes that have come from the peer and were read. It grows while a long message arrives, too. */
  readonly receivedBytes: number;
  /**
   * Stops reading from the network, so that flow control holds the peer. Frames that are already parsed may still
   * arrive.
   */
  pause(): void;
  resume(): void;
  /** On a client: half-closes after all queued frames. On a server: see `ServerStream.finish`. */
  end(): void;
  /** Ends both directions immediately; queued frames may be lost. */
  cancel(): void;
  /**
   * Resolves when every frame queued before this call has been handed to the connection, or when the stream has ended.
   */
  flushed(): Promise<void>;
}

// When the headers go out: protocol.md §1.5.
/**
 * The server's side of a stream. A service receives it after the response headers were sent, unless its receiver
 * `answersLater`.
 */
export interface ServerStream extends FrameStream {
  /**
   * Sends the response headers for a receiver that `answersLater`. Nothing may be sent before. Does nothing the second
   * time and after the end. Throws `RpcError` (invalid-argument) for metadata that HTTP/2 cannot carry.
   */
  respond(metadata?: Metadata): void;
  /** Ends the call with a status after all queued frames. */
  finish(status: RpcStatus): void;
  /**
   * Ends the call immediately, also after `finish`, and discards queued frames. A peer that has stopped reading may see
   * only a reset: over gRPC ENHANCE_YOUR_CALM (read as resource-exhausted) or CANCEL.
   */
  abort(status: RpcStatus): void;
}

/** Options of one unary call. */
export interface UnaryOptions {
  readonly metadata?: Metadata | undefined;
  /** Milliseconds until the call fails with `deadline-exceeded`. Also sent as `grpc-timeout`. Default: no limit. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Options of one stream. */
export interface StreamOptions {
  readonly metadata?: Metadata | undefined;
}

/**
 * A client's connection to one address. It connects on first use and does not reconnect. A bare method name belongs to
 * `agents.AgentRpc`; a full path (`/troupe.v1.X/Y`) names any other service. `unary` rejects and `openStream` throws
 * with `RpcError` (invalid-argument) for metadata that HTTP/2 cannot carry.
 */
export interface Link {
  /**
   * Resolves when the connection is established. Rejects with `RpcError`: unavailable if it fails, cancelled if
   * `signal` aborts.
   */
  ready(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
  /** Sends one request and resolves to its answer. Rejects with an `RpcError` that holds the status. */
  unary(method: string, request: Uint8Array, options?: UnaryOptions): Promise<Uint8Array>;
  /**
   * Opens a stream immediately, without waiting for response headers. AutoGen's servers send none before their first
   * message.
   */
  openStream(method: string, receiver: StreamReceiver, options?: StreamOptions): FrameStream;
  /** Ends all calls and closes the connection. May be called twice; never rejects. */
  close(): Promise<void>;
  /**
   * Resolves with the reason when the server takes no new calls on this connection. Either the server has said so (GOAWAY
   * over HTTP/2), or the connection is closed or lost (then after `closed`). Running calls continue. Never rejects.
   */
  readonly leaving: Promise<string>;
  /** Resolves with the reason when the connection is closed or lost; never rejects. */
  readonly closed: Promise<string>;
}

/**
 * Creates links. `address` has a form that `parseAddress` reads: `host:port`, `http://…`, `https://…` or `unix:/path`.
 */
export interface Dialer {
  dial(address: string): Link;
}

/** A server's view of one call. */
export interface CallContext {
  readonly method: string;
  readonly metadata: Metadata;
  /** Address of the peer, for logs. */
  readonly peer: string;
  /**
   * The certificate that the client has shown in the TLS handshake, if an authority of the listener has signed it. Read on first use.
   * Undefined: there is none.
   */
  readonly certificate?: X509Certificate | undefined;
  /** Length of a unary call's request, in bytes. Undefined for a stream. */
  readonly requestBytes?: number | undefined;
  /**
   * The account of the caller's connection: a service takes from it what it keeps for the caller, and releases it. Undefined: the
   * listener counts nothing.
   */
  readonly account?: MemoryAccount | undefined;
  /** Aborts when the caller cancels, its deadline passes or its connection is lost. Created on first use. */
  readonly signal: AbortSignal;
}

/** A service that a listener serves. Method names are bare (`OpenChannel`). */
export interface LinkService {
  /** Full service name, the first part of the path: `agents.AgentRpc`. */
  readonly serviceName: string;
  /** Names of the methods that `unary` and `stream` answer. Other methods get UNIMPLEMENTED. */
  readonly unaryMethods: ReadonlySet<string>;
  readonly streamMethods: ReadonlySet<string>;
  /** Answers a unary call. A thrown `RpcError` becomes the status of the call; any other error becomes `internal`. */
  unary(request: Uint8Array, call: CallContext): Promise<Uint8Array>;
  /**
   * Accepts a stream and returns its receiver. The listener calls it before it writes headers, so a thrown `RpcError`
   * refuses the call with that status. The receiver's `onOpen` gets the stream after the headers were sent, or before
   * if the receiver `answersLater`.
   */
  stream(call: CallContext): ServerStreamReceiver;
}

/** A receiver that gets its own stream first. */
export interface ServerStreamReceiver extends StreamReceiver {
  /**
   * Metadata sent with the response headers. Metadata that HTTP/2 cannot carry refuses the call (invalid-argument).
   * Default: none.
   */
  readonly responseMetadata?: Metadata | undefined;
  /**
   * True: the link sends no response headers until the receiver calls `ServerStream.respond`. A stream that ends before
   * that is answered with its status alone. Default: false.
   */
  readonly answersLater?: boolean | undefined;
  /** Receives the stream, once, before any other method, when the response headers were sent or the receiver `answersLater`. */
  onOpen(stream: ServerStream): void;
}

/** A running server. */
export interface Listening {
  /** `host:port` with the real port. */
  readonly address: string;
  counters(): ListenerCounters;
  /**
   * Stops accepting, lets running calls finish, then ends them and their connections: all within `graceMs` milliseconds
   * (default 0). A second call may shorten that time. Never rejects.
   */
  close(graceMs?: number): Promise<void>;
  readonly closed: Promise<void>;
}

/** Options of `Listener.listen`. */
export interface ListenOptions {
  /** Counts the bytes that clients make this side keep. Default: a new one with its defaults. */
  readonly accountant?: MemoryAccountant | undefined;
  /** Called for each client that says something, and whose TLS handshake fails. It must not throw. Default: nothing. */
  readonly onRefusedHandshake?: ((refused: RefusedHandshake) => void) | undefined;
  /**
   * Called when the listener has read its TLS files again, because they have changed. `error`: they can't be used, and what was served before
   * stays. It must not throw. Default: nothing.
   */
  readonly onTlsFilesRead?: ((error: unknown) => void) | undefined;
  /** Bounds of each peer address. Default: only those of the listener and the accountant. */
  readonly addresses?: AddressBounds | undefined;
}

/** Bounds of peer addresses, which a listener asks for. `party`: an IPv4 address, the network of an IPv6 address, or `local socket`. */
export interface AddressBounds {
  /** Whether an address that has `open` connections may have one more. It must not throw. */
  mayConnect(party: string, open: number): boolean;
  /** Returns the bound of what an address makes the host keep. It must not throw. */
  keptBy(party: string): SharedBound;
}

/** A client that a listener refused in its TLS handshake. */
export interface RefusedHandshake {
  /** Address of the client without its port. */
  readonly address: string;
  /** For people: `peer did not return a certificate`. */
  readonly reason: string;
}

/**
 * The exposure of an address. `local`: this machine alone reaches it. Other machines reach it in `plaintext`, by `tls`, or by `mutual-tls`. The
 * last refuses clients without a certificate of an authority of the listener.
 */
export type Exposure = "local" | "plaintext" | "tls" | "mutual-tls";

/** Opens servers. Rejects with an `RpcError` if it cannot listen on the address. */
export interface Listener {
  /** Bytes that one connection may make the host keep. Undefined: the listener has no bound of its own. */
  readonly maxHeldBytes?: number | undefined;
  /** Returns how far an address of this listener is open. Undefined: this machine alone reaches it. Throws `RpcError` for an invalid address. */
  readonly exposureOf?: ((address: string) => Exposure) | undefined;
  listen(address: string, services: readonly LinkService[], options?: ListenOptions): Promise<Listening>;
}
