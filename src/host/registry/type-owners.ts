/** The owners of each agent type: the clients that serve it, by their client ids. */
export interface TypeOwners {
  /**
   * Makes the client an owner. A refusal names the client that holds the type. A client may claim its own types again, and a type of a
   * deaf client, which loses the type with that.
   */
  claim(agentType: string, clientId: string): TypeClaim;
  /** The client no longer serves the type. Unknown pairs are fine. */
  release(agentType: string, clientId: string): void;
  /** Returns the client that calls to this agent go to; undefined: no client serves the type. A deaf client is the last choice. */
  locate(agentType: string, key: string): string | undefined;
  /** Returns all clients that get the type's events. Valid until the next change. */
  owners(agentType: string): readonly string[];
  /** Agent types that have an owner, while others come and go. */
  types(): Iterable<string>;
  /** The number of types that have an owner. */
  readonly size: number;
}

/** `from`: the deaf client that had the type and has it no more. */
export type TypeClaim =
  | { readonly at: "granted"; readonly from?: string }
  | { readonly at: "held"; readonly by: string };

// protocol.md §7
/** Whether a client answers no calls and still holds its types: a worker of .NET's that has opened its channel again. */
export type IsDeaf = (clientId: string) => boolean;

export const granted: TypeClaim = { at: "granted" };
export const nobody: readonly string[] = [];
