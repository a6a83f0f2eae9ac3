import type { Clock, StateStore } from "../core/internal.ts";
import type { AgentOperations } from "../host/internal.ts";
import type { RequestAccount } from "../http/internal.ts";

/** What the admin entry needs of a host. */
export interface AdminHost {
  readonly agents: Pick<AgentOperations, "claims" | "place" | "deactivate" | "destroy">;
  readonly clock: Clock;
  /** The state store of the host, for reading. */
  readonly store: StateStore;
  /** The store for writing. */
  openStore(): Promise<StateStore>;
  /** Opens the account of one request; `giveWay` is called when others need its bytes. */
  openAccount(giveWay: () => void): RequestAccount;
}
