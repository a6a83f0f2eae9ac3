import { compareEpochs, type Epoch } from "../../core/internal.ts";

/** Bytes of all entries. Beyond it the oldest go. */
const mostBytes = 4 * 1024 * 1024;
/** An entry of the table with its epoch, beside the name. */
const entryBytes = 250;

// protocol.md §11.17
/** The epochs under which agents have left a worker. A message under such a claim may still come, on an older channel. */
export class LeftClaims {
  /** The oldest first. */
  readonly #epochs = new Map<string, Epoch>();
  #bytes = 0;

  /** The agent of this name has left under this epoch. */
  add(name: string, epoch: Epoch): void {
    if (!this.#epochs.delete(name)) this.#bytes += bytesOf(name);
    this.#epochs.set(name, epoch);
    for (const [oldest] of this.#epochs) {
      if (this.#bytes <= mostBytes) return;
      this.#epochs.delete(oldest);
      this.#bytes -= bytesOf(oldest);
    }
  }

  /** Whether the agent has left under this epoch, or a newer one. */
  has(name: string, epoch: Epoch): boolean {
    const left = this.#epochs.get(name);
    return left !== undefined && compareEpochs(epoch, left) <= 0;
  }

  clear(): void {
    this.#epochs.clear();
    this.#bytes = 0;
  }
}

function bytesOf(name: string): number {
  return entryBytes + 2 * name.length;
}
