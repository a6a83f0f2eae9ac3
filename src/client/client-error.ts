import type { ClientErrorCode } from "./client-types.ts";

/** A request that has failed. */
export class ClientError extends Error {
  override readonly name = "ClientError";
  readonly code: ClientErrorCode;
  /** The status of HTTP. 0: there was no answer. */
  readonly status: number;

  constructor(code: ClientErrorCode, message: string, status: number) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** Makes an error of a problem that the gateway has sent (RFC 9457). Without a problem the error names the status of HTTP. */
export function errorOf(problem: unknown, status = 0): ClientError {
  const {
    code,
    detail,
    status: told,
  } = (problem ?? {}) as { code?: ClientErrorCode; detail?: string; status?: number };
  return new ClientError(code ?? "disconnected", detail ?? `The gateway has answered ${status}.`, told ?? status);
}

/** Whether another attempt may succeed: there was no answer, or the server can't give one now. */
export function isLoss({ status, code }: ClientError): boolean {
  return status === 0 || status === 429 || status === 503 || (status >= 500 && code === "disconnected");
}
