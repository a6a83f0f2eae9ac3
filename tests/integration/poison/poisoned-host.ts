import { Host, type HostOptions, type RunningHostCounters } from "../../../src/host/index.ts";
import { type GrpcListenerOptions, grpcListener } from "../../../src/transport/index.ts";
import { Bystanders } from "./bystanders.ts";
import { RawConnection } from "./raw-http2.ts";

/** How many bad inputs a test has tried, and the longest that the bystanders waited for an answer meanwhile. */
export interface Trial {
  readonly badInputs: number;
  readonly slowestMs: number;
}

/** A real host on a real port, a pair of workers that must notice nothing, and connections that do as they like. */
export class PoisonedHost {
  readonly host: Host;
  readonly bystanders: Bystanders;
  readonly #connections: RawConnection[] = [];
  #badInputs = 0;

  private constructor(host: Host, bystanders: Bystanders) {
    this.host = host;
    this.bystanders = bystanders;
  }

  static async start(listener: GrpcListenerOptions = {}, options: HostOptions = {}): Promise<PoisonedHost> {
    const host = new Host({ listener: grpcListener(listener), address: "127.0.0.1:0" }, options);
    await host.start();
    return new PoisonedHost(host, await Bystanders.join(host.address));
  }

  get counters(): RunningHostCounters {
    return this.host.counters();
  }

  /** Notes how many bad inputs a test has tried. */
  tried(count: number): void {
    this.#badInputs += count;
  }

  /** A TCP connection on which nothing was said yet. */
  async connect(): Promise<RawConnection> {
    return this.#keep(await RawConnection.connect(this.host.address));
  }

  /** An HTTP/2 connection. */
  async open(): Promise<RawConnection> {
    return this.#keep(await RawConnection.open(this.host.address));
  }

  /** Resolves when the counters are so; the test's own time limit ends a wait in vain. */
  async until(isSo: (counters: RunningHostCounters) => boolean): Promise<void> {
    while (!isSo(this.counters)) await new Promise((resolve) => setImmediate(resolve));
  }

  /** The pair has noticed nothing, the offenders are gone and have left nothing, and the host ends in good order. */
  async finish(): Promise<Trial> {
    for (const connection of this.#connections) connection.destroy();
    const { slowestMs } = await this.bystanders.finish();
    await this.until(({ channels, controlChannels, pendingCalls, agentTypes, subscriptions, transport }) => {
      const left = [channels, controlChannels, pendingCalls, agentTypes, subscriptions];
      return left.every((count) => count === 0) && transport.connections === 0 && transport.streams === 0;
    });
    await this.host.stop();
    return { badInputs: this.#badInputs, slowestMs };
  }

  #keep(connection: RawConnection): RawConnection {
    this.#connections.push(connection);
    return connection;
  }
}
