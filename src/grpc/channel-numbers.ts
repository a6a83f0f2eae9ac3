import { assertNumbers, type NumberRanges, someRoom } from "../core/delivery/index.ts";
import type { GrpcDialerOptions, GrpcListenerOptions } from "../transport/index.ts";

/** The transport hands its times to Node's timers, which take a longer one for 1 ms. */
const longestMs = 2 ** 31 - 1;
const anyTime = { from: 0, to: longestMs };
const someTime = { from: 1, to: longestMs };

const limits = {
  maxReceiveMessageBytes: someRoom,
  maxSendMessageBytes: someRoom,
  highWaterBytes: someRoom,
  windowBytes: someRoom,
  maxSessionMemoryMb: someRoom,
  keepAliveMs: anyTime,
  keepAliveTimeoutMs: someTime,
};

const dialerRanges: NumberRanges<GrpcDialerOptions> = {
  ...limits,
  connectTimeoutMs: someTime,
  peerMaxConcurrentStreams: someRoom,
};

const listenerRanges: NumberRanges<GrpcListenerOptions> = {
  ...limits,
  maxConcurrentStreams: someRoom,
  maxConnections: someRoom,
  maxHeaderBytes: someRoom,
  handshakeTimeoutMs: someTime,
  idleTimeoutMs: someTime,
  requestTimeoutMs: someTime,
  maxResetsPerMinute: someRoom,
  maxHeldBytes: someRoom,
};

/** Throws `invalid-argument` for numbers that can't be meant. */
export function assertDialerNumbers(channelOptions: GrpcDialerOptions = {}): void {
  assertNumbers(channelOptions, dialerRanges);
}

/** Throws `invalid-argument` for numbers that can't be meant. */
export function assertListenerNumbers(channelOptions: GrpcListenerOptions = {}): void {
  assertNumbers(channelOptions, listenerRanges);
}
