import type { ExclusivePlace } from "../../cluster/internal.ts";
import type { Epoch } from "../../core/internal.ts";
import type { SharedType } from "../registry/shared-type.ts";
import type { PlaceVersions } from "./place-versions.ts";

/** The place of one agent of a shared type: a worker holds it under an epoch. */
export interface Claim {
  readonly type: string;
  readonly key: string;
  readonly workerId: string;
  readonly epoch: Epoch;
}

export type ClaimOutcome =
  | { readonly at: "held"; readonly claim: Claim }
  /** The directory takes no more claims now. */
  | { readonly at: "full"; readonly reason: string }
  /** A worker of the cluster has the agent. A lone host has no such outcome, and none of the following. */
  | { readonly at: "elsewhere"; readonly workerId: string }
  /** The worker has no session here, or does not share the type: another worker may get the agent. */
  | { readonly at: "unfit"; readonly reason: string }
  /** The cluster does not answer, or this host is isolated. Nothing was sent. */
  | { readonly at: "unavailable"; readonly reason: string };

/**
 * The outcome of letting a claim go. `done`: the agent is free, or another worker has it. `lost`: the claim was not the present one. `unknown`:
 * the cluster did not answer, and the next claim finds out.
 */
export type LetGoOutcome = "done" | "lost" | "unknown";

/** An agent that a worker is to hold. */
export interface ClaimRequest {
  readonly type: SharedType;
  readonly key: string;
  readonly workerId: string;
  /** The address of the caller or publisher, with whose share of the directory the claim counts. */
  readonly party: string;
}

export interface ClaimQuery {
  readonly type?: string | undefined;
  readonly workerId?: string | undefined;
  /** The `next` of the page before. */
  readonly after?: number | undefined;
  /** Default 100. */
  readonly limit?: number | undefined;
}

export interface ClaimPage {
  readonly claims: readonly Claim[];
  /** Undefined: this is the last page. A page may have no claims though others follow: the search for it is bounded. */
  readonly next: number | undefined;
}

/** The registrations of types on which the hosts of a cluster agree. They decide whose commits the state store takes. */
export interface ClusterRegistrations {
  /** The first part of epochs. */
  readonly generation: number;
  /** Undefined: the type is shared, or the cluster knows none of that name. */
  exclusive(agentType: string): ExclusivePlace | undefined;
  /** Whether a worker serves a type, by whichever host. */
  serves(agentType: string, workerId: string): boolean;
}

/** Knows which worker holds which agent of a shared type. */
export interface AgentDirectory {
  /** Returns the present claim of an agent; undefined: no worker holds it. */
  find(type: SharedType, key: string): Claim | undefined;
  /** Whether this claim is the present one. */
  holds(type: SharedType, key: string, workerId: string, epoch: Epoch): boolean;
  /**
   * Claims an agent for a worker of this host unless another holds it; tells the holder either way. A promise where a cluster is asked: messages
   * wait in order. It never rejects.
   */
  claim(request: ClaimRequest): ClaimOutcome | Promise<ClaimOutcome>;
  /**
   * Called before the worker of an agent is asked to let it go: no write to its claim is under way from then on. Resolves to whether the
   * claim is still the present one. Undefined: there is nothing to wait for. It never rejects.
   */
  freeze(type: SharedType, claim: Claim): Promise<boolean> | undefined;
  /** Frees the claim of an agent that has left, or gives it to another worker. Never rejects. */
  letGo(type: SharedType, claim: Claim, to?: string): LetGoOutcome | Promise<LetGoOutcome>;
  /** The agent stays under its claim. */
  stays(type: SharedType, claim: Claim): void;
  /** All claims of a worker are void from now on. What they take is freed in batches. */
  workerGone(workerId: string): void;
  /** The type has no owner any more: its claims are void, and freed in batches. */
  typeGone(type: SharedType): void;
  /** Returns a page of claims, for operators; a copy. */
  list(query?: ClaimQuery): ClaimPage;
  /** Returns an epoch that is higher than those of all earlier claims of the type or equal, and lower than those of later claims. */
  newestEpoch(type: Pick<SharedType, "era">): Epoch;
  /** Returns claims of a worker, the newest first; those with `isPassedBy` are left out. */
  claimsOf(workerId: string, limit: number, isPassedBy: (claim: Claim) => boolean): readonly Claim[];
  countOf(workerId: string): number;
  /** Undefined: the host is alone. */
  readonly cluster: ClusterRegistrations | undefined;
  /** Says whether `find` may return something else than before. */
  readonly versions: PlaceVersions;
  readonly size: number;
}
