import { longestTimerMs, number, type OptionKinds, someRoom } from "../core/internal.ts";

/** Largest length that the four length bytes of gRPC framing can hold. */
const MAX_MESSAGE_BYTES = 0xffff_ffff;

const MIB = 1024 * 1024;

// For a request id as long as hosts keep: host/limits.ts, requestIdBytes.
/** First bytes of a discarded message that its receiver gets. They hold a request id of 1 024 bytes, so that the call gets its outcome. */
export const HEAD_BYTES = 1_100;

/** Limits on messages and send queues, for dialers and listeners. */
export interface MessageLimitOptions {
  /**
   * Largest message that this side accepts, in bytes, before and after decompression. It skips and reports larger ones.
   * Default: 64 MiB.
   */
  readonly maxReceiveMessageBytes?: number | undefined;
  /**
   * Largest message that this side sends, in bytes. Default: 4 GiB - 1, the limit of gRPC framing. AutoGen's peers
   * accept 4 MiB unless configured otherwise.
   */
  readonly maxSendMessageBytes?: number | undefined;
  /** High-water mark of a stream's send queue, in bytes: `send` returns false above it. Default: 1 MiB. */
  readonly highWaterBytes?: number | undefined;
}

/** Limits on connections, for dialers and listeners. */
export interface ConnectionLimitOptions extends MessageLimitOptions {
  /** HTTP/2 flow-control window of each stream and of the connection, in bytes. Default: 4 MiB. */
  readonly windowBytes?: number | undefined;
  /** Memory that one connection may hold before it refuses new streams, in MB. Default: 4096. */
  readonly maxSessionMemoryMb?: number | undefined;
}

/** Limits of HTTP/2's settings and of Node. */
const someWindow = { from: 1, to: 2 ** 31 - 1 };
const someMemoryMb = { from: 1, to: 2 ** 32 - 1 };

export const messageLimitKinds: OptionKinds<MessageLimitOptions> = {
  maxReceiveMessageBytes: number(someRoom),
  maxSendMessageBytes: number(someRoom),
  highWaterBytes: number(someRoom),
};

export const connectionLimitKinds: OptionKinds<ConnectionLimitOptions> = {
  ...messageLimitKinds,
  windowBytes: number(someWindow),
  maxSessionMemoryMb: number(someMemoryMb),
};

/** Delays in milliseconds. A timer of Node with a longer delay fires after 1 ms. */
export const anyDelay = number({ from: 0, to: longestTimerMs });
export const someDelay = number({ from: 1, to: longestTimerMs });

export interface MessageLimits {
  readonly maxReceiveMessageBytes: number;
  readonly maxSendMessageBytes: number;
  readonly highWaterBytes: number;
}

export interface ConnectionLimits extends MessageLimits {
  readonly windowBytes: number;
  readonly maxSessionMemoryMb: number;
}

export function toMessageLimits(options: MessageLimitOptions): MessageLimits {
  return {
    maxReceiveMessageBytes: Math.min(options.maxReceiveMessageBytes ?? 64 * MIB, MAX_MESSAGE_BYTES),
    maxSendMessageBytes: Math.min(options.maxSendMessageBytes ?? MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES),
    highWaterBytes: options.highWaterBytes ?? MIB,
  };
}

export function toConnectionLimits(options: ConnectionLimitOptions): ConnectionLimits {
  return {
    ...toMessageLimits(options),
    windowBytes: options.windowBytes ?? 4 * MIB,
    maxSessionMemoryMb: options.maxSessionMemoryMb ?? 4096,
  };
}
