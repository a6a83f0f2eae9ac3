import type { MemoryAccount, RpcError } from "../../transport/internal.ts";
import type { AccessCaller } from "../access/access-check.ts";
import type { Principal } from "../principal.ts";

/** Where control envelopes come from and go to: the control channel of a client, or the link to another host. */
export interface ControlPeer {
  readonly id: string;
  readonly account: MemoryAccount;
  readonly owner: { readonly principal: Principal | undefined };
  /** The client, as the rules of the host know it. Undefined: another host holds it to them. */
  readonly caller?: AccessCaller | undefined;
  /** True: the link to another host, which passes envelopes on to clients there. */
  readonly isElsewhere: boolean;
  // protocol.md §12.4
  /** Has another host pass on a request with the principal of its sender. Resolves to the answer, and never rejects. Undefined: this is a client. */
  readonly ask:
    | ((envelope: Uint8Array, from: ControlPeer, signal: AbortSignal) => Promise<Uint8Array | RpcError>)
    | undefined;
  // protocol.md §12.4
  /** Tells the other host that the agent of its request is not here: it looks for the agent again. Undefined: it can't be told. */
  readonly giveBack?: (() => void) | undefined;
  /** False: it takes nothing now. `from`: the sender, if it is not the host. */
  send(envelope: Uint8Array, from?: ControlPeer): boolean;
}
