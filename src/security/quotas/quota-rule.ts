import type { RuleNames } from "../rules/access-rule.ts";

/**
 * How much one principal, or one peer address, may have and do at a host. Undefined: no limit of this kind. Of IPv6 addresses the first 64 bits
 * count.
 */
export interface QuotaLimits {
  /** Connections that are open at once. Of addresses alone: at its first byte, a connection has no principal. */
  readonly connections?: number | undefined;
  /** Data channels and control channels that are open at once. A worker of Troupe has one of each. */
  readonly channels?: number | undefined;
  /** Agent types and subscriptions that are registered at once. */
  readonly types?: number | undefined;
  readonly subscriptions?: number | undefined;
  /** Calls without an answer. */
  readonly calls?: number | undefined;
  /**
   * Messages and their bytes in a second, on average. A second's rest may be used in the next. A call, an event, a control request, a load and a
   * commit of a state count as one message each. So do the events, kept messages and reminders of a commit. Answers don't count.
   */
  readonly messagesPerSecond?: number | undefined;
  readonly bytesPerSecond?: number | undefined;
  /**
   * Bytes that the host keeps at once. What waits for its turn, for an answer, or for a worker that reads slowly counts. So do connections, agent types
   * and subscriptions. If several principals share a connection, its bytes count for the first. A connection takes about 30 KiB.
   */
  readonly keptBytes?: number | undefined;
}

/** Limits for those that fit. An entry names principals, roles or addresses; of principals and roles all that it names must fit. */
export interface QuotaRule extends QuotaLimits {
  /** Names of principals. A `*` at the end stands for any rest. Each principal has the limits for itself. */
  readonly principal?: RuleNames | undefined;
  /** Roles; a principal with one of them fits, and has the limits for itself. */
  readonly role?: RuleNames | undefined;
  /** Peer addresses, as the log of the host shows them without their ports. Each address has the limits for itself. */
  readonly address?: RuleNames | undefined;
}

export const quotaLimits = [
  "connections",
  "channels",
  "types",
  "subscriptions",
  "calls",
  "messagesPerSecond",
  "bytesPerSecond",
  "keptBytes",
] as const satisfies readonly (keyof QuotaLimits)[];

export type QuotaLimit = (typeof quotaLimits)[number];
