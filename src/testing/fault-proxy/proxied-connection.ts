import type { Socket } from "node:net";
import type { Clock, Timer } from "../../core/internal.ts";
import type { Fault, FaultDirection, FaultStep, LastingFault } from "./fault.ts";
import { Lane } from "./lane.ts";
import type { ProxyCounters } from "./proxy-counters.ts";

export interface ConnectionParts {
  readonly number: number;
  readonly client: Socket;
  readonly target: Socket;
  readonly counters: ProxyCounters;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onClosed: () => void;
}

/** A connection through the proxy: one socket per side, one lane per direction. */
export class ProxiedConnection {
  readonly number: number;
  readonly #parts: ConnectionParts;
  readonly #lanes: Readonly<Record<FaultDirection, Lane>>;
  readonly #timers = new Set<Timer>();
  #openSockets = 2;

  constructor(parts: ConnectionParts) {
    const { client, target, counters, clock, random } = parts;
    this.number = parts.number;
    this.#parts = parts;
    this.#lanes = {
      "to-target": new Lane({ direction: "to-target", source: client, sink: target, counters, clock, random }),
      "to-client": new Lane({ direction: "to-client", source: target, sink: client, counters, clock, random }),
    };
    this.#follow(client, target, this.#lanes["to-target"]);
    this.#follow(target, client, this.#lanes["to-client"]);
  }

  /** Applies a step of the script at its moment. */
  plan({ fault, afterMs, afterBytes, of = "to-target" }: FaultStep): void {
    if (afterBytes !== undefined) this.#lanes[of].addTrigger(afterBytes, () => this.apply(fault));
    else if (afterMs !== undefined) this.#after(afterMs, () => this.apply(fault));
    else this.apply(fault);
  }

  apply(fault: Fault): void {
    const { client, target, counters } = this.#parts;
    counters.hit(fault);
    switch (fault.kind) {
      case "delay":
      case "throttle":
      case "stall":
      case "drop":
        return this.#begin(fault);
      case "heal":
        for (const lane of Object.values(this.#lanes)) lane.heal();
        return;
      case "half-close":
        return this.#lanes[fault.in].cut();
      case "close":
        for (const lane of Object.values(this.#lanes)) lane.cut();
        return;
      case "reset":
      case "refuse":
        client.resetAndDestroy();
        target.resetAndDestroy();
        return;
    }
  }

  /** Ends one fault, if it still lasts. */
  heal(fault: LastingFault): void {
    for (const lane of Object.values(this.#lanes)) lane.heal(fault);
  }

  destroy(): void {
    this.#parts.client.destroy();
    this.#parts.target.destroy();
  }

  #begin(fault: LastingFault): void {
    const lanes = fault.in === undefined ? Object.values(this.#lanes) : [this.#lanes[fault.in]];
    for (const lane of lanes) lane.begin(fault);
    if (fault.forMs === undefined) return;
    this.#after(fault.forMs, () => {
      for (const lane of lanes) lane.heal(fault);
    });
  }

  #after(delayMs: number, act: () => void): void {
    const timer = this.#parts.clock.setTimer(delayMs, () => {
      this.#timers.delete(timer);
      act();
    });
    this.#timers.add(timer);
  }

  /** Resets the other socket when one breaks, unless a `drop` fault lies between them. */
  #follow(socket: Socket, other: Socket, lane: Lane): void {
    socket.on("error", () => {
      if (!lane.isDropping && !other.destroyed) other.resetAndDestroy();
    });
    socket.on("close", () => {
      if (!lane.isDropping && !other.destroyed && !socket.readableEnded) other.resetAndDestroy();
      if (--this.#openSockets === 0) this.#close();
    });
  }

  #close(): void {
    for (const timer of this.#timers) timer.cancel();
    for (const lane of Object.values(this.#lanes)) lane.abandon();
    this.#parts.onClosed();
  }
}
