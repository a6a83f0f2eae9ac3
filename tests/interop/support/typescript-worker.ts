import { AgentId, type AgentRuntime, type MessageType, type PublishOptions, TopicId, TypeSubscription } from "troupe";
import { GrpcWorkerAgentRuntime, type GrpcWorkerAgentRuntimeOptions } from "troupe/grpc";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { describeMessage } from "./messages.ts";
import type { ShownMessage } from "./peer-protocol.ts";
import { Sightings } from "./sightings.ts";
import { Collector, Echo, type Received } from "./typescript-agents.ts";

export interface TypeScriptWorkerOptions extends GrpcWorkerAgentRuntimeOptions {
  /** Types known besides those that the agents handle. */
  readonly types?: readonly MessageType[];
}

/** One of our workers over real gRPC, and what its agents have seen. Dispose stops it. */
export class TypeScriptWorker implements AsyncDisposable {
  readonly runtime: GrpcWorkerAgentRuntime;
  readonly logger = new RecordingLogger();
  readonly seen = new Sightings<Received>();

  private constructor(hostAddress: string, { types = [], ...options }: TypeScriptWorkerOptions) {
    this.runtime = new GrpcWorkerAgentRuntime(hostAddress, { logger: this.logger, ...options });
    this.runtime.addMessageSerializer(types);
  }

  static async start(hostAddress: string, options: TypeScriptWorkerOptions = {}): Promise<TypeScriptWorker> {
    const worker = new TypeScriptWorker(hostAddress, options);
    await worker.runtime.start();
    return worker;
  }

  async echo(type: string): Promise<void> {
    await Echo.register(this.runtime, type, () => new Echo(this.seen));
  }

  async collect(type: string, topicType: string): Promise<void> {
    await Collector.register(this.runtime, type, () => new Collector(this.seen));
    await this.runtime.addSubscription(new TypeSubscription(topicType, type));
  }

  call(target: string, message: unknown, options: Parameters<AgentRuntime["sendMessage"]>[2] = {}): Promise<unknown> {
    return this.runtime.sendMessage(message, AgentId.parse(target), options);
  }

  async callShown(target: string, message: unknown): Promise<ShownMessage> {
    return describeMessage(await this.call(target, message));
  }

  publish(topic: string, message: unknown, options: PublishOptions = {}): Promise<void> {
    return this.runtime.publishMessage(message, TopicId.parse(topic), options);
  }

  /** The next message that reaches an agent. */
  received(agent: string): Promise<Received> {
    return this.seen.next((message) => message.agent === agent);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.runtime[Symbol.asyncDispose]();
  }
}
