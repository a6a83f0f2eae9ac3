import { STATUS_CODES } from "node:http";
import { type ErrorCode, loggableUpTo } from "../core/internal.ts";
import { httpLimits } from "./http-limits.ts";

export interface HttpProblemOptions extends ErrorOptions {
  /** Ends the connection with the answer: the rest of the request is not read. */
  readonly closes?: boolean | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** An answer that is an error. A handler throws it; its text is for the client. */
export class HttpProblem extends Error {
  override readonly name = "HttpProblem";
  readonly status: number;
  readonly code: ErrorCode;
  readonly closes: boolean;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: ErrorCode, detail: string, options: HttpProblemOptions = {}) {
    super(detail, options);
    this.status = status;
    this.code = code;
    this.closes = options.closes ?? false;
    this.headers = options.headers ?? {};
  }
}

/** The content type of an error (RFC 9457). */
export const problemType = "application/problem+json";

/** Formats an error as RFC 9457 says, with the error code beside. */
export function formatProblem({ status, code, message }: HttpProblem): string {
  const detail = loggableUpTo(httpLimits.detailChars, message);
  return JSON.stringify({ type: "about:blank", title: STATUS_CODES[status] ?? "Error", status, detail, code });
}

/** Returns the status of an answer that is an error of this code. */
export function statusOf(code: ErrorCode): number {
  switch (code) {
    case "invalid-argument":
    case "invalid-message":
      return 400;
    case "not-authorized":
      return 403;
    case "not-found":
      return 404;
    case "already-exists":
    case "state-conflict":
    case "wrong-state":
      return 409;
    case "gone":
      return 410;
    case "message-too-large":
    case "state-too-large":
      return 413;
    case "overloaded":
    case "mailbox-full":
    case "shutting-down":
    case "state-unavailable":
    case "cancelled":
      return 503;
    case "timed-out":
      return 504;
    default:
      return 502;
  }
}
