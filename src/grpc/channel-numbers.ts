import { assertNumbers, type NumberRanges, someRoom } from "../core/internal.ts";
import type { GrpcDialerOptions, GrpcListenerOptions } from "../transport/internal.ts";

/** The transport uses Node's timers, which fire after 1 ms for a longer delay. */
const longestMs = 2 ** 31 - 1;
const anyTime = { from: 0, to: longestMs };
const someTime = { from: 1, to: longestMs };

/** Limits of HTTP/2's settings and of Node. */
const someWindow = { from: 1, to: 2 ** 31 - 1 };
const someStreams = { from: 1, to: 2 ** 32 - 1 };
const someHeaders = { from: 1, to: 2 ** 31 - 1 };
const someMemoryMb = { from: 1, to: 2 ** 32 - 1 };

const limits = {
  maxReceiveMessageBytes: someRoom,
  maxSendMessageBytes: someRoom,
  highWaterBytes: someRoom,
  windowBytes: someWindow,
  maxSessionMemoryMb: someMemoryMb,
  pingIntervalMs: anyTime,
  pingTimeoutMs: someTime,
};

const dialerRanges: NumberRanges<GrpcDialerOptions> = {
  ...limits,
  connectTimeoutMs: someTime,
  peerMaxConcurrentStreams: someStreams,
};

const listenerRanges: NumberRanges<GrpcListenerOptions> = {
  ...limits,
  maxConcurrentStreams: someStreams,
  maxConnections: someRoom,
  maxHeaderBytes: someHeaders,
  handshakeTimeoutMs: someTime,
  idleTimeoutMs: someTime,
  requestTimeoutMs: someTime,
  messageTimeoutMs: someTime,
  maxResetsPerMinute: someRoom,
  maxHeldBytes: someRoom,
};

/** Throws `invalid-argument` for invalid numbers. */
export function assertDialerNumbers(channelOptions: GrpcDialerOptions = {}): void {
  assertNumbers(channelOptions, dialerRanges);
}

/** Throws `invalid-argument` for invalid numbers. */
export function assertListenerNumbers(channelOptions: GrpcListenerOptions = {}): void {
  assertNumbers(channelOptions, listenerRanges);
}
