import { RpcError, StatusCode } from "../../rpc-status.ts";

/** What every field counts beside its name and value (RFC 9113 §6.5.2). */
export const HEADER_COST_BYTES = 32;

/** Throws `RpcError` (resource-exhausted) for headers that are longer together than allowed. */
export function refuseLongHeaders(rawHeaders: readonly string[], maxBytes: number): void {
  let bytes = (rawHeaders.length / 2) * HEADER_COST_BYTES;
  for (const text of rawHeaders) bytes += text.length;
  if (bytes <= maxBytes) return;
  throw new RpcError(
    StatusCode.resourceExhausted,
    `The call's headers have ${bytes} bytes; this host takes ${maxBytes} (maxHeaderBytes).`,
  );
}
