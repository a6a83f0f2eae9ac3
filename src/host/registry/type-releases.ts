import type { MemoryAccount } from "../../transport/internal.ts";
import { type ClientAccounts, registrationCost } from "./client-accounts.ts";
import type { EventRoutes } from "./subscriptions/event-routes.ts";
import { Multimap } from "./subscriptions/multimap.ts";
import type { TypeOwners } from "./type-owners.ts";

export interface TypeReleasesParts {
  readonly owners: TypeOwners;
  readonly accounts: ClientAccounts;
  readonly routes: EventRoutes;
  /** Does for a client what may be long. */
  readonly work: (clientId: string, tasks: Iterable<() => void>) => void;
}

/** Agent types that a client gives up. */
interface Release {
  readonly clientId: string;
  readonly types: ReadonlySet<string>;
  readonly account: MemoryAccount;
  /** Those that it does not have any more. */
  readonly done: Set<string>;
}

/**
 * Gives up the agent types of clients that leave. There may be thousands, so that they go in batches. A type that a client registers
 * meanwhile goes at once.
 */
export class TypeReleases {
  readonly #parts: TypeReleasesParts;
  /** Releases that are not done, by client id. */
  readonly #waiting = new Multimap<Release>();

  constructor(parts: TypeReleasesParts) {
    this.#parts = parts;
  }

  /** Types that have gone to another client stay there. */
  release(clientId: string, types: ReadonlySet<string>): void {
    const { accounts, work } = this.#parts;
    if (types.size === 0) return accounts.settle(clientId);
    const release: Release = { clientId, types, account: accounts.of(clientId, undefined), done: new Set() };
    this.#waiting.add(clientId, release);
    work(clientId, this.#tasksOf(release));
  }

  /** Gives up one type at once. */
  releaseNow(clientId: string, agentType: string): void {
    this.#releaseType({ clientId, account: this.#parts.accounts.of(clientId, undefined) }, agentType);
    this.#parts.accounts.settle(clientId);
  }

  /** A client registers the type: those that are about to give it up do so now. */
  makeFree(agentType: string): void {
    if (this.#waiting.isEmpty) return;
    for (const clientId of this.#parts.owners.owners(agentType)) {
      for (const release of this.#waiting.of(clientId))
        if (release.types.has(agentType)) this.#take(release, agentType);
    }
  }

  *#tasksOf(release: Release): Iterable<() => void> {
    for (const agentType of release.types) yield () => this.#take(release, agentType);
    this.#waiting.remove(release.clientId, release);
    this.#parts.accounts.settle(release.clientId);
  }

  #take(release: Release, agentType: string): void {
    if (release.done.has(agentType)) return;
    release.done.add(agentType);
    this.#releaseType(release, agentType);
  }

  #releaseType({ clientId, account }: Pick<Release, "clientId" | "account">, agentType: string): void {
    const { owners, routes } = this.#parts;
    owners.release(agentType, clientId);
    account.release(registrationCost.type(agentType));
    if (owners.owners(agentType).length === 0) routes.ownersChanged(agentType, clientId);
  }
}
