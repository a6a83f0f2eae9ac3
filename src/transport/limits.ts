/** The longest message the four length bytes of gRPC framing can announce. */
const MAX_MESSAGE_BYTES = 0xffff_ffff;

const MIB = 1024 * 1024;

/** Limits of messages and queues; both ends take them. */
export interface MessageLimitOptions {
  /** Longest message taken, as sent and as inflated. A longer one is skipped and reported. Default: 64 MiB. */
  readonly maxReceiveMessageBytes?: number;
  /** Longest message sent; the reference peers take 4 MiB unless told otherwise. Default: 4 GiB - 1, what the framing allows. */
  readonly maxSendMessageBytes?: number;
  /** `send` answers false while more bytes than this wait for the connection. Default: 1 MiB. */
  readonly highWaterBytes?: number;
}

/** Limits of a connection; both ends take them. */
export interface ConnectionLimitOptions extends MessageLimitOptions {
  /** HTTP/2 flow-control window of each stream and of the connection, in bytes. Default: 4 MiB. */
  readonly windowBytes?: number;
  /** Memory one connection may hold before it refuses new streams, in MB. Default: 4096. */
  readonly maxSessionMemoryMb?: number;
}

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
