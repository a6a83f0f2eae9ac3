import { NatsFiles, natsAbsence } from "../../peers/nats-server.ts";
import { MeasuredPostgres, postgresAbsence } from "../../peers/postgres-server.ts";
import type { Contender, Round } from "../../support/contender.ts";
import { ProcessGroup } from "../../support/process-group.ts";
import { programCommand } from "../../support/project.ts";
import { measureCaller, warmUp } from "./contenders.ts";
import type { StateLoad } from "./loads.ts";

/** Three processes: a NATS server, and a target and a caller of one file that keep the state by hand. */
export class ByHandContender implements Contender<StateLoad> {
  readonly name: string;
  readonly absent: string | undefined;
  readonly #kind: "kv" | "pg";
  readonly #group: ProcessGroup;
  #files: NatsFiles | undefined;
  #postgres: MeasuredPostgres | undefined;

  constructor(name: string, kind: "kv" | "pg") {
    this.name = name;
    this.absent = natsAbsence() ?? (kind === "pg" ? postgresAbsence() : undefined);
    this.#kind = kind;
    this.#group = new ProcessGroup(name);
  }

  /** It has no activations. Calls that wait for one row, or meet on one key, end after seconds, and are left out. */
  carries({ writes, recipients }: StateLoad): boolean {
    return writes && recipients !== "one";
  }

  async start(): Promise<void> {
    this.#files = await NatsFiles.start(this.#group);
    if (this.#kind === "pg") this.#postgres = await MeasuredPostgres.start();
    const { address } = this.#files;
    const url = this.#postgres?.url ?? "";
    const target = programCommand(import.meta, "by-hand", "target", address, this.#kind, url);
    await this.#group.start("target", target).next("ready");
    await this.#group.start("caller", programCommand(import.meta, "by-hand", "caller", address)).next("ready");
    await warmUp(this.#group);
  }

  measure(load: StateLoad, seconds: number): Promise<Round> {
    return measureCaller(this.#group, load, seconds);
  }

  async stop(): Promise<void> {
    await this.#group.stop();
    await this.#postgres?.stop();
    this.#files?.remove();
  }
}
