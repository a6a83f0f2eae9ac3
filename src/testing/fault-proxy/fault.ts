/** The way that bytes take through a proxy. */
export type FaultDirection = "to-target" | "to-client";

/** A fault that lasts: until `forMs` milliseconds have passed, or `heal`. Of several of a kind the newest counts, and each ends for itself. In both directions unless `in` names one. */
export interface LastingFaultOptions {
  readonly in?: FaultDirection | undefined;
  readonly forMs?: number | undefined;
}

/** A fault of the way between: bytes come late, slowly or not at all, while it lasts. */
export type LastingFault =
  /** Bytes arrive `delayMs` later, and up to `jitterMs` more; their order stays. */
  | ({ readonly kind: "delay"; readonly delayMs: number; readonly jitterMs?: number | undefined } & LastingFaultOptions)
  | ({ readonly kind: "throttle"; readonly bytesPerSecond: number } & LastingFaultOptions)
  /** Nothing is read any more, so that the sender's buffers fill. Nothing is lost: it goes on when the fault ends. */
  | ({ readonly kind: "stall" } & LastingFaultOptions)
  /** A black hole: bytes are taken and thrown away, the connection's end too. When it ends, a gap stays in the stream. */
  | ({ readonly kind: "drop" } & LastingFaultOptions);

/** What can go wrong with a TCP connection. */
export type Fault =
  | LastingFault
  /** One direction ends (FIN) after what was passed on; the other goes on. */
  | { readonly kind: "half-close"; readonly in: FaultDirection }
  /** Both ends see the end of the stream (FIN), after all bytes that were passed on. */
  | { readonly kind: "close" }
  /** Both ends see a reset (RST); what was passed on and not yet read may be lost. */
  | { readonly kind: "reset" }
  /** Connections that come are reset before a byte passes. */
  | ({ readonly kind: "refuse" } & Omit<LastingFaultOptions, "in">)
  /** No fault: every lasting one ends. */
  | { readonly kind: "heal" };

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

/** A fault and its moment. With neither `afterMs` nor `afterBytes`: from the first byte on. */
export interface FaultStep {
  readonly fault: Fault;
  /** The number of the connection it hits, from 0. Default: all there are, and all that come while it lasts. */
  readonly connection?: number | undefined;
  /** Milliseconds after that connection was accepted, or after the proxy was started if none is named. */
  readonly afterMs?: number | undefined;
  /** When exactly so many bytes of a connection have been passed on: in the middle of a frame, if it must be. */
  readonly afterBytes?: number | undefined;
  /** The direction whose bytes count. Default `to-target`. */
  readonly of?: FaultDirection | undefined;
}

export function isLasting(fault: Fault): fault is LastingFault {
  return fault.kind === "delay" || fault.kind === "throttle" || fault.kind === "stall" || fault.kind === "drop";
}
