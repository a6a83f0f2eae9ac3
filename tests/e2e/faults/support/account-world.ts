import { join } from "node:path";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { openPostgresStore } from "troupe/storage/postgres";
import { onTestFinished } from "vitest";
import { openSqliteStoreWith } from "../../../../src/storage/sqlite/open-sqlite-store.ts";
import { freePort } from "../../../support/free-ports.ts";
import { NodeProgram } from "../../../support/node-program.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";
import { newFolder } from "../../../support/sqlite-stores.ts";
import { StoredVersions } from "./stored-versions.ts";

/** `troupe host` over a store, whose process a test ends and starts again at the same address. */
export class KeptHost {
  /** Known from its first start on. */
  address = "";
  readonly #state: string;
  readonly #flags: readonly string[];
  #program: NodeProgram | undefined;

  constructor(state: string, flags: readonly string[] = []) {
    this.#state = state;
    this.#flags = flags;
    onTestFinished(() => this.#program?.[Symbol.asyncDispose]());
  }

  get program(): NodeProgram {
    if (this.#program === undefined) throw new Error("It was not started.");
    return this.#program;
  }

  /** Starts it, at the address that it had before. */
  async start(...flags: readonly string[]): Promise<void> {
    if (this.address === "") this.address = `127.0.0.1:${await freePort()}`;
    const args = ["host", "--address", this.address, "--state", this.#state, ...this.#flags, ...flags];
    this.#program = new NodeProgram("src/cli/main.ts", args);
    const [, address = ""] = await this.#program.output(/listening on (\S+)/);
    this.address = address;
  }
}

/** Starts a worker of tests/e2e/faults/programs, and waits until it serves. */
export async function startAccountWorker(
  address: string,
  name: string,
  ...args: readonly string[]
): Promise<NodeProgram> {
  const program = new NodeProgram("tests/e2e/faults/programs/account-worker.ts", [address, name, ...args]);
  onTestFinished(() => program[Symbol.asyncDispose]());
  await program.output(/ready/);
  return program;
}

/** A caller in the test's own process. */
export async function startCaller(address: string | readonly string[]): Promise<GrpcWorkerAgentRuntime> {
  const runtime = new GrpcWorkerAgentRuntime(address, {
    ...{ logger: new RecordingLogger(), reconnect: { initialDelayMs: 20, maxDelayMs: 100 } },
  });
  onTestFinished(() => runtime.stop());
  await runtime.start();
  return runtime;
}

/** A new SQLite file, as `--state` names it. */
export function newStateFile(folder = newFolder()): string {
  return `sqlite:${join(folder, "state.db")}`;
}

/** Looks into a state store, to which a host may write meanwhile. `state` is the value of the host's `--state`. */
export async function versionsIn(state: string): Promise<StoredVersions> {
  const [, file] = /^sqlite:(.*)/.exec(state) ?? [];
  const store =
    file === undefined ? await openPostgresStore(state) : await openSqliteStoreWith(file, { thread: false }, {});
  onTestFinished(() => store.close());
  return new StoredVersions(store);
}
