import { type Fault, type FaultDirection, type FaultKind, faultKinds } from "./fault.ts";

/** Counters of a proxy since its start. */
export interface FaultProxyCounters {
  /** Connections accepted, refused ones included; and connections open now. */
  readonly connections: number;
  readonly openConnections: number;
  /** Bytes passed on in each direction, and bytes discarded. */
  readonly bytesToTarget: number;
  readonly bytesToClient: number;
  readonly droppedBytes: number;
  /** Connections hit by each kind of fault. A connection that is hit twice counts twice. */
  readonly faults: Readonly<Record<FaultKind, number>>;
}

/** Keeps the counters of a proxy and lets tests wait for a value. */
export class ProxyCounters {
  connections = 0;
  droppedBytes = 0;
  readonly #passed = { "to-target": 0, "to-client": 0 };
  readonly #faults: Record<FaultKind, number>;
  readonly #waiting = new Set<() => void>();
  #isClosed = false;

  constructor() {
    // Every kind starts at 0, which the type of `fromEntries` cannot express.
    this.#faults = Object.fromEntries(faultKinds.map((kind) => [kind, 0])) as Record<FaultKind, number>;
  }

  hit(fault: Fault): void {
    this.#faults[fault.kind]++;
    this.wake();
  }

  passed(direction: FaultDirection, bytes: number): void {
    this.#passed[direction] += bytes;
  }

  snapshot(openConnections: number): FaultProxyCounters {
    return {
      connections: this.connections,
      openConnections,
      bytesToTarget: this.#passed["to-target"],
      bytesToClient: this.#passed["to-client"],
      droppedBytes: this.droppedBytes,
      faults: { ...this.#faults },
    };
  }

  /** Resolves when the condition holds; checks it at every change. Rejects if the proxy closes first. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.#isClosed) throw new Error("The fault proxy was closed before that happened.");
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  close(): void {
    this.#isClosed = true;
    this.wake();
  }
}
