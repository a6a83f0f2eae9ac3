import { type ErrorCode, loggableError, type RuntimeLog, TroupeError } from "../core/internal.ts";
import { formatProblem, HttpProblem, problemType, statusOf } from "../http/internal.ts";

/** A text for each code whose own text is for operators: it may name workers, types or what a handler knows. */
const told: { readonly [code in ErrorCode]?: string } = {
  undeliverable: "No agent can take this message now. Try again later.",
  disconnected: "The agent has lost its connection. The message may have been handled.",
  "shutting-down": "The server is ending. Try again.",
  "timed-out": "The agent did not answer in time.",
  cancelled: "It was cancelled.",
  "cant-handle": "The agent does not take this message.",
  dropped: "The server has dropped this message.",
  "invalid-message": "The agent can't read this message.",
  "invalid-argument": "The agent can't do this.",
  "message-too-large": "The message is too large.",
  overloaded: "The server has too much to do. Try again later.",
  "mailbox-full": "The agent has too many messages. Try again later.",
  "not-authorized": "The server may not do this for you.",
  "already-exists": "There is a run of this id which began with another message. Choose another id.",
  "not-found": "There is no such run. It was never started, or its time is over.",
  gone: "This part of the run is not kept any more.",
};
/** Where browsers have another status than operators: they ask too much, and they did not make the state of an agent. */
const statusInWeb: { readonly [code in ErrorCode]?: number } = {
  overloaded: 429,
  "mailbox-full": 429,
  cancelled: 499,
  "wrong-state": 502,
  "state-too-large": 502,
};
const failed = "The agent has failed. The log of the server says why.";

/** Returns the problem that a client gets for an error. It tells nothing that the client does not need. */
export function toProblem(error: unknown, log: RuntimeLog): HttpProblem {
  if (error instanceof HttpProblem) return error;
  // In one process a handler's own error comes as it was thrown.
  const { code, retryAfterMs } = TroupeError.from(error);
  const detail = told[code];
  if (detail === undefined) log.warn("a request of the web failed", { code, error: loggableError(error) });
  const headers = retryAfterMs === undefined ? {} : { "retry-after": String(Math.ceil(retryAfterMs / 1_000)) };
  return new HttpProblem(statusInWeb[code] ?? statusOf(code), code, detail ?? failed, { headers, cause: error });
}

/** Returns the answer for a problem. */
export function problemResponse(problem: HttpProblem): Response {
  const headers = { ...problem.headers, "content-type": problemType, ...(problem.closes && { connection: "close" }) };
  return new Response(formatProblem(problem), { status: problem.status, headers });
}

/** The one answer for all that clients do not reach, so that it tells no names. */
export function nothingHere(): HttpProblem {
  return new HttpProblem(404, "not-found", "There is nothing here.");
}

export function tooMany(detail: string): HttpProblem {
  return new HttpProblem(429, "overloaded", detail, { headers: { "retry-after": "1" } });
}

/** Whether an error says that a run is not there. */
export function isNotFound(error: unknown): boolean {
  return error instanceof TroupeError && error.code === "not-found";
}
