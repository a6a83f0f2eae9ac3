import { NatsServer } from "./nats-server.ts";
import { NodeProgram } from "./node-program.ts";
import { Opened } from "./opened.ts";

/** A `troupe host` of a cluster as a real process. */
export interface HostProgram extends AsyncDisposable {
  readonly program: NodeProgram;
  /** The address that workers dial. */
  readonly address: string;
}

/** A NATS server, and hosts that agree on it. */
export class ClusterPrograms implements AsyncDisposable {
  readonly nats: NatsServer;
  readonly #opened = new Opened();

  private constructor(nats: NatsServer) {
    this.nats = nats;
    this.#opened.use(nats);
  }

  static async start(): Promise<ClusterPrograms> {
    return new ClusterPrograms(await NatsServer.start());
  }

  /** Starts a host; resolves when it is ready. */
  async startHost(...flags: readonly string[]): Promise<HostProgram> {
    const program = new NodeProgram("src/cli/main.ts", [
      ...["host", "--address", "127.0.0.1:0", "--no-admin", "--cluster", this.nats.url],
      ...flags,
    ]);
    this.#opened.use(program);
    const [, address = ""] = await program.output(/troupe host listening on (\S+)/);
    return { program, address, [Symbol.asyncDispose]: () => program[Symbol.asyncDispose]() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened[Symbol.asyncDispose]();
  }
}
