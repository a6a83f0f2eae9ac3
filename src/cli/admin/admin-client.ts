import { Buffer } from "node:buffer";
import { type IncomingMessage, type OutgoingHttpHeaders, request } from "node:http";
import { type ErrorCode, errorText, joinSignals, loggableText, TroupeError } from "../../core/internal.ts";

/** Where an admin entry is, and what it wants to be shown. */
export interface AdminAddress {
  readonly url: string;
  readonly token: string;
}

/** Parameters of a request. A list stands for the same name several times. */
export type AdminParameters = Readonly<Record<string, string | number | readonly string[] | undefined>>;

export interface AskOptions {
  readonly body?: Uint8Array | undefined;
  /** Milliseconds until the answer; `Infinity`: any. Default: 90 s. */
  readonly timeoutMs?: number | undefined;
  /** Ends the request: it rejects with the reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface StreamOptions {
  /** The id of the last event that has come. Undefined: none. */
  readonly lastEventId?: string | undefined;
  readonly quietMs: number;
  readonly signal: AbortSignal;
}

type Method = "GET" | "POST" | "PUT" | "DELETE";

/** No host answers at the address. */
export class HostGoneError extends TroupeError {
  override readonly name = "HostGoneError";
  constructor(message: string, options?: ErrorOptions) {
    super("disconnected", message, options);
  }
}

const usualTimeoutMs = 90_000;
/** The longest answer that is read. */
const longestAnswer = 128 * 1024 * 1024;

/** Asks the admin entry of a host. */
export class AdminClient {
  readonly #address: AdminAddress;

  constructor(address: AdminAddress) {
    this.#address = address;
  }

  get url(): string {
    return this.#address.url;
  }

  /** Rejects with the host's own error, and with a `HostGoneError` where no host answers. */
  async ask<Answer>(
    method: Method,
    path: string,
    parameters: AdminParameters = {},
    options: AskOptions = {},
  ): Promise<Answer> {
    const { status, text } = await this.#exchange(method, `${path}${queryOf(parameters)}`, options);
    const content = parsed(text);
    if (status !== 200) throw errorIn(status, content);
    // A host of this version answers so; its answers are not checked again.
    return content as Answer;
  }

  /**
   * Opens a stream of server-sent events. The stream fails when nothing has come for `quietMs`. Rejects as `ask` does; the signal ends the stream, too.
   */
  async stream(
    path: string,
    parameters: AdminParameters,
    { lastEventId, quietMs, signal }: StreamOptions,
  ): Promise<AsyncIterable<Buffer>> {
    const headers = { accept: "text/event-stream", ...(lastEventId !== undefined && { "last-event-id": lastEventId }) };
    let response: IncomingMessage;
    try {
      response = await this.#request("GET", `${path}${queryOf(parameters)}`, { headers, signal });
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      throw new HostGoneError(
        `The host at ${loggableText(this.url)} does not answer: ${loggableText(errorText(cause))}.`,
        {
          cause,
        },
      );
    }
    if (response.statusCode !== 200) throw errorIn(response.statusCode ?? 0, parsed(await textOf(response)));
    response.socket.setTimeout(quietMs, () => response.destroy(new Error(`nothing has come for ${quietMs / 1_000} s`)));
    return response;
  }

  #request(
    method: Method,
    path: string,
    {
      headers,
      signal,
      body,
    }: { readonly headers: OutgoingHttpHeaders; readonly signal: AbortSignal; readonly body?: Uint8Array | undefined },
  ): Promise<IncomingMessage> {
    const { url, token } = this.#address;
    const { hostname, port } = new URL(url);
    return new Promise((resolve, reject) => {
      const host = hostname.replace(/^\[|\]$/g, "");
      const all = { authorization: `Bearer ${token}`, ...headers };
      const asked = request({ host, port, method, path, headers: all, signal, agent: false }, resolve);
      asked.once("error", reject);
      asked.end(body);
    });
  }

  async #exchange(
    method: Method,
    target: string,
    { body, timeoutMs = usualTimeoutMs, signal: given }: AskOptions,
  ): Promise<{ readonly status: number; readonly text: string }> {
    const { url } = this.#address;
    const over = Number.isFinite(timeoutMs) ? AbortSignal.timeout(timeoutMs) : undefined;
    const { signal, letGo } = joinSignals(over, given);
    try {
      const headers = body === undefined ? {} : { "content-length": body.length };
      const response = await this.#request(method, target, { headers, signal, body });
      return { status: response.statusCode ?? 0, text: await textOf(response) };
    } catch (cause) {
      if (given?.aborted) throw given.reason;
      if (cause instanceof TroupeError) throw cause;
      const why = over?.aborted ? `it has not answered in ${timeoutMs / 1_000} s` : loggableText(errorText(cause));
      throw new HostGoneError(`The host at ${loggableText(url)} does not answer: ${why}.`, { cause });
    } finally {
      letGo();
    }
  }
}

function queryOf(parameters: AdminParameters): string {
  const parts = Object.entries(parameters).flatMap(([name, value]) => {
    if (value === undefined) return [];
    const values = typeof value === "object" ? value : [String(value)];
    return values.map((one) => `${name}=${encodeURIComponent(one)}`);
  });
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    // No encoding is set, so that every chunk is a buffer.
    const read = chunk as Buffer;
    bytes += read.length;
    if (bytes > longestAnswer) throw new TroupeError("message-too-large", "The answer of the host is too long.");
    chunks.push(read);
  }
  return Buffer.concat(chunks).toString();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function errorIn(status: number, content: unknown): TroupeError {
  if (typeof content !== "object" || content === null || !("detail" in content)) {
    return new TroupeError("unexpected-answer", `The host answered with ${status}, and does not say why.`);
  }
  // The host's own codes; another text shows as it is.
  const code = ("code" in content ? content.code : "handler-failed") as ErrorCode;
  return new TroupeError(code, loggableText(String(content.detail)));
}
