/** What a listener has seen since it began. Numbers only grow, except those under "now". */
export interface ListenerCounters {
  /** Now: open connections, and calls on them. */
  readonly connections: number;
  readonly streams: number;
  /** Connections taken, and those turned away because there were as many as allowed. */
  readonly acceptedConnections: number;
  readonly refusedConnections: number;
  /** Connections ended here: without a whole opening of TLS and HTTP/2 in time, without any call for long, for breaking HTTP/2's rules, for too many resets. */
  readonly unopenedConnections: number;
  readonly idleConnections: number;
  readonly brokenConnections: number;
  readonly floodingConnections: number;
  /** Calls refused before anything of them was served: no gRPC, headers too long or not to be read, not let in. */
  readonly refusedStreams: number;
  /** Calls of methods that nobody serves here. Troupe's workers make them: the refusal is their sign that the host lives. */
  readonly unknownMethods: number;
  /** Calls that ended by a reset (RST_STREAM), of either side. */
  readonly resetStreams: number;
  /** Unary calls refused because their request did not arrive whole in time. */
  readonly unfinishedRequests: number;
  /** Messages thrown away: longer than allowed, as sent or as inflated or together with others unfinished; or badly framed or compressed. */
  readonly oversizeMessages: number;
  readonly badMessages: number;
}

/** The counters as the listener's parts write them. */
export type MutableListenerCounters = { -readonly [Name in keyof ListenerCounters]: number };

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
  };
}
