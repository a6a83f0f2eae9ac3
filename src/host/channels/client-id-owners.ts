import { clientIdKey } from "../../protocol/internal.ts";
import { type CallContext, RpcError, StatusCode } from "../../transport/internal.ts";
import { isSamePrincipal, type Principal } from "../principal.ts";
import type { Admission, Admitted } from "../sessions/admission.ts";
import type { StreamOwner } from "../sessions/session.ts";

/** Finds whom a client id belongs to, if it is in use. */
interface UsedIds {
  ownerOf(clientId: string): { readonly principal: Principal | undefined } | undefined;
}

interface StreamTable {
  of(clientId: string): { readonly owner: StreamOwner } | undefined;
}

export interface ClientIdOwnersParts {
  /** False: all callers are anonymous, and nothing is checked. */
  readonly isEnforced: boolean;
  readonly admission: Admission;
  readonly sessions: StreamTable;
  readonly controlSessions: StreamTable;
  readonly registry: UsedIds;
}

// protocol.md §2.1
/**
 * Keeps a client id to the principal that used it first, while a stream, a registration or a reconnect reservation of it lives.
 * The owner is read from these, so that nothing of it stays behind when they are gone.
 */
export class ClientIdOwners {
  readonly #parts: ClientIdOwnersParts;

  constructor(parts: ClientIdOwnersParts) {
    this.#parts = parts;
  }

  get isEnforced(): boolean {
    return this.#parts.isEnforced;
  }

  /** Whether a caller may use a client id: no other principal has it. */
  isFree(clientId: string, principal: Admitted): boolean {
    const { isEnforced, sessions, controlSessions, registry } = this.#parts;
    if (!isEnforced) return true;
    const owner = sessions.of(clientId)?.owner ?? controlSessions.of(clientId)?.owner ?? registry.ownerOf(clientId);
    return owner === undefined || isSamePrincipal(owner.principal, principal);
  }

  /** Throws `RpcError` if the client id of a call belongs to another principal. The text tells nothing of that one. */
  check(call: CallContext, principal: Admitted): void {
    if (!this.#parts.isEnforced) return;
    const clientId = call.metadata[clientIdKey] ?? "";
    if (clientId === "" || this.isFree(clientId, principal)) return;
    const text = "Another principal uses this client-id. Use a client-id of your own.";
    throw this.#parts.admission.deny(call, new RpcError(StatusCode.permissionDenied, text), principal);
  }
}
