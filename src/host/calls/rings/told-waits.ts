import type { Clock, Timer, WaitingCall } from "../../../core/internal.ts";
import { limits } from "../../limits.ts";
import type { PendingCall } from "../../sessions/pending-call.ts";

/** The host that searches for rings, as one that tells it of its waiting calls. */
export interface WaitsListener {
  report(id: string, waiting: WaitingCall): void;
  withdraw(id: string): void;
}

/** A report of this host. Each has another version. */
export interface Wait extends WaitingCall {
  readonly call: PendingCall;
  readonly version: number;
}

export interface ToldWaitsParts {
  readonly clock: Clock;
  readonly idTextOf: (call: PendingCall) => string;
}

// protocol.md §12.10
/**
 * The reports that this host has of its waiting calls, and which of them the host knows that searches for rings over hosts. It tells a few at a
 * time. Of a call that is reported again and again it tells what is true then. So no worker fills the link between two hosts.
 */
export class ToldWaits {
  readonly #parts: ToldWaitsParts;
  readonly #waits = new Map<string, Wait>();
  /** Reports that the other host has, and those of which it has yet to hear: new, changed or withdrawn ones. */
  readonly #told = new Set<string>();
  readonly #untold = new Set<string>();
  #listener: WaitsListener | undefined;
  #timer: Timer | undefined;
  #versions = 0;

  constructor(parts: ToldWaitsParts) {
    this.#parts = parts;
  }

  /** Tells everything to this host from now on. Undefined: no host searches, or it can't be reached. */
  tellTo(listener: WaitsListener | undefined): void {
    // A host that is not the one any more forgets what it was told.
    for (const id of this.#told) this.#listener?.withdraw(id);
    this.#listener = listener;
    this.#told.clear();
    this.#untold.clear();
    for (const id of this.#waits.keys()) this.#untold.add(id);
    this.#arm();
  }

  reported(call: PendingCall, waiting: WaitingCall): void {
    const id = this.#parts.idTextOf(call);
    this.#versions += 1;
    this.#waits.set(id, { ...waiting, call, version: this.#versions });
    this.#mark(id);
  }

  forgotten(call: PendingCall): void {
    if (this.#waits.size === 0) return;
    const id = this.#parts.idTextOf(call);
    if (!this.#waits.delete(id)) return;
    if (this.#told.has(id)) this.#mark(id);
    else this.#untold.delete(id);
  }

  /** Returns the report of a call as it is now. */
  get(id: string): Wait | undefined {
    return this.#waits.get(id);
  }

  #mark(id: string): void {
    this.#untold.add(id);
    this.#arm();
  }

  #arm(): void {
    if (this.#listener === undefined || this.#untold.size === 0) return;
    this.#timer ??= this.#parts.clock.setTimer(limits.tellWaitsMs, () => this.#tell());
  }

  #tell(): void {
    this.#timer = undefined;
    let count = 0;
    for (const id of this.#untold) {
      if (count >= limits.waitsToldAtOnce || this.#listener === undefined) break;
      count += 1;
      this.#untold.delete(id);
      const wait = this.#waits.get(id);
      if (wait !== undefined) {
        this.#told.add(id);
        this.#listener.report(id, wait);
      } else if (this.#told.delete(id)) this.#listener.withdraw(id);
    }
    this.#arm();
  }
}
