import type { SharingTerms } from "../../core/internal.ts";
import type { Principal } from "../principal.ts";

export interface SharedTypeParts {
  readonly name: string;
  /** The terms of the first registration. */
  readonly terms: SharingTerms;
  readonly principal: Principal | undefined;
  readonly era: number;
}

// protocol.md §11.14
/** An agent type that several workers serve, from its first owner to its last. */
export class SharedType {
  readonly name: string;
  readonly terms: SharingTerms;
  /** The principal whose workers may serve the type. */
  readonly principal: Principal | undefined;
  /** Rises with each change between exclusive and shared. */
  readonly era: number;
  /** Types of one name that are shared at different times have different ids. */
  readonly id: string;
  readonly #owners = new Set<string>();
  /** The owners as a list; undefined: they have changed. */
  #list: readonly string[] | undefined;
  /** Owners that know nothing of shared types: `sharedTypes` names the type. */
  readonly #unaware = new Set<string>();

  constructor({ name, terms, principal, era }: SharedTypeParts) {
    this.name = name;
    this.terms = terms;
    this.principal = principal;
    this.era = era;
    this.id = `${era}:${name}`;
  }

  /** The client ids of the owners, in the order in which they came. Valid until the next change. */
  get owners(): readonly string[] {
    this.#list ??= [...this.#owners];
    return this.#list;
  }

  /** Whether the client serves the type. */
  isOwner(clientId: string): boolean {
    return this.#owners.has(clientId);
  }

  /** The owner that came first. */
  get firstOwner(): string | undefined {
    return this.#owners.values().next().value;
  }

  /** Owners that have not registered the type as shared themselves. */
  get unaware(): ReadonlySet<string> {
    return this.#unaware;
  }

  /** `isAware`: the client has registered the type as shared. */
  add(clientId: string, isAware: boolean): void {
    this.#owners.add(clientId);
    this.#list = undefined;
    if (!isAware) this.#unaware.add(clientId);
  }

  delete(clientId: string): void {
    this.#owners.delete(clientId);
    this.#list = undefined;
    this.#unaware.delete(clientId);
  }
}
