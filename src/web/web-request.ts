import { type AgentRuntime, type Clock, joinSignals, type RuntimeLog, untilAborted } from "../core/internal.ts";
import { HttpProblem } from "../http/internal.ts";
import type { Principal } from "../security/internal.ts";
import type { HeldBody } from "./body-bytes.ts";
import { type Exposed, invalid } from "./exposed.ts";
import type { GatewayAction, GatewayOptions, SetLimits } from "./gateway-options.ts";
import type { Places } from "./places.ts";

/** Parts that all routes of a gateway share. */
export interface GatewayParts {
  readonly runtime: AgentRuntime;
  readonly exposed: Exposed;
  readonly places: Places;
  readonly limits: SetLimits;
  readonly clock: Clock;
  readonly log: RuntimeLog;
  readonly may: GatewayOptions["may"];
  /** Aborted when the gateway closes. */
  readonly ending: AbortSignal;
}

/** A request whose sender is known. */
export interface WebRequest {
  readonly request: Request;
  readonly url: URL;
  readonly principal: Principal | undefined;
  /** Names the principal among those that have places and runs. */
  readonly owner: string;
  readonly held: HeldBody;
  /** Aborted when the client has gone, and when the gateway closes. After the answer it follows neither any more. */
  readonly signal: AbortSignal;
}

/** Throws the problem that refuses a principal. */
export async function assertMay(
  { may }: GatewayParts,
  { principal }: WebRequest,
  ask: { readonly action: GatewayAction; readonly target: string; readonly messageType?: string },
): Promise<void> {
  if (may === undefined) return;
  const { action, target, messageType } = ask;
  // Any other value than true refuses.
  if ((await may({ principal, action, target, messageType })) !== true) {
    throw new HttpProblem(403, "not-authorized", "You may not do this.");
  }
}

/** Milliseconds in which a body must have come. */
const bodyMs = 60_000;

/** Reads a body within its bounds of bytes and time. */
export async function readBytes({ limits, clock }: GatewayParts, asked: WebRequest): Promise<Uint8Array> {
  const { request, signal, held } = asked;
  const { maxBodyBytes: maxBytes } = limits;
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw tooLong(maxBytes);
  if (request.body === null) return new Uint8Array();
  const reader = request.body.getReader();
  const late = new AbortController();
  const timer = clock.setTimer(bodyMs, () => late.abort(tooSlow()));
  const either = joinSignals(signal, late.signal);
  const whole = new Collected(maxBytes, held);
  try {
    for (;;) {
      const { done, value } = await untilAborted(reader.read(), either, "the body");
      if (done) return whole.bytes();
      whole.add(value);
    }
  } catch (error) {
    // The reader of a request whose connection is lost rejects, too.
    void reader.cancel().catch(() => undefined);
    if (error instanceof HttpProblem) throw error;
    signal.throwIfAborted();
    late.signal.throwIfAborted();
    throw new HttpProblem(400, "invalid-message", "The request ended before its body.", { cause: error, closes: true });
  } finally {
    timer.cancel();
    either.letGo();
  }
}

/** Bytes that the first piece of a body gets at least. */
const leastRoom = 4_096;

/** Bytes of a body in one piece: kept as they came, each of many small pieces would cost more than its bytes. */
class Collected {
  readonly #maxBytes: number;
  readonly #held: HeldBody;
  #kept = new Uint8Array(0);
  #size = 0;

  constructor(maxBytes: number, held: HeldBody) {
    this.#maxBytes = maxBytes;
    this.#held = held;
  }

  add(piece: Uint8Array): void {
    const size = this.#size + piece.length;
    if (size > this.#maxBytes) throw tooLong(this.#maxBytes);
    if (size > this.#kept.length) {
      const room = Math.max(size, Math.min(Math.max(leastRoom, 2 * this.#kept.length), this.#maxBytes));
      this.#held.take(room - this.#kept.length);
      const larger = new Uint8Array(room);
      larger.set(this.bytes());
      this.#kept = larger;
    }
    this.#kept.set(piece, this.#size);
    this.#size = size;
  }

  bytes(): Uint8Array {
    return this.#kept.subarray(0, this.#size);
  }
}

/** Fields of a body. */
export type BodyFields = Readonly<Record<string, unknown>>;

/** Reads a body that is a JSON object. Another content type is refused, because a page of any site can send it. */
export async function readJson(parts: GatewayParts, asked: WebRequest): Promise<BodyFields> {
  const type = asked.request.headers.get("content-type") ?? "";
  if (!/^application\/json *(?:;|$)/i.test(type)) {
    const headers = { accept: "application/json" };
    throw new HttpProblem(415, "invalid-message", "Send JSON: `content-type: application/json`.", { headers });
  }
  const bytes = await readBytes(parts, asked);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new HttpProblem(400, "invalid-message", "The body is not JSON.", { cause });
  }
  if (!isFields(value)) throw invalid("The body must be a JSON object.");
  return value;
}

export function isFields(value: unknown): value is BodyFields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function tooLong(maxBytes: number): HttpProblem {
  const detail = `The body of a request may have ${maxBytes} bytes.`;
  return new HttpProblem(413, "message-too-large", detail, { closes: true });
}

function tooSlow(): HttpProblem {
  const detail = `The body of a request must come within ${bodyMs / 1_000} s.`;
  return new HttpProblem(408, "timed-out", detail, { closes: true });
}

/** Answers with JSON. */
export function jsonResponse(json: string, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(json, { status, headers: { "content-type": "application/json", ...headers } });
}
