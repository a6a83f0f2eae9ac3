import { anyTime, assertNumbers, type NumberRanges, someRoom, someTime } from "../core/delivery/index.ts";
import type { GrpcDialerOptions, GrpcListenerOptions } from "../transport/index.ts";

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
