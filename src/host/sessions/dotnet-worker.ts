import { limits } from "../limits.ts";

// protocol.md §7
/**
 * A .NET worker, over all the data channels that it opens under its client id. After an exception its reader opens the
 * channel again. From then on the worker loses the answers that it sends, and does not register its types again.
 */
export class DotnetWorker {
  /** Data channels that it has opened. */
  channels = 0;
  /** Whether the log has said that an answer is withheld from it. */
  isNamedForAnswers = false;

  /** Its calls are handled and never answered; only a new process mends it. Events still reach its agents. */
  get hasReopened(): boolean {
    return this.channels > 1;
  }
}

/** The .NET workers whose channels the host has seen, by client id. A new process has a new id. */
export class DotnetWorkers {
  /** The one that has opened no channel for the longest time comes first; the host forgets it first. */
  readonly #workers = new Map<string, DotnetWorker>();
  #bytes = 0;

  /** A worker has opened a data channel. */
  opened(clientId: string): DotnetWorker {
    const worker = this.#workers.get(clientId) ?? new DotnetWorker();
    worker.channels += 1;
    if (!this.#workers.delete(clientId)) this.#bytes += bytesOf(clientId);
    this.#workers.set(clientId, worker);
    for (const oldest of this.#workers.keys()) {
      if (this.#bytes <= limits.dotnetWorkerBytes) break;
      this.#workers.delete(oldest);
      this.#bytes -= bytesOf(oldest);
    }
    return worker;
  }

  /** Whether the worker of this id loses the answers that it sends. */
  hasReopened(clientId: string): boolean {
    return this.#workers.size > 0 && this.#workers.get(clientId)?.hasReopened === true;
  }
}

// protocol.md §7
/** Whether a worker of .NET's takes a text as an agent's key: printable ASCII that is not blank alone. */
export function isPortableKey(text: string): boolean {
  return /^(?=.*[^ ])[ -~]+$/.test(text);
}

/** About what an entry occupies beside its id. */
const entryBytes = 150;

function bytesOf(clientId: string): number {
  return entryBytes + 2 * clientId.length;
}
