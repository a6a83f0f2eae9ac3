/** Who serves an agent type. A client is named by its client id. */
export interface Directory {
  /** Losing is a value: it tells who holds the type. Claiming again what one holds is granted. */
  claim(agentType: string, clientId: string): Claim;
  /** The client serves the type no more. Unknown pairs are fine. */
  release(agentType: string, clientId: string): void;
  /** The client that calls to this agent go to; undefined: nobody serves the type. */
  locate(agentType: string, key: string): string | undefined;
  /** All clients that get the type's events. Valid until the next change. */
  owners(agentType: string): readonly string[];
  /** How many types have an owner. */
  readonly size: number;
}

export type Claim = { readonly at: "granted" } | { readonly at: "held"; readonly by: string };

export const granted: Claim = { at: "granted" };
export const nobody: readonly string[] = [];
