import { joinSignals } from "../core/internal.ts";
import { formatProblem } from "../http/internal.ts";
import { eventBody, eventHeaders, formatEvent } from "./event-body.ts";
import { toProblem } from "./web-problem.ts";
import type { GatewayParts, WebRequest } from "./web-request.ts";

/** Yields events until the signal aborts. */
export type WebEvents = (signal: AbortSignal) => AsyncGenerator<string, void, undefined>;

/**
 * Answers with events that continue until their reader leaves. It takes one of the places for streams. What the events throw after the answer has begun
 * must be an event itself.
 */
export function streamResponse(
  { places, clock, ending }: GatewayParts,
  { owner, request, held }: WebRequest,
  events: WebEvents,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const release = places.take("streams", owner);
  const free = held.stream();
  const left = new AbortController();
  const { signal } = joinSignals(request.signal, ending, left.signal);
  const onEnd = (): void => {
    // The joined signal lets go with it.
    left.abort();
    free();
    release();
  };
  const body = eventBody(events(signal), { clock, onEnd });
  return new Response(body, { headers: { ...eventHeaders, ...headers } });
}

/** Formats the error that ends a stream. */
export function errorEvent(error: unknown, { log }: GatewayParts): string {
  return formatEvent(formatProblem(toProblem(error, log)), { event: "error", id: "end" });
}

/** Formats a chunk or an answer. */
export function messageEvent(
  event: string,
  { type, json }: { readonly type: string; readonly json: string },
  id?: string,
): string {
  return formatEvent(`{"type":${JSON.stringify(type)},"message":${json}}`, { event, ...(id !== undefined && { id }) });
}
