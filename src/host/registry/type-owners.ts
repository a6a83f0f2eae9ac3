import type { SharingTerms } from "../../core/internal.ts";
import type { Principal } from "../principal.ts";
import type { SharedType } from "./shared-type.ts";

/** The owners of each agent type: the clients that serve it, by their client ids. */
export interface TypeOwners {
  /**
   * Makes the client an owner. A refusal names the client that holds the type. A client may claim its own types again, and a type of a
   * deaf client, which loses the type with that.
   */
  claim(agentType: string, clientId: string, from?: TypeClaimant): TypeClaim;
  /** The client no longer serves the type. Unknown pairs are fine. */
  release(agentType: string, clientId: string): void;
  /**
   * Returns the client that calls to this agent go to; undefined: no client serves the type. A deaf client is the last choice. The agents
   * of a shared type each have a place of their own: `shared` finds such a type.
   */
  locate(agentType: string, key: string): string | undefined;
  /** Returns all clients that get the type's events. Valid until the next change. */
  owners(agentType: string): readonly string[];
  /** Rises when a type becomes shared, and when it is shared no more. */
  readonly era: number;
  /** Rises with each change of owners. Constant where no type can be shared. */
  readonly version: number;
  /** Whether any type is shared. While it is false, no message pays for shared types. */
  readonly hasShared: boolean;
  /** Returns the type if several workers share it. */
  shared(agentType: string): SharedType | undefined;
  /** Whether this host shares a type of that name also for workers that do not say so. */
  sharesHere(agentType: string): boolean;
  /** The shared types that have an owner. */
  sharedTypes(): Iterable<SharedType>;
  /** Agent types that have an owner, while others come and go. */
  types(): Iterable<string>;
  /** The number of types that have an owner. */
  readonly size: number;
}

/** The client that claims an agent type. */
export interface TypeClaimant {
  /** The terms under which it shares the type. Undefined: it does not. */
  readonly sharing?: SharingTerms | undefined;
  readonly principal?: Principal | undefined;
}

/**
 * `from`: the deaf client that had the type and has it no more. `differs`: the client shares the type under other terms than the first
 * one, whose terms count.
 */
export type TypeClaim =
  | { readonly at: "granted"; readonly from?: string; readonly differs?: boolean }
  | { readonly at: "held"; readonly by: string };

// protocol.md §7
/** Whether a client answers no calls and still holds its types: a worker of .NET's that has opened its channel again. */
export type IsDeaf = (clientId: string) => boolean;

export const granted: TypeClaim = { at: "granted" };
export const nobody: readonly string[] = [];
