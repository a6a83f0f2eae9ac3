/** An answer of the host that is an error. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, detail: string) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

export type Parameters = Readonly<Record<string, string | number | readonly string[] | undefined>>;

export interface Asking {
  readonly parameters?: Parameters | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Asks a host with the token of the operator, or with the certificate of the browser. The token is in the memory of this tab alone. */
export class Api {
  readonly #token: string | undefined;
  /** Called when the host does not take the token any more, as after its restart. */
  readonly #onRefused: () => void;

  /** Without a token the browser shows its certificate by itself. */
  constructor(token: string | undefined, onRefused: () => void) {
    this.#token = token;
    this.#onRefused = onRefused;
  }

  /** Resolves to the JSON of the answer. Rejects with a `Problem`. */
  async ask<Answer>(method: "GET" | "POST" | "PUT" | "DELETE", path: string, asking: Asking = {}): Promise<Answer> {
    const response = await this.open(method, path, asking);
    // The types of answers are those of the host that serves this page, and its tests hold them to its description.
    return (await response.json()) as Answer;
  }

  get<Answer>(path: string, parameters?: Parameters, signal?: AbortSignal): Promise<Answer> {
    return this.ask("GET", path, { parameters, signal });
  }

  /** Resolves to the answer, unless it is an error. Rejects with a `Problem`. */
  async open(method: string, path: string, { parameters = {}, headers, body, signal }: Asking = {}): Promise<Response> {
    const shown = this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
    const response = await send(urlOf(path, parameters), {
      ...{ method, headers: { ...headers, ...shown }, cache: "no-store" },
      ...(body !== undefined && { body }),
      ...(signal !== undefined && { signal }),
    });
    if (response.ok) return response;
    if (response.status === 401) this.#onRefused();
    throw await problemOf(response);
  }
}

function urlOf(path: string, parameters: Parameters): URL {
  // Below the place of the page, which a proxy may have moved.
  const url = new URL(path.slice(1), document.baseURI);
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined) continue;
    for (const one of typeof value === "object" ? value : [value]) url.searchParams.append(name, String(one));
  }
  return url;
}

async function send(url: URL, request: RequestInit): Promise<Response> {
  try {
    return await fetch(url, request);
  } catch (error) {
    if (request.signal?.aborted === true) throw error;
    throw new Problem(0, "disconnected", "The host does not answer. It may have stopped; this page asks again.");
  }
}

async function problemOf(response: Response): Promise<Problem> {
  try {
    const { code, detail }: { code?: string; detail?: string } = await response.json();
    return new Problem(response.status, code ?? "", detail ?? response.statusText);
  } catch {
    return new Problem(response.status, "", `The host has answered with the status ${response.status}.`);
  }
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
