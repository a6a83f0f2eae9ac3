import { constants, gunzipSync, inflateSync } from "node:zlib";
import { HEAD_BYTES } from "../../limits.ts";
import { RpcError, StatusCode } from "../../rpc-status.ts";

/** Value of `grpc-accept-encoding`. Troupe does not compress what it sends. */
export const ACCEPTED_ENCODINGS = "identity,deflate,gzip";

/** Decompresses one message to at most `maxBytes` bytes. Throws `RpcError`. */
export type Inflate = (message: Uint8Array, maxBytes: number) => Uint8Array;

/** Returns the decompressor for a `grpc-encoding`; undefined if the encoding is not supported. */
export function inflaterFor(encoding: string | undefined): Inflate | undefined {
  switch (encoding) {
    case undefined:
    case "identity":
      return refuseCompressed;
    case "gzip":
      return (message, maxBytes) => inflate("gzip", message, maxBytes);
    case "deflate":
      return (message, maxBytes) => inflate("deflate", message, maxBytes);
    default:
      return undefined;
  }
}

function refuseCompressed(): never {
  throw new RpcError(StatusCode.internal, "A message is marked as compressed, but the call names no grpc-encoding.");
}

/** First byte of everything in the format `gzip`. */
const GZIP_MARK = 0x1f;

/** Decompresses the beginning of a message as far as it goes; empty if it does not. */
export function inflateHead(message: Uint8Array): Uint8Array {
  const unpack = message[0] === GZIP_MARK ? gunzipSync : inflateSync;
  try {
    const options = { finishFlush: constants.Z_SYNC_FLUSH };
    return unpack(message.subarray(0, HEAD_BYTES), options).subarray(0, HEAD_BYTES);
  } catch {
    return nothing;
  }
}

const nothing = new Uint8Array(0);

// Synchronous decompression keeps messages in order without a queue. The limit on the result bounds the time it takes.
function inflate(encoding: "gzip" | "deflate", message: Uint8Array, maxBytes: number): Uint8Array {
  const unpack = encoding === "gzip" ? gunzipSync : inflateSync;
  try {
    return unpack(message, { maxOutputLength: Math.max(1, maxBytes) });
  } catch (error) {
    if (isTooLarge(error)) {
      throw new RpcError(
        StatusCode.resourceExhausted,
        `A ${encoding} message of ${message.byteLength} bytes inflates to more than the limit of ${maxBytes} bytes.`,
        { cause: error },
      );
    }
    throw new RpcError(StatusCode.internal, `A message marked as ${encoding} can't be decompressed.`, { cause: error });
  }
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
}
