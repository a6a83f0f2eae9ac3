import { RpcError, type RpcStatus, StatusCode } from "../rpc-status.ts";

/** What is said of a received message above the limit. */
export function oversizeStatus(messageBytes: number, limitBytes: number): RpcStatus {
  const details = `A message of ${messageBytes} bytes is over the receiving limit of ${limitBytes} bytes; send less or raise maxReceiveMessageBytes.`;
  return { code: StatusCode.resourceExhausted, details };
}

/** Throws `RpcError` (resource-exhausted) when a message that is about to be sent is above the limit. */
export function refuseOversize(message: { readonly byteLength: number }, limitBytes: number): void {
  if (message.byteLength <= limitBytes) return;
  throw new RpcError(
    StatusCode.resourceExhausted,
    `A message of ${message.byteLength} bytes is over the sending limit of ${limitBytes} bytes; send less or raise maxSendMessageBytes.`,
  );
}
