import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { HttpProblem } from "./http-problem.ts";
import type { RequestAccount } from "./http-route.ts";

/** Bytes that a short chunk counts as: a client may send each byte for itself. */
const chunkBytes = 256;

/** Whether a request comes with a body. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/**
 * Reads the body of a request, within `maxBytes` and what the account takes for it. Rejects with a problem when it is longer, and with
 * the reason of `signal`.
 */
export async function readBody(
  request: IncomingMessage,
  {
    maxBytes,
    account,
    signal,
  }: { readonly maxBytes: number; readonly account: RequestAccount; readonly signal: AbortSignal },
): Promise<Buffer> {
  const declared = Number(request.headers["content-length"] ?? 0);
  if (declared > maxBytes) throw tooLong(maxBytes);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request) {
      signal.throwIfAborted();
      // The server sets no encoding, so that every chunk is a buffer.
      const read = chunk as Buffer;
      bytes += read.length;
      if (bytes > maxBytes) throw tooLong(maxBytes);
      const kept = Math.max(read.length, chunkBytes);
      if (!account.take(kept)) throw noSpace(account.whyNot(kept));
      chunks.push(read);
    }
  } catch (error) {
    if (error instanceof HttpProblem) throw error;
    signal.throwIfAborted();
    throw new HttpProblem(400, "invalid-message", "The request ended before its body.", { cause: error, closes: true });
  }
  // Joining makes a second copy for a moment.
  if (!account.take(bytes)) throw noSpace(account.whyNot(bytes));
  return Buffer.concat(chunks, bytes);
}

function tooLong(maxBytes: number): HttpProblem {
  return new HttpProblem(413, "message-too-large", `The body of this request may have ${maxBytes} bytes.`, {
    closes: true,
  });
}

export function noSpace(why: string): HttpProblem {
  return new HttpProblem(503, "overloaded", why, { closes: true });
}
