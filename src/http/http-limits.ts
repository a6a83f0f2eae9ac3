/** Bounds of every HTTP server of this package. They are no options, because no user has needed another value yet. */
export const httpLimits = {
  /** Connections at once. One more takes the place of the oldest that has not shown the token. */
  connections: 64,
  /** Of these, the places that principals leave to clients that have not shown who they are. */
  openConnections: 8,
  /** Bytes of a request's line and headers. A type and a key of 1,024 characters fit, percent-encoded. */
  headerBytes: 32 * 1024,
  /** Milliseconds for the headers of a request, for all of it, and for a client to read its answer. */
  headersMs: 5_000,
  requestMs: 30_000,
  answerMs: 60_000,
  /** Milliseconds for which a connection may be quiet between two requests. */
  quietMs: 5_000,
  /** Milliseconds between two searches for connections that are too slow. */
  lookEveryMs: 1_000,
  /** Parameters of a query. */
  parameters: 128,
  /** The longest text of a problem, in characters. */
  detailChars: 2_000,
} as const;
