import { natsAbsence } from "../peers/nats-server.ts";
import { type HostKind, startHost } from "../peers/start-host.ts";
import type { Contender, Round } from "../support/contender.ts";
import { LatencyRecorder } from "../support/latencies.ts";
import { ProcessGroup } from "../support/process-group.ts";
import { programCommand, pythonAbsence, pythonCommand } from "../support/project.ts";
import type { PublishRound } from "./publish-rounds.ts";
import type { Shape } from "./shapes.ts";

/** Event rate while latency is measured: less than half of what the slowest contender carries to 32 agents. */
const modestEventsPerSecond = 100;

type EndArguments = readonly [role: "publisher" | "worker", address: string, ...numbers: string[]];

/** The hosts of a contender that have started. */
export interface EventHosts {
  /** The address for the worker with this index; the publisher has that of the first. */
  address(at: number): string;
  /** Stops what is not in the contender's group. */
  stop(): Promise<void>;
}

interface EventParties {
  readonly hosts: (group: ProcessGroup) => Promise<EventHosts>;
  /**
   * Returns the command of the publisher (with the number of workers) or of a worker (with its index and number of
   * agents).
   */
  readonly end: (...end: EndArguments) => readonly string[];
  readonly absent?: string | undefined;
}

/** A host, a publisher and the workers of one shape. */
export class EventContender implements Contender<Shape> {
  readonly name: string;
  readonly absent: string | undefined;
  readonly #parties: EventParties;
  readonly #group: ProcessGroup;
  #hosts: EventHosts | undefined;

  constructor(name: string, parties: EventParties) {
    this.name = name;
    this.absent = parties.absent;
    this.#parties = parties;
    this.#group = new ProcessGroup(name);
  }

  async start([shape]: readonly Shape[]): Promise<void> {
    if (shape === undefined) return;
    const hosts = await this.#parties.hosts(this.#group);
    this.#hosts = hosts;
    const end = (...ofEnd: EndArguments) => this.#parties.end(...ofEnd);
    for (let index = 0; index < shape.workers; index += 1) {
      this.#group.start("workers", end("worker", hosts.address(index), `${index}`, `${shape.agentsPerWorker}`));
    }
    const publisher = this.#group.start("publisher", end("publisher", hosts.address(0), `${shape.workers}`));
    await Promise.all([publisher, ...this.#group.all("workers")].map((process) => process.next("ready")));
  }

  /** Publishes as many events as possible, then few to measure their latencies. */
  async measure(shape: Shape, seconds: number): Promise<Round> {
    const flood = await this.#group.withProcessorTime(async () => {
      const { deliveries, elapsedSeconds } = await this.#publish(shape, { seconds, eventsPerSecond: 0 });
      return { count: deliveries, perSecond: deliveries / elapsedSeconds };
    });
    const { latenciesUs } = await this.#publish(shape, { seconds, eventsPerSecond: modestEventsPerSecond });
    const latencies = new LatencyRecorder(latenciesUs.length);
    for (const latencyUs of latenciesUs) latencies.record(latencyUs);
    return { ...flood, ...latencies.summary() };
  }

  async stop(): Promise<void> {
    await this.#group.stop();
    await this.#hosts?.stop();
  }

  async #publish({ workers, agentsPerWorker }: Shape, round: PublishRound) {
    const publisher = this.#group.get("publisher");
    publisher.send(round);
    // The other sides of these lines are `publish-rounds.ts`, `tally.ts` and `bench/python/events.py`.
    const { events, elapsedSeconds } = (await publisher.next("round")) as unknown as PublishedRound;
    const reports = await Promise.all(
      this.#group.all("workers").map(async (worker) => {
        worker.send({ do: "report" });
        return (await worker.next("report")) as unknown as WorkerReport;
      }),
    );
    const deliveries = events * workers * agentsPerWorker;
    const arrived = reports.reduce((sum, report) => sum + report.deliveries, 0);
    if (arrived !== deliveries) throw new Error(`${this.name}: of ${deliveries} deliveries ${arrived} arrived`);
    return { deliveries, elapsedSeconds, latenciesUs: reports.flatMap((report) => report.latenciesUs) };
  }
}

interface PublishedRound {
  readonly events: number;
  readonly elapsedSeconds: number;
}

interface WorkerReport {
  readonly deliveries: number;
  readonly latenciesUs: readonly number[];
}

const python = (...end: EndArguments) => pythonCommand("events.py", ...end);
/** The command of Troupe's publisher or worker. */
export const troupe = (...[role, ...rest]: EndArguments): readonly string[] =>
  programCommand(import.meta, role, ...rest);

const one =
  (kind: HostKind) =>
  async (group: ProcessGroup): Promise<EventHosts> => {
    const address = await startHost(group, kind);
    return { address: () => address, stop: async () => undefined };
  };

/** Contender that the others are compared with. */
export const baseline = "Python AutoGen";

export function createContenders(): Contender<Shape>[] {
  const pythonIsAbsent = pythonAbsence();
  return [
    new EventContender("Troupe", { hosts: one("troupe"), end: troupe }),
    new EventContender("NATS subjects", {
      hosts: one("nats"),
      end: (...end) => programCommand(import.meta, "nats", ...end),
      absent: natsAbsence(),
    }),
    new EventContender("plain TCP relay", {
      hosts: one("tcp"),
      end: (...end) => programCommand(import.meta, "tcp", ...end),
    }),
    new EventContender("Python's workers, Troupe's host", {
      hosts: one("troupe"),
      end: python,
      absent: pythonIsAbsent,
    }),
    new EventContender(baseline, { hosts: one("python"), end: python, absent: pythonIsAbsent }),
  ];
}
