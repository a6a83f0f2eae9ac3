import { AgentId, TypeSubscription } from "troupe";
import { GrpcWorkerAgentRuntime, type GrpcWorkerAgentRuntimeOptions } from "troupe/grpc";
import { OrderedArrivals, Reader } from "../../../support/load/agents.ts";
import { CallLedger, type CallOutcome } from "../../../support/load/call-ledger.ts";
import { CallLoad, untilAnswered } from "../../../support/load/call-load.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";
import { EventStream } from "./event-stream.ts";

/** A worker in the test's own process, whose calls are booked to the millisecond. */
export class Caller implements AsyncDisposable {
  readonly runtime: GrpcWorkerAgentRuntime;
  readonly ledger: CallLedger;
  readonly name: string;

  private constructor(name: string, runtime: GrpcWorkerAgentRuntime) {
    this.runtime = runtime;
    this.name = name;
    this.ledger = new CallLedger(name);
  }

  static async start(name: string, address: string, options: GrpcWorkerAgentRuntimeOptions = {}): Promise<Caller> {
    const runtime = new GrpcWorkerAgentRuntime(address, { logger: new RecordingLogger(), ...options });
    await runtime.start();
    return new Caller(name, runtime);
  }

  /** Calls in flight to an agent type that never answers, each to an agent of its own. */
  hold(type: string, count: number): Promise<CallOutcome[]> {
    const calls = Array.from({ length: count }, (_, at) =>
      this.ledger.call(this.runtime, new AgentId(type, `k${at % 50}`)),
    );
    return Promise.all(calls);
  }

  load(targets: readonly string[], concurrency: number): CallLoad {
    return new CallLoad({
      runtime: this.runtime,
      ledger: this.ledger,
      targets: targets.map(AgentId.parse),
      concurrency,
    });
  }

  /** Publishes on a topic of this type from now on. */
  publish(topicType: string): EventStream {
    return new EventStream(this.runtime, this.name, topicType);
  }

  /** Reads a topic of this type from now on. */
  async read(topicType: string): Promise<OrderedArrivals> {
    const arrivals = new OrderedArrivals();
    const type = `reader_${topicType}`;
    await Reader.register(this.runtime, type, () => new Reader(arrivals));
    await this.runtime.addSubscription(new TypeSubscription(topicType, type));
    return arrivals;
  }

  untilAnswered(target: string): Promise<void> {
    return untilAnswered(this.ledger, this.runtime, AgentId.parse(target));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.runtime[Symbol.asyncDispose]();
  }
}
