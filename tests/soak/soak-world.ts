import { GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { type FaultProxy, startFaultProxy } from "troupe/testing";
import { systemClock } from "../../src/core/internal.ts";
import { CountingClock } from "../support/counting-clock.ts";
import { CallLoad } from "../support/load/call-load.ts";
import { Cuts } from "./cuts.ts";
import { EventBooks } from "./event-books.ts";
import { LogTally } from "./log-tally.ts";
import { EventLoad, keepAliveMs, SoakWorker } from "./soak-worker.ts";
import { guestbook, Visitors } from "./visitors.ts";

/** The topic type that all residents read. */
const everybody = "everybody";

export interface Traveller {
  readonly worker: SoakWorker;
  readonly proxy: FaultProxy;
}

/** A host over gRPC, with residents that nobody disturbs and travellers whose connections are cut. */
export interface SoakWorld {
  readonly host: GrpcWorkerAgentRuntimeHost;
  readonly books: EventBooks;
  readonly log: LogTally;
  /** What the host waits for, and all workers together. */
  readonly clocks: { readonly host: CountingClock; readonly workers: CountingClock };
  readonly residents: readonly [SoakWorker, ...SoakWorker[]];
  readonly travellers: readonly [Traveller, ...Traveller[]];
  /** Visitors that lose their connection come by it. */
  readonly rudeProxy: FaultProxy;
}

export async function startWorld(): Promise<SoakWorld> {
  const books = new EventBooks();
  const log = new LogTally();
  const clocks = { host: new CountingClock(systemClock), workers: new CountingClock(systemClock) };
  const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
    ...{ logger: log, clock: clocks.host },
    channelOptions: { pingIntervalMs: keepAliveMs },
  });
  await host.start();
  const { address } = host;
  const common = { books, logger: log, clock: clocks.workers };
  const resident = (name: string) => SoakWorker.start({ name, address, ...common, topics: [everybody, guestbook] });
  const traveller = async (name: string): Promise<Traveller> => {
    const proxy = await startFaultProxy({ target: address });
    return { proxy, worker: await SoakWorker.start({ name, address: proxy.address, ...common }) };
  };
  return {
    host,
    books,
    log,
    clocks,
    residents: [await resident("resident0"), await resident("resident1"), await resident("resident2")],
    travellers: [await traveller("traveller0"), await traveller("traveller1"), await traveller("traveller2")],
    rudeProxy: await startFaultProxy({ target: address }),
  };
}

/** All that goes on in a world for a while, and what came of it. */
export class Bustle {
  readonly visitors: Visitors;
  readonly cuts: Cuts;
  readonly #loads: readonly { stop(): Promise<void> }[];

  /** `firstVisitor`: their numbers go on from there. */
  constructor(world: SoakWorld, seed: number, firstVisitor: number) {
    const { host, books, log, clocks, residents, travellers, rudeProxy } = world;
    const [observer] = residents;
    const workers = travellers.map(({ worker }) => worker);
    const homes = residents.map(({ echo }) => echo);
    const roads = workers.map(({ echo }) => echo);
    const pace = { concurrency: 4, gapMs: 30 };
    this.visitors = new Visitors(
      { address: host.address, rudeProxy, residents, books, logger: log, clock: clocks.workers, everyMs: 250 },
      firstVisitor,
    );
    this.cuts = new Cuts({ workers: travellers, observer, books, seed, everyMs: 700 });
    this.#loads = [
      ...residents.flatMap((worker) => [
        new CallLoad({ runtime: worker.runtime, ledger: worker.sureCalls, targets: homes, ...pace }),
        new CallLoad({ runtime: worker.runtime, ledger: worker.riskyCalls, targets: roads, ...pace }),
        new EventLoad(worker, everybody, 20),
      ]),
      ...workers.flatMap((worker) => [
        new CallLoad({ runtime: worker.runtime, ledger: worker.riskyCalls, targets: [...homes, ...roads], ...pace }),
        new EventLoad(worker, everybody, 20),
      ]),
      ...residents.flatMap((worker) => workers.map(({ name }) => new EventLoad(worker, name, 40))),
    ];
  }

  /** Resolves when everything it started has come to its end, and every stream of events has had one that was not disturbed. */
  async stop({ books, residents, travellers }: SoakWorld): Promise<void> {
    await this.cuts.stop();
    await Promise.all([this.visitors, ...this.#loads].map((load) => load.stop()));
    for (const worker of residents) for (const traveller of travellers) await worker.publish(traveller.worker.name);
    for (const worker of [...residents, ...travellers.map((traveller) => traveller.worker)])
      await worker.publish(everybody);
    await books.until(() => books.isSettled);
  }
}

/** Ends everything; what the host still has in its tables then is a leak. */
export async function endWorld({ host, residents, travellers, rudeProxy }: SoakWorld): Promise<void> {
  await Promise.all([...residents, ...travellers.map(({ worker }) => worker)].map((worker) => worker.stop()));
  await Promise.all([rudeProxy, ...travellers.map(({ proxy }) => proxy)].map((proxy) => proxy.close()));
  await host.stop();
}
