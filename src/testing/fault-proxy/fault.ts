/** Direction of bytes through a proxy. */
export type FaultDirection = "to-target" | "to-client";

/**
 * Common fields of lasting faults. A fault lasts for `forMs` milliseconds, or until `heal`. Of several of one kind the
 * newest applies, and each ends by itself. Applies to both directions unless `in` names one.
 */
export interface LastingFaultOptions {
  readonly in?: FaultDirection | undefined;
  readonly forMs?: number | undefined;
}

/** A fault of the network between: bytes arrive late, slowly or not while it lasts. */
export type LastingFault =
  /** Bytes arrive `delayMs` later, plus up to `jitterMs`; their order stays. */
  | ({ readonly kind: "delay"; readonly delayMs: number; readonly jitterMs?: number | undefined } & LastingFaultOptions)
  | ({ readonly kind: "throttle"; readonly bytesPerSecond: number } & LastingFaultOptions)
  /** Reading stops, so the sender's buffers fill. Nothing is lost; reading continues when the fault ends. */
  | ({ readonly kind: "stall" } & LastingFaultOptions)
  /** Bytes are read and discarded, and so is the end of the connection. After the fault the stream has a gap. */
  | ({ readonly kind: "drop" } & LastingFaultOptions);

/** A fault of a TCP connection. */
export type Fault =
  | LastingFault
  /** One direction ends (FIN) after the bytes already passed on; the other continues. */
  | { readonly kind: "half-close"; readonly in: FaultDirection }
  /** Both sides see the end of the stream (FIN) after all bytes already passed on. */
  | { readonly kind: "close" }
  /** Both sides see a reset (RST); bytes not yet read may be lost. */
  | { readonly kind: "reset" }
  /** New connections are reset before a byte passes. */
  | ({ readonly kind: "refuse" } & Omit<LastingFaultOptions, "in">)
  /** Not a fault: ends every lasting one. */
  | { readonly kind: "heal" };

/** The kinds of faults. */
export type FaultKind = Fault["kind"];

export const faultKinds = [
  "delay",
  "throttle",
  "stall",
  "drop",
  "half-close",
  "close",
  "reset",
  "refuse",
  "heal",
] as const satisfies readonly FaultKind[];

/** A fault and its moment. Without `afterMs` and `afterBytes`: from the first byte. */
export interface FaultStep {
  readonly fault: Fault;
  /** Number of the connection, from 0. Default: all open ones, and all new ones while the fault lasts. */
  readonly connection?: number | undefined;
  /** Milliseconds after that connection was accepted, or after the proxy started if no connection is named. */
  readonly afterMs?: number | undefined;
  /** Exact number of bytes passed on before the fault; it may fall in the middle of a frame. */
  readonly afterBytes?: number | undefined;
  /** Direction whose bytes count. Default: `to-target`. */
  readonly of?: FaultDirection | undefined;
}

export function isLasting(fault: Fault): fault is LastingFault {
  return fault.kind === "delay" || fault.kind === "throttle" || fault.kind === "stall" || fault.kind === "drop";
}
