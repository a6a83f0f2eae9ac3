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

interface EventParties {
  readonly host: HostKind;
  /**
   * Returns the command of the publisher (with the number of workers) or of a worker (with its index and number of
   * agents).
   */
  readonly end: (...end: EndArguments) => readonly string[];
  readonly absent?: string | undefined;
}

/** A host, a publisher and the workers of one shape. */
class EventContender implements Contender<Shape> {
  readonly name: string;
  readonly absent: string | undefined;
  readonly #parties: EventParties;
  readonly #group: ProcessGroup;

  constructor(name: string, parties: EventParties) {
    this.name = name;
    this.absent = parties.absent;
    this.#parties = parties;
    this.#group = new ProcessGroup(name);
  }

  async start([shape]: readonly Shape[]): Promise<void> {
    if (shape === undefined) return;
    const address = await startHost(this.#group, this.#parties.host);
    const end = (...ofEnd: EndArguments) => this.#parties.end(...ofEnd);
    for (let index = 0; index < shape.workers; index += 1) {
      this.#group.start("workers", end("worker", address, `${index}`, `${shape.agentsPerWorker}`));
    }
    const publisher = this.#group.start("publisher", end("publisher", address, `${shape.workers}`));
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

  stop(): Promise<void> {
    return this.#group.stop();
  }

  async #publish({ workers, agentsPerWorker }: Shape, round: PublishRound) {
    const publisher = this.#group.get("publisher");
    publisher.send(round);
    // The other sides of these lines are publish-rounds.ts, tally.ts and bench/python/events.py.
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
const troupe = ([role, ...rest]: EndArguments) => programCommand(import.meta, role, ...rest);

/** Contender that the others are compared with. */
export const baseline = "Python AutoGen";

export function createContenders(): Contender<Shape>[] {
  const pythonIsAbsent = pythonAbsence();
  return [
    new EventContender("Troupe", { host: "troupe", end: (...end) => troupe(end) }),
    new EventContender("NATS subjects", {
      host: "nats",
      end: (...end) => programCommand(import.meta, "nats", ...end),
      absent: natsAbsence(),
    }),
    new EventContender("plain TCP relay", { host: "tcp", end: (...end) => programCommand(import.meta, "tcp", ...end) }),
    new EventContender("Python's workers, Troupe's host", { host: "troupe", end: python, absent: pythonIsAbsent }),
    new EventContender(baseline, { host: "python", end: python, absent: pythonIsAbsent }),
  ];
}
