import { AgentId, handlerTable, RoutedAgent } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { Ping } from "../rpc/messages.ts";

class Target extends RoutedAgent {
  static override readonly handlers = handlerTable<Target>().rpc(Ping, (ping) => ping);
}

/** Two of Troupe's workers, with all defaults: an agent of the one calls one of the other. */
export class TroupeWorkers {
  readonly #caller: GrpcWorkerAgentRuntime;
  readonly #target: GrpcWorkerAgentRuntime;

  private constructor(caller: GrpcWorkerAgentRuntime, target: GrpcWorkerAgentRuntime) {
    this.#caller = caller;
    this.#target = target;
  }

  static async start(address: string, certificate: string | undefined): Promise<TroupeWorkers> {
    const options = certificate === undefined ? {} : { channelOptions: { tls: { ca: certificate } } };
    const [caller, target] = [
      new GrpcWorkerAgentRuntime(address, options),
      new GrpcWorkerAgentRuntime(address, options),
    ];
    await caller.start();
    await target.start();
    caller.addMessageSerializer(Ping);
    await Target.register(target, "troupe-target", () => new Target("answers"));
    return new TroupeWorkers(caller, target);
  }

  get lost(): readonly string[] {
    const { reconnections: ofCaller } = this.#caller.counters();
    const { reconnections: ofTarget } = this.#target.counters();
    return [
      ...(ofCaller > 0 ? [`Troupe's caller lost its connection ${ofCaller} times`] : []),
      ...(ofTarget > 0 ? [`Troupe's target lost its connection ${ofTarget} times`] : []),
    ];
  }

  /** Rejects unless the call succeeds. */
  async call(): Promise<void> {
    await this.#caller.sendMessage(Ping({ content: "x" }), new AgentId("troupe-target", "1"));
  }
}
