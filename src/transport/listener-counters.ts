/** Counters of a listener since it started. Only `connections` and `streams` may decrease. */
export interface ListenerCounters {
  /** Connections and calls that are open now. */
  readonly connections: number;
  readonly streams: number;
  /** Connections accepted, and connections refused because `maxConnections` were open. */
  readonly acceptedConnections: number;
  readonly refusedConnections: number;
  /**
   * Connections that the listener ended: no complete TLS and HTTP/2 handshake in time; no call for `idleTimeoutMs`;
   * violations of HTTP/2; too many resets.
   */
  readonly unopenedConnections: number;
  readonly idleConnections: number;
  readonly brokenConnections: number;
  readonly floodingConnections: number;
  /** Calls refused before a service saw them: not gRPC, headers too long or malformed, or refused by the host. */
  readonly refusedStreams: number;
  /**
   * Calls of methods that no service has. Troupe's workers make such calls: the refusal shows that the host is alive.
   */
  readonly unknownMethods: number;
  /** Calls that either side ended with a reset (RST_STREAM). */
  readonly resetStreams: number;
  /** Unary calls refused because their request did not arrive in time. */
  readonly unfinishedRequests: number;
  /** Messages discarded because they were too large; and messages with bad framing or compression. */
  readonly oversizeMessages: number;
  readonly badMessages: number;
  /** Messages, calls and connections refused because they found no space: their client or the host held too much already. */
  readonly refusedMessages: number;
  readonly overloadedStreams: number;
  readonly overloadedConnections: number;
  /** Messages discarded because their bytes came too slowly. */
  readonly unfinishedMessages: number;
  /** Connections ended because they held most, or because their address had most connections, and others needed space. */
  readonly gaveWay: number;
}

/** Writable form of the counters, for the parts of a listener. */
export type MutableListenerCounters = { -readonly [Name in keyof ListenerCounters]: number };

/** Creates counters that are all 0. */
export function createListenerCounters(): MutableListenerCounters {
  return {
    connections: 0,
    streams: 0,
    acceptedConnections: 0,
    refusedConnections: 0,
    unopenedConnections: 0,
    idleConnections: 0,
    brokenConnections: 0,
    floodingConnections: 0,
    refusedStreams: 0,
    unknownMethods: 0,
    resetStreams: 0,
    unfinishedRequests: 0,
    oversizeMessages: 0,
    badMessages: 0,
    refusedMessages: 0,
    overloadedStreams: 0,
    overloadedConnections: 0,
    unfinishedMessages: 0,
    gaveWay: 0,
  };
}
