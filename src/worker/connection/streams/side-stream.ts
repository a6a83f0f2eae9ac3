import { errorText } from "../../../core/internal.ts";
import {
  type CancelFrame,
  type CreditFrame,
  decodeFrame,
  encodeFrame,
  type HeartbeatFrame,
  type HostsFrame,
  type LeavingFrame,
  signals,
  type VoidFrame,
} from "../../../protocol/internal.ts";
import { type FrameStream, StatusCode, type StreamEnd, type StreamReceiver } from "../../../transport/internal.ts";
import type { WorkerSettings } from "../../worker-options.ts";
import { isHostsWord } from "../connection-end.ts";
import { heartbeatAnswer } from "../heartbeat.ts";
import { StreamReopening } from "./stream-reopening.ts";

export interface SideStreamOptions {
  readonly settings: Pick<WorkerSettings, "clock" | "random" | "logger">;
  readonly openStream: (name: string, receiver: StreamReceiver) => FrameStream;
  readonly onNotice: (frame: CancelFrame | CreditFrame | LeavingFrame | VoidFrame | HostsFrame) => void;
  /** Takes the host's answer to a heartbeat. */
  readonly onAnswer: (frame: HeartbeatFrame) => void;
  /** Called when the stream is open or has ended. */
  readonly onChange: () => void;
}

/**
 * `waiting`: it has ended alone, and opens again after a delay. `ended`: the data channel has ended, or the host has no side stream
 * for this worker.
 */
type State = "unopened" | "opening" | "open" | "waiting" | "ended";

/** Statuses of a host that serves this worker no side stream. */
const refusals: ReadonlySet<number> = new Set([StatusCode.permissionDenied, StatusCode.unauthenticated]);
/** The same of a host that may serve no side streams at all. */
const earlyRefusals: ReadonlySet<number> = new Set([...refusals, StatusCode.unimplemented]);

/**
 * Carries a Troupe host's notices beside the data channel, which the worker may have paused. Opens again when it ends while the data
 * channel lives, unless the host refuses it.
 */
// protocol.md §11.7
export class SideStream {
  readonly #options: SideStreamOptions;
  #state: State = "unopened";
  #stream: FrameStream | undefined;
  readonly #reopening: StreamReopening;
  #refusals = earlyRefusals;

  constructor(options: SideStreamOptions) {
    this.#options = options;
    this.#reopening = new StreamReopening({ settings: options.settings, name: "side stream" });
  }

  /** Whether the host sends its notices here too. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Sends a heartbeat if the stream is open and nothing waits on it. Returns whether it is open. */
  sayHeartbeat(heartbeat: HeartbeatFrame): boolean {
    if (this.isOpen && this.#stream?.queuedBytes === 0) this.#stream.send(encodeFrame(heartbeat));
    return this.isOpen;
  }

  /**
   * Opens the stream. Call it when the host has announced itself. `isServed`: the host is known to serve side streams, so that UNIMPLEMENTED
   * is the status of a proxy, which may answer as gRPC does.
   */
  open({ isServed }: { readonly isServed: boolean }): void {
    if (this.#state !== "unopened") return;
    this.#refusals = isServed ? refusals : earlyRefusals;
    this.#open();
  }

  close(): void {
    this.#state = "ended";
    this.#reopening.stop();
    this.#stream?.cancel();
  }

  #open(): void {
    const { openStream, settings } = this.#options;
    const { clock } = settings;
    const beganMs = clock.now();
    this.#state = "opening";
    this.#stream = openStream(signals.path, {
      onMetadata: () => this.#become("open"),
      onFrame: (bytes) => this.#receive(bytes),
      onHalfClose: () => undefined,
      onBadFrame: () => undefined,
      onDrain: () => undefined,
      onEnd: (end) => this.#onEnd(end, clock.now() - beganMs),
    });
  }

  #onEnd(end: StreamEnd, livedMs: number): void {
    if (this.#state === "ended") return;
    const isRefused = this.#state === "opening" && isHostsWord(end, this.#refusals);
    this.#become(isRefused ? "ended" : "waiting");
    if (!isRefused) this.#reopening.after(end, livedMs, () => this.#open());
  }

  #become(state: State): void {
    if (this.#state === "ended") return;
    this.#state = state;
    this.#options.onChange();
  }

  #receive(bytes: Uint8Array): void {
    const { settings, onNotice, onAnswer } = this.#options;
    try {
      const frame = decodeFrame(bytes);
      const { kind } = frame;
      if (kind === "cancel" || kind === "credit") onNotice(frame);
      else if (kind === "leaving" || kind === "void" || kind === "hosts") onNotice(frame);
      else if (kind === "heartbeat" && frame.isAnswer) onAnswer(frame);
      else if (kind === "heartbeat") this.sayHeartbeat(heartbeatAnswer(frame));
    } catch (error) {
      const kind = "A notice from the host was passed over";
      settings.logger.warn(`${kind}: ${errorText(error)}`, undefined, kind);
    }
  }
}
