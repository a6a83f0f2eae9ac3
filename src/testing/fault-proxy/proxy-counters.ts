import { type Fault, type FaultDirection, type FaultKind, faultKinds } from "./fault.ts";

/** What a proxy has done since it was started. */
export interface FaultProxyCounters {
  /** Connections accepted, refused ones among them; and those open now. */
  readonly connections: number;
  readonly openConnections: number;
  /** Bytes passed on, each way, and bytes thrown away. */
  readonly bytesToTarget: number;
  readonly bytesToClient: number;
  readonly droppedBytes: number;
  /** Connections hit, by the kind of fault: one hit twice counts twice. */
  readonly faults: Readonly<Record<FaultKind, number>>;
}

/** Keeps the counters of a proxy, and tells those who wait for one. */
export class ProxyCounters {
  connections = 0;
  droppedBytes = 0;
  readonly #passed = { "to-target": 0, "to-client": 0 };
  readonly #faults: Record<FaultKind, number>;
  readonly #waiting = new Set<() => void>();
  #isClosed = false;

  constructor() {
    // Every kind has its number from the start, which the type of `fromEntries` can't say.
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

  /** Resolves when the condition holds, seen at every change of connections and faults; rejects when the proxy closes first. */
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
