import type { WorkerElsewhere } from "./worker-elsewhere.ts";

/** The data channels of workers at other hosts, as those hosts have told them. */
export class WorkersElsewhere {
  readonly #byWorker = new Map<string, WorkerElsewhere[]>();
  readonly #byClient = new Map<string, WorkerElsewhere[]>();

  /** Returns the newest channel of a worker. */
  ofWorker(workerId: string): WorkerElsewhere | undefined {
    return newest(this.#byWorker.get(workerId));
  }

  /** Returns the newest channel under a client id. */
  ofClient(clientId: string): WorkerElsewhere | undefined {
    return newest(this.#byClient.get(clientId));
  }

  add(worker: WorkerElsewhere): void {
    put(this.#byWorker, worker.worker.id, worker);
    put(this.#byClient, worker.id, worker);
  }

  remove(worker: WorkerElsewhere): void {
    take(this.#byWorker, worker.worker.id, worker);
    take(this.#byClient, worker.id, worker);
  }
}

function newest(channels: readonly WorkerElsewhere[] | undefined): WorkerElsewhere | undefined {
  return channels?.reduce((one, other) => (other.session >= one.session ? other : one));
}

function put(table: Map<string, WorkerElsewhere[]>, name: string, worker: WorkerElsewhere): void {
  const known = table.get(name);
  if (known === undefined) table.set(name, [worker]);
  else known.push(worker);
}

function take(table: Map<string, WorkerElsewhere[]>, name: string, worker: WorkerElsewhere): void {
  const left = table.get(name)?.filter((one) => one !== worker) ?? [];
  if (left.length > 0) table.set(name, left);
  else table.delete(name);
}
