import type { FrameBytes } from "../protocol/internal.ts";
import type { ListenerCounters } from "./listener-counters.ts";
import type { RpcStatus, StatusOrigin } from "./rpc-status.ts";

/**
 * What travels beside a call: ASCII keys in lower case, values as text. Keys ending in `-bin` carry base64 text.
 * A repeated key keeps its last value, as both reference implementations read it (protocol.md §2.1).
 */
export type Metadata = Readonly<Record<string, string>>;

/** How a stream came to its end, seen from the side that holds it. Exactly one end is reported per stream. */
export type StreamEnd =
  /** The server ended it with a status, or the client learnt why it never got one (`unavailable`, …). `origin`: who made the status; clients only. */
  | { readonly by: "status"; readonly status: RpcStatus; readonly origin?: StatusOrigin }
  /** This side called `cancel()`. */
  | { readonly by: "cancelled" }
  /** The peer reset the stream (as Python's `stop()` does) or half-closed and went away. */
  | { readonly by: "peer" }
  /** The connection underneath is gone. */
  | { readonly by: "connection-lost"; readonly reason: string };

/** What a party does with the frames that reach it. Called in the order of arrival, never re-entered, must not throw. */
export interface StreamReceiver {
  /** Clients only: the server's response headers. Once, before the first frame; not at all if the call was refused. */
  onMetadata?(metadata: Metadata): void;
  /** One whole message. The bytes belong to the receiver and are never reused; they may be a view into a larger buffer. */
  onFrame(frame: Uint8Array): void;
  /** Servers only: the client will send nothing more (half-close); this side may still send. A client's stream ends instead. */
  onHalfClose(): void;
  /**
   * A message that was thrown away (too large, broken compression, bad framing that could be skipped); the stream lives.
   * `head`: its first bytes where they were at hand, so that whoever waits for it can be told.
   */
  onBadFrame(status: RpcStatus, head?: Uint8Array): void;
  /** Room again after `send` said false. */
  onDrain(): void;
  /** The last call of all. */
  onEnd(end: StreamEnd): void;
}

/** One side's hold on a bidirectional stream of messages. */
export interface FrameStream {
  /**
   * Queues one message; everything queued in one turn of the event loop leaves in one write. False: the queue has grown
   * beyond the high-water mark (bytes not yet accepted by the connection), wait for `onDrain` or act on it; the frame is
   * queued all the same. After the end it does nothing and returns false. The frame must not be changed afterwards, but for
   * the head of one in two parts, which is copied.
   * Throws `RpcError` (resource-exhausted) for a frame longer than `maxSendBytes`; nothing is queued then.
   */
  send(frame: FrameBytes): boolean;
  /** The longest frame `send` takes, in bytes: the transport's `maxSendMessageBytes` (default 4 GiB - 1, so it never throws). */
  readonly maxSendBytes: number;
  /** Bytes queued here and not yet handed to the network, and how many frames they are. */
  readonly queuedBytes: number;
  readonly queuedFrames: number;
  /** After the end: how many of the last frames sent had not been handed to the network, and are lost. 0 before. */
  readonly unsentFrames: number;
  /**
   * Frames handed to the network of which nothing has shown that they have reached the peer; after the end those of them may
   * be lost. Over gRPC answers show it, to keep-alive pings and to calls, and so does an end in order. Never too few.
   */
  readonly unconfirmedFrames: number;
  /** After the end: whole messages that had come and were not read, because the receiver had paused or awaited its turn. */
  readonly unreadFrames: number;
  /** Stop taking messages from the network (flow control then holds the peer); frames already parsed may still arrive. */
  pause(): void;
  resume(): void;
  /** Client: half-close after all queued frames. Server: see `ServerStream.finish`. */
  end(): void;
  /** Ends both directions at once; queued frames may be lost. */
  cancel(): void;
  /** Resolves once every frame queued before this call has been handed to the connection, or the stream has ended. */
  flushed(): Promise<void>;
}

