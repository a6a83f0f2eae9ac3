/** The owners of each agent type: the clients that serve it, by their client ids. */
export interface TypeOwners {
  /** Makes the client an owner. A refusal names the client that holds the type. A client may claim its own types again. */
  claim(agentType: string, clientId: string): TypeClaim;
  /** The client no longer serves the type. Unknown pairs are fine. */
  release(agentType: string, clientId: string): void;
  /** Returns the client that calls to this agent go to; undefined: no client serves the type. */
  locate(agentType: string, key: string): string | undefined;
  /** Returns all clients that get the type's events. Valid until the next change. */
  owners(agentType: string): readonly string[];
  /** Agent types that have an owner, while others come and go. */
  types(): Iterable<string>;
  /** The number of types that have an owner. */
  readonly size: number;
}

export type TypeClaim = { readonly at: "granted" } | { readonly at: "held"; readonly by: string };

export const granted: TypeClaim = { at: "granted" };
export const nobody: readonly string[] = [];
