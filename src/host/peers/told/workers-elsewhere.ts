import type { WorkerElsewhere } from "../worker-elsewhere.ts";

/** The channels under one name. There may be thousands: a worker chooses its names. */
interface Channels {
  readonly all: Set<WorkerElsewhere>;
  newest: WorkerElsewhere;
}

/** The data channels of workers at other hosts, as those hosts have told them. */
export class WorkersElsewhere {
  readonly #byWorker = new Map<string, Channels>();
  readonly #byClient = new Map<string, Channels>();

  /** Returns the newest channel of a worker. */
  ofWorker(workerId: string): WorkerElsewhere | undefined {
    return this.#byWorker.get(workerId)?.newest;
  }

  /** Returns the newest channel under a client id. */
  ofClient(clientId: string): WorkerElsewhere | undefined {
    return this.#byClient.get(clientId)?.newest;
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

function put(table: Map<string, Channels>, name: string, worker: WorkerElsewhere): void {
  const known = table.get(name);
  if (known === undefined) table.set(name, { all: new Set([worker]), newest: worker });
  else {
    known.all.add(worker);
    known.newest = newer(known.newest, worker);
  }
}

function take(table: Map<string, Channels>, name: string, worker: WorkerElsewhere): void {
  const known = table.get(name);
  if (known === undefined || !known.all.delete(worker)) return;
  const [first, ...others] = known.newest === worker ? known.all : [known.newest];
  if (first === undefined) table.delete(name);
  else known.newest = others.reduce(newer, first);
}

function newer(one: WorkerElsewhere, other: WorkerElsewhere): WorkerElsewhere {
  return other.session >= one.session ? other : one;
}
