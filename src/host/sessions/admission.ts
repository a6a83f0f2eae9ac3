import { errorText } from "../../core/internal.ts";
import { clientIdKey } from "../../protocol/internal.ts";
import { type CallContext, RpcError, StatusCode } from "../../transport/internal.ts";
import { shuttingDownText } from "../host-errors.ts";
import { limits } from "../limits.ts";
import type { ResolvedHostOptions } from "../options.ts";

/** The client id that a call carries; an empty one counts as none. Throws `RpcError` for one that is too long to keep. */
export function clientIdOf(call: CallContext): string | undefined {
  const clientId = call.metadata[clientIdKey] ?? "";
  if (clientId.length <= limits.nameChars) return clientId || undefined;
  throw new RpcError(StatusCode.invalidArgument, `The client-id is longer than ${limits.nameChars} characters.`);
}

/** The client id that a call must carry (protocol.md §2.2). */
export function requireClientId(call: CallContext): string {
  const clientId = clientIdOf(call);
  if (clientId === undefined) throw new RpcError(StatusCode.invalidArgument, "client-id metadata not found.");
  return clientId;
}

/** Lets calls in, one by one: not while the host is ending, and not against the `authorize` option (protocol.md H21, H23). */
export class Admission {
  readonly #options: ResolvedHostOptions;
  #isDraining = false;

  constructor(options: ResolvedHostOptions) {
    this.#options = options;
  }

  /** Throws the `RpcError` that refuses the call. */
  check(call: CallContext): void {
    if (this.#isDraining) throw new RpcError(StatusCode.unavailable, shuttingDownText);
    const refusal = this.#ask(call);
    if (refusal !== undefined) throw refusal;
  }

  drain(): void {
    this.#isDraining = true;
  }

  #ask(call: CallContext): RpcError | undefined {
    const { authorize, logger } = this.#options;
    try {
      const status = authorize?.(call);
      return status && new RpcError(status.code, status.details);
    } catch (error) {
      logger?.error("the authorize option failed; the call is refused", {
        method: call.method,
        error: errorText(error),
      });
      return new RpcError(StatusCode.permissionDenied, "The call could not be authorized.", { cause: error });
    }
  }
}
