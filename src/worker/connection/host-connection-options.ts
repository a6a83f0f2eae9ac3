import type { TroupeError } from "../../core/internal.ts";
import type { Frame, HeartbeatFrame } from "../../protocol/internal.ts";
import type { Metadata } from "../../transport/internal.ts";
import type { LeasedTurns } from "../lease/leased-turns.ts";
import type { WorkerSettings } from "../worker-options.ts";
import type { HostConnection } from "./host-connection.ts";
import type { UndeliverableReason } from "./outbox.ts";

/** Answer of a generation 1 host to a registration; it comes on the data channel. */
export type AckFrame = Extract<Frame, { readonly kind: "ack" }>;

/** Registrations and the control channel of a connection, which it carries beside calls and events. */
export interface ConnectionServices {
  /** Whether the host owes an `ack`. The connection reads the data channel until it comes. */
  readonly awaitsAck: boolean;
  /** Takes an `ack`; returns false when no registration waits for it. */
  onAck(ack: AckFrame): boolean;
  /** Sends a heartbeat on each stream that it has open. */
  sayHeartbeat(heartbeat: HeartbeatFrame): void;
  /** Handles the end of the connection. */
  close(reason: UndeliverableReason): void;
}

export interface HostConnectionOptions<Services extends ConnectionServices> {
  readonly settings: WorkerSettings;
  readonly address: string;
  /** The data channel is opened. Returns the metadata that says whose it is. */
  readonly introduce: (connection: HostConnection) => Metadata;
  /** The lease of the worker. A host of a cluster lends it to the newest connection. */
  readonly lease: LeasedTurns;
  /** Whether the worker's host before has announced itself as one of Troupe's. */
  readonly expectsAnnouncement: boolean;
  /** Cancels the opening. */
  readonly signal: AbortSignal;
  readonly createServices: (connection: HostConnection) => Services;
  /** Takes the frames that are not about registration, with their bytes. Must not throw. */
  readonly onFrame: (frame: Frame, connection: HostConnection, bytes: Uint8Array) => void;
  /** Takes the error of a message that the worker can't read; `head` is the part of it that arrived. Must not throw. */
  readonly onUnreadable: (error: TroupeError, head: Uint8Array | undefined, connection: HostConnection) => void;
  /** Called with the number of messages that came after the end of the data channel. */
  readonly onLate: (messages: number) => void;
  /** Called when the host has accepted the data channel. */
  readonly onAccepted: (connection: HostConnection) => void;
  /** Called when it is known what the host is: by its headers, or because it sends none. */
  readonly onHostKnown: (connection: HostConnection) => void;
  /** Called when the host has said that no host serves this worker any more. */
  readonly onVoid: (connection: HostConnection) => void;
  /** Called when the headers of the host have come, which say what it knows. */
  readonly onHeaders: (connection: HostConnection) => void;
  /** Called when the outbox takes messages again. */
  readonly onDrain: (connection: HostConnection) => void;
  /** Whether the worker wants no more work now. */
  readonly isCrowded: () => boolean;
  /** Resolves when a connection whose link takes no calls has got another link for them, or gets none. Never rejects. */
  readonly linkRenewed: (connection: HostConnection) => Promise<void>;
}
