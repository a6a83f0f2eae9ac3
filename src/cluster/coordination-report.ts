import type { HostRecord } from "./records/records.ts";

/** A server of the coordination store, as its operator sees it. Texts are the server's own, cut. */
export interface CoordinationServer {
  readonly address: string;
  /** Empty: it can't be reached, or does not say. */
  readonly name: string;
  readonly version: string;
  /** Whether it is one of a cluster of servers, and whether it keeps streams. */
  readonly isClustered: boolean;
  readonly hasJetStream: boolean;
  /** Null: it was not measured. */
  readonly roundTripMs: number | null;
  /** The reason for which it can't be used. Null: it can. */
  readonly problem: string | null;
}

/** A copy of a stream at another server than its leader. */
export interface StreamCopy {
  readonly server: string;
  readonly isCurrent: boolean;
  readonly isOffline: boolean;
  /** Operations that it lacks, and milliseconds since it was heard. */
  readonly lag: number;
  readonly silentMs: number;
}

/** A stream in which a cluster keeps something. */
export interface CoordinationStream {
  readonly stream: string;
  readonly use: "hosts, workers and types" | "claims" | "mail" | "dead letters";
  readonly state: "there" | "missing" | "unknown";
  readonly messages: number;
  readonly bytes: number;
  /** The most that it keeps. Null: no bound. */
  readonly maxBytes: number | null;
  readonly copies: number;
  readonly storage: string;
  /** Null: it has no leader, or is on one server alone. */
  readonly leader: string | null;
  readonly followers: readonly StreamCopy[];
  /** The reason for which the operator must look: its state is unknown, or its servers are not enough. Null: all is well. */
  readonly problem: string | null;
}

/** The servers of a coordination store, and what they keep. */
export interface CoordinationReport {
  readonly servers: readonly CoordinationServer[];
  readonly streams: readonly CoordinationStream[];
  /** Milliseconds by which the clock of a server is ahead of this machine's, about. Null: it does not tell. */
  readonly clockAheadMs: number | null;
}

/** One thing that a host does at the servers, as it was tried. */
export interface TriedRight {
  /** For people: the predicate of "this login …". */
  readonly what: string;
  readonly subject: string;
  /** `skipped`: there is no stream on which it could be tried. */
  readonly outcome: "granted" | "refused" | "no answer" | "skipped";
  readonly detail: string;
}

/** The findings of a check of a cluster's servers, for which no host need run. */
export interface CoordinationCheck extends CoordinationReport {
  readonly rights: readonly TriedRight[];
  /** The hosts of the cluster that are not dead. Null: the servers do not tell. */
  readonly hosts: readonly HostRecord[] | null;
}
