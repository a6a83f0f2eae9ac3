import type { AgentName, Epoch } from "../../../src/core/internal.ts";
import type { ClusterCall } from "./ledger.ts";

/** A message of a worker to its host. */
export type ToHost =
  | { readonly at: "open"; readonly workerId: string; readonly session: number; readonly clientId: string }
  | { readonly at: "ask-lease"; readonly request: number }
  | { readonly at: "let-gone"; readonly agent: AgentName; readonly epoch: Epoch }
  /** The worker goes to another host: this one sends it nothing more. */
  | { readonly at: "going" }
  | { readonly at: "goodbye" }
  | { readonly at: "done"; readonly call: ClusterCall }
  /** `gone`: the worker has let the agent go that was held under this epoch. */
  | { readonly at: "not-taken"; readonly call: ClusterCall; readonly gone?: Epoch };

/** A message of a host to its worker. */
export type ToWorker =
  | { readonly at: "joined" }
  /** Asks the worker to go to one of these hosts. */
  | { readonly at: "go"; readonly addresses: readonly string[] }
  /** Behind this comes nothing for a worker that goes to another host. */
  | { readonly at: "all-sent" }
  | { readonly at: "void" }
  | { readonly at: "lease"; readonly request: number; readonly ms: number }
  | { readonly at: "call"; readonly call: ClusterCall; readonly epoch: Epoch }
  | { readonly at: "let-go"; readonly agent: AgentName; readonly epoch: Epoch };