/** The server's side of a stream. Response headers have already been sent when it is handed out (protocol.md §1.5). */
export interface ServerStream extends FrameStream {
  /** Ends the call with a status after all queued frames. */
  finish(status: RpcStatus): void;
  /**
   * Ends the call at once, also after `finish`; queued frames are dropped. A peer that has stopped reading may learn of no
   * status, only that the call was reset: over gRPC with ENHANCE_YOUR_CALM (which reads as resource-exhausted) or CANCEL.
   */
  abort(status: RpcStatus): void;
}

export interface UnaryOptions {
  readonly metadata?: Metadata;
  /** Milliseconds; sent as `grpc-timeout` and enforced locally (`deadline-exceeded`). Default: none. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface StreamOptions {
  readonly metadata?: Metadata;
}

/**
 * A client's connection to one host. Connecting happens on first use; a lost connection is not re-made here.
 * A bare method name is one of `agents.AgentRpc`; a full path (`/troupe.v1.X/Y`) names any other service.
 * `unary` rejects and `openStream` throws with `RpcError` (invalid-argument) for metadata that can't travel.
 */
export interface Link {
  /** Resolves when the connection stands; rejects with `RpcError` (unavailable) when it can't be made. */
  ready(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** One request, one answer. Rejects with `RpcError` carrying the status. */
  unary(method: string, request: Uint8Array, options?: UnaryOptions): Promise<Uint8Array>;
  /** Opens at once without waiting for response headers (reference servers send none before their first message). */
  openStream(method: string, receiver: StreamReceiver, options?: StreamOptions): FrameStream;
  /** Ends all calls and frees the connection. Twice is fine; never rejects. */
  close(): Promise<void>;
  /**
   * Resolves, with the reason, when the server takes no new calls on this connection: it has said so (GOAWAY over HTTP/2), or the
   * connection is gone (then after `closed`). Calls that run go on. Never rejects.
   */
  readonly leaving: Promise<string>;
  /** Resolves when the connection is gone, with the reason; never rejects. */
  readonly closed: Promise<string>;
}

/** Makes links. `address` is `host:port`, with an optional `http://` or `https://` before it. */
export interface Dialer {
  dial(address: string): Link;
}

/** What a server knows of one call. */
export interface CallContext {
  readonly method: string;
  readonly metadata: Metadata;
  /** Address of the peer, for logs. */
  readonly peer: string;
  /** Aborts when the caller cancels, its deadline passes or its connection breaks. Made on first use. */
  readonly signal: AbortSignal;
}

/** What a listener serves. Method names are bare (`OpenChannel`), the service is `agents.AgentRpc` unless it says otherwise. */
export interface LinkService {
  /** Full service name, the first part of the path: `agents.AgentRpc`. */
  readonly serviceName: string;
  /** Names of the methods answered by `unary` and `stream`; all others get UNIMPLEMENTED. */
  readonly unaryMethods: ReadonlySet<string>;
  readonly streamMethods: ReadonlySet<string>;
  /** Throw or reject with `RpcError` to answer a status; anything else becomes `internal`. */
  unary(request: Uint8Array, call: CallContext): Promise<Uint8Array>;
  /**
   * Called before any header is written, so that a throw of `RpcError` refuses the call with that status (trailers only).
   * Returns the receiver; its `onOpen` is handed the stream right after the headers went out.
   */
  stream(call: CallContext): ServerStreamReceiver;
}

/** A receiver that is given its own stream first. */
export interface ServerStreamReceiver extends StreamReceiver {
  /** Goes out with the response headers. Metadata that can't travel refuses the call (invalid-argument). Default: none. */
  readonly responseMetadata?: Metadata;
  /** Called once, before any other method, when the response headers are out. */
  onOpen(stream: ServerStream): void;
}

/** A server that accepts links. */
export interface Listening {
  /** `host:port` with the real port. */
  readonly address: string;
  counters(): ListenerCounters;
  /** Accepts nothing new, lets calls that run finish for `graceMs` (default 0), then cuts them. Twice is fine; never rejects. */
  close(graceMs?: number): Promise<void>;
  readonly closed: Promise<void>;
}

/** Opens servers. Rejects with `RpcError` whose text says what to do. */
export interface Listener {
  listen(address: string, services: readonly LinkService[]): Promise<Listening>;
}
