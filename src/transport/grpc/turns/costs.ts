/**
 * Time for which a listener works before the event loop goes round, in milliseconds. A client that has waited is read after
 * that time; one that goes beyond it delays all others by as much.
 */
export const TURN_MS = 5;

/** Part of it that one connection may use. */
export const SHARE_MS = 2;

/** A turn up to this is short: that of a client that calls now and then. */
export const SHORT_MS = 0.7;

/** Short turns may be this far ahead while dear ones wait. From there on each kind gets half of the time. */
export const SHORT_LEAD_MS = 50;

/** Expected cost of the next turn of a connection that has done nothing yet. It is more than the share of one that is known. */
export const UNKNOWN_MS = 4;

/** Cost that the first read of a connection may have: a thousand calls fit it. So it is alone in its turn. */
export const FIRST_READ_MS = 20;

/** While so many connections of a party wait, one new connection is opened for each turn of all of them. */
export const LANES_PER_NEWCOMER = 16;

/** Charged for each turn, so that work too short for the clock also moves a connection behind others. */
export const LEAST_MS = 0.01;

// What Node and nghttp2 do outside of our callbacks, measured on the machine of docs/performance.md.
/** The opening of a call: parsed headers and a stream object; and its end. */
export const STREAM_MS = 0.03;
export const STREAM_END_MS = 0.03;
/** The event around each piece of work, for instance a DATA frame. */
export const EVENT_MS = 0.005;
/** Any piece of work takes so long at least. */
export const WORK_MS = 0.01;
/** A reset beside that. */
export const RESET_MS = 0.02;
/** The answer of a unary call, which is written after its service has resolved. */
export const ANSWER_MS = 0.03;
/** The opening of HTTP/2, and a TLS handshake. */
export const CONNECTION_MS = 0.3;
export const HANDSHAKE_MS = 1.5;
/** A byte of frames that Node handles by itself: the dearest are those of 9 to 14 bytes. */
export const UNSEEN_BYTE_MS = 4e-6;
