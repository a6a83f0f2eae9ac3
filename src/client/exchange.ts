import { ClientError, errorOf, isLoss } from "./client-error.ts";
import type { ClientOptions } from "./client-types.ts";

const firstPauseMs = 250;
const longestPauseMs = 5_000;

export interface Asking {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** An event of an answer. */
export interface ServerEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: unknown;
}

/** Sends one request. Rejects with a `ClientError`, or with the reason of the signal. */
export async function ask({ url, headers, fetch: send = fetch }: ClientOptions, asking: Asking): Promise<Response> {
  const { method, path, body, signal } = asking;
  const given = typeof headers === "function" ? await headers() : headers;
  let response: Response;
  try {
    response = await send(url + path, {
      method,
      headers: { ...given, ...(body && { "content-type": "application/json" }), ...asking.headers },
      ...(body && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
  } catch (error) {
    throw lossOf(error, signal);
  }
  if (response.ok) return response;
  throw errorOf(await response.json().catch(() => undefined), response.status);
}

/** Reads the events of an answer. It throws a loss when the connection ends. */
export async function* eventsOf(
  response: Response,
  signal?: AbortSignal,
): AsyncGenerator<ServerEvent, void, undefined> {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const read = await reader?.read().catch((error: unknown) => {
        throw lossOf(error, signal);
      });
      if (!read?.value) return;
      text += decoder.decode(read.value, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
        const data = field("data");
        if (data !== undefined) yield { event: field("event") ?? "", id: field("id"), data: JSON.parse(data) };
      }
    }
  } finally {
    // The reader has left, or the answer has ended.
    void reader?.cancel().catch(() => {});
  }
}

/** Does something again after losses, with longer and longer pauses. */
export class Attempts {
  readonly #retryMs: number;
  readonly #signal: AbortSignal | undefined;
  #lostAt: number | undefined;
  #pauseMs = firstPauseMs;

  constructor(retryMs: number, signal: AbortSignal | undefined) {
    this.#retryMs = retryMs;
    this.#signal = signal;
  }

  succeeded(): void {
    this.#lostAt = undefined;
    this.#pauseMs = firstPauseMs;
  }

  /** Waits before the next attempt. Throws the error if there is to be none. */
  async failed(error: unknown): Promise<void> {
    const signal = this.#signal;
    this.#lostAt ??= Date.now();
    if (!(error instanceof ClientError) || !isLoss(error) || Date.now() - this.#lostAt >= this.#retryMs) throw error;
    // Many clients that a server has lost do not come back at once.
    const pauseMs = this.#pauseMs * (0.5 + Math.random());
    this.#pauseMs = Math.min(2 * this.#pauseMs, longestPauseMs);
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        // The signal may live as long as the page.
        signal?.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, pauseMs);
      signal?.addEventListener("abort", end);
    });
    signal?.throwIfAborted();
  }
}

export function lossOf(error: unknown, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  return new ClientError("disconnected", `The gateway can't be reached: ${String(error)}`, 0);
}
