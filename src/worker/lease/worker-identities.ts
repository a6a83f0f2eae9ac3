import { identityMetadata, sessionMetadata, type WorkerIdentity } from "../../protocol/internal.ts";

// protocol.md §11.14, §11.19
/** The id under which hosts know this worker, and the number of its connections under this id. */
export class WorkerIdentities {
  readonly #next: (identity: WorkerIdentity) => WorkerIdentity;
  #identity: WorkerIdentity;
  #session = 0;

  /** `next`: returns what the worker is to hosts under another id. */
  constructor(first: WorkerIdentity, next: (identity: WorkerIdentity) => WorkerIdentity) {
    this.#identity = first;
    this.#next = next;
  }

  get workerId(): string {
    return this.#identity.id;
  }

  /** Whether the worker has opened a data channel under its id. */
  get hasConnected(): boolean {
    return this.#session > 0;
  }

  /** A data channel is opened: returns the metadata that says whose it is, and which. */
  nextConnection(): { readonly [name: string]: string } {
    this.#session += 1;
    return { ...identityMetadata(this.#identity), ...sessionMetadata(this.#session) };
  }

  /** From now on the worker is another one to every host. */
  renew(): void {
    this.#identity = this.#next(this.#identity);
    this.#session = 0;
  }
}
