import type { SharingTerms } from "../../core/internal.ts";
import { isSamePrincipal } from "../principal.ts";
import { namePattern } from "../registry/name-checks.ts";
import { SharedType } from "../registry/shared-type.ts";
import {
  granted,
  type IsDeaf,
  nobody,
  type TypeClaim,
  type TypeClaimant,
  type TypeOwners,
} from "../registry/type-owners.ts";

export interface TypeTableOptions {
  /** Clients that answer no calls. Default: none. */
  readonly isDeaf?: IsDeaf;
  /** Names of types that are shared whatever their owners say; a `*` at the end stands for any rest. Default: none. */
  readonly sharedTypes?: readonly string[];
  /** A client has become the first to serve a type, and the last one that served a type serves it no more. */
  readonly onTypeOwned?: (agentType: string, clientId: string, isShared: boolean) => void;
  readonly onTypeGone?: (agentType: string) => void;
  /** The owners of a shared type have changed. */
  readonly onSharedChange?: (type: SharedType) => void;
  /** A shared type has lost its last owner. */
  readonly onSharedGone?: (type: SharedType) => void;
  /** A client has become an owner of a shared type, or is one no more. */
  readonly onSharedJoined?: (type: SharedType, clientId: string) => void;
  readonly onSharedLeft?: (type: SharedType, clientId: string) => void;
}

// protocol.md §12.8
/** Finds the types that workers of other hosts share. The same type comes as the same object. */
export type SharedElsewhere = (agentType: string) => SharedType | undefined;

// protocol.md H25, §11.14
/**
 * One owner per agent type, as at Python's host: the first client to claim it, until the client releases it. A type that its first owner
 * shares, or that the host's `sharedTypes` name, has as many as register it so.
 */
export class TypeTable implements TypeOwners {
  readonly #exclusive = new Map<string, readonly [string]>();
  readonly #shared = new Map<string, SharedType>();
  readonly #isDeaf: IsDeaf;
  readonly #isSharedHere: (agentType: string) => boolean;
  readonly #onTypeOwned: (agentType: string, clientId: string, isShared: boolean) => void;
  readonly #onTypeGone: (agentType: string) => void;
  readonly #onSharedChange: (type: SharedType) => void;
  readonly #onSharedGone: (type: SharedType) => void;
  readonly #onSharedJoined: (type: SharedType, clientId: string) => void;
  readonly #onSharedLeft: (type: SharedType, clientId: string) => void;
  #elsewhere: SharedElsewhere | undefined;
  #era = 0;
  #version = 0;

  constructor(options: TypeTableOptions = {}) {
    const { isDeaf, sharedTypes = [], onTypeOwned, onTypeGone, onSharedChange, onSharedGone } = options;
    this.#onTypeOwned = onTypeOwned ?? (() => undefined);
    this.#onTypeGone = onTypeGone ?? (() => undefined);
    this.#isDeaf = isDeaf ?? (() => false);
    this.#isSharedHere = namePattern(sharedTypes);
    this.#onSharedChange = onSharedChange ?? (() => undefined);
    this.#onSharedGone = onSharedGone ?? (() => undefined);
    this.#onSharedJoined = options.onSharedJoined ?? (() => undefined);
    this.#onSharedLeft = options.onSharedLeft ?? (() => undefined);
  }

  /** The host is one of a cluster: types may be shared elsewhere. */
  shareWith(elsewhere: SharedElsewhere): void {
    this.#elsewhere = elsewhere;
  }

  get size(): number {
    return this.#exclusive.size + this.#shared.size;
  }

  get era(): number {
    return this.#era;
  }

  get version(): number {
    return this.#version;
  }

  get hasShared(): boolean {
    return this.#shared.size > 0 || this.#elsewhere !== undefined;
  }

  *types(): Iterable<string> {
    yield* this.#exclusive.keys();
    yield* this.#shared.keys();
  }

  shared(agentType: string): SharedType | undefined {
    return this.#shared.get(agentType) ?? this.#elsewhere?.(agentType);
  }

  sharesHere(agentType: string): boolean {
    return this.#isSharedHere(agentType);
  }

  sharedTypes(): Iterable<SharedType> {
    return this.#shared.values();
  }

  claim(agentType: string, clientId: string, from: TypeClaimant = {}): TypeClaim {
    this.#version += 1;
    const holder = this.#exclusive.get(agentType)?.[0];
    if (holder !== undefined) return this.#claimExclusive(agentType, clientId, holder);
    const here = this.#shared.get(agentType);
    const known = here ?? this.#elsewhere?.(agentType);
    if (known !== undefined) {
      const claim = this.#join(known, clientId, from);
      if (here !== undefined || claim.at === "held") return claim;
      this.#shared.set(agentType, known);
      this.#onTypeOwned(agentType, clientId, true);
      return claim;
    }
    if (from.sharing === undefined && !this.#isSharedHere(agentType)) {
      this.#exclusive.set(agentType, [clientId]);
      this.#onTypeOwned(agentType, clientId, false);
      return granted;
    }
    // Higher than that of any earlier type of this name, without remembering names.
    this.#era += 1;
    const { sharing: terms = plainTerms, principal } = from;
    const type = new SharedType({ name: agentType, terms, principal, era: this.#era });
    this.#shared.set(agentType, type);
    this.#onTypeOwned(agentType, clientId, true);
    return this.#join(type, clientId, from);
  }

  release(agentType: string, clientId: string): void {
    this.#version += 1;
    if (this.#exclusive.get(agentType)?.[0] === clientId) {
      this.#exclusive.delete(agentType);
      this.#onTypeGone(agentType);
      return;
    }
    const type = this.#shared.get(agentType);
    if (!type?.isOwner(clientId)) return;
    type.delete(clientId);
    this.#onSharedLeft(type, clientId);
    this.#onSharedChange(type);
    if (type.firstOwner !== undefined) return;
    this.#shared.delete(agentType);
    this.#era += 1;
    this.#onTypeGone(agentType);
    this.#onSharedGone(type);
  }

  locate(agentType: string): string | undefined {
    return this.#exclusive.get(agentType)?.[0];
  }

  owners(agentType: string): readonly string[] {
    return this.#exclusive.get(agentType) ?? this.#shared.get(agentType)?.owners ?? nobody;
  }

  #claimExclusive(agentType: string, clientId: string, holder: string): TypeClaim {
    if (holder === clientId) return granted;
    if (!this.#isDeaf(holder)) return { at: "held", by: holder };
    this.#exclusive.set(agentType, [clientId]);
    return { at: "granted", from: holder };
  }

  /** Others that share the type must say so too, and belong to the principal of the first. */
  #join(type: SharedType, clientId: string, { sharing, principal }: TypeClaimant): TypeClaim {
    const first = type.firstOwner ?? clientId;
    const mayJoin =
      isSamePrincipal(type.principal, principal) && (sharing !== undefined || this.#isSharedHere(type.name));
    if (!mayJoin) return { at: "held", by: first };
    type.add(clientId, sharing !== undefined);
    this.#onSharedJoined(type, clientId);
    this.#onSharedChange(type);
    return sharing === undefined || isSameTerms(type.terms, sharing) ? granted : { at: "granted", differs: true };
  }
}

const plainTerms: SharingTerms = { placement: undefined, requires: {} };

function isSameTerms(a: SharingTerms, b: SharingTerms): boolean {
  const [left, right] = [Object.entries(a.requires), Object.entries(b.requires)];
  return (
    a.placement === b.placement &&
    left.length === right.length &&
    left.every(([name, value]) => b.requires[name] === value)
  );
}
