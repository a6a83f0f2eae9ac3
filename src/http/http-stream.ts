import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { Clock } from "../core/internal.ts";
import { httpLimits } from "./http-limits.ts";

/** An answer that continues until its reader leaves: server-sent events. */
export class HttpStream {
  /** Yields what is sent. It is asked for more only when the reader has taken what came before. It ends with the `signal` of the request. */
  readonly chunks: AsyncIterable<string>;

  constructor(chunks: AsyncIterable<string>) {
    this.chunks = chunks;
  }
}

/** Sends a stream. Resolves when it has ended, or its reader has gone. A reader that takes nothing for a minute is cut off. */
export async function sendStream(
  response: ServerResponse,
  { chunks }: HttpStream,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  response.flushHeaders();
  try {
    for await (const text of chunks) {
      if (response.destroyed) return;
      if (!response.write(text)) await drained(response, clock, signal);
    }
    response.end();
  } catch (error) {
    // The answer has begun, so that no status can say it.
    response.destroy();
    if (!signal.aborted) throw error;
  }
}

async function drained(response: ServerResponse, clock: Clock, signal: AbortSignal): Promise<void> {
  const timer = clock.setTimer(httpLimits.answerMs, () => response.destroy());
  try {
    await once(response, "drain", { signal });
  } finally {
    timer.cancel();
  }
}
