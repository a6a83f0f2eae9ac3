import type { CallContext, RpcStatus } from "../../transport/internal.ts";

/**
 * Decides whether a stream or unary call is served: undefined lets it pass, a status refuses it with that status. It sees
 * the method, the metadata (`authorization` and the like) and the peer's address. A throw refuses with PERMISSION_DENIED.
 */
export type Authorize = (call: CallContext) => RpcStatus | undefined;
