import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PeerProcess } from "../support/peer-process.ts";
import type { ProcessGroup } from "../support/process-group.ts";

/** Returns the reason why NATS cannot take part; undefined if its server is on the PATH. */
export function natsAbsence(): string | undefined {
  const { status } = spawnSync("nats-server", ["--version"]);
  return status === 0 ? undefined : "needs nats-server on the PATH (Debian: apt-get install nats-server)";
}

/** A NATS server with JetStream, whose files are in the folder for temporary files. It does not sync them with each write. */
export class NatsFiles {
  readonly address: string;
  readonly #folder: string;

  private constructor(address: string, folder: string) {
    this.address = address;
    this.#folder = folder;
  }

  /** Starts it as the group's `host`. */
  static async start(group: ProcessGroup): Promise<NatsFiles> {
    const folder = mkdtempSync(join(tmpdir(), "troupe-bench-nats-"));
    return new NatsFiles(await startNatsServer(group, ["--jetstream", "--store_dir", folder]), folder);
  }

  /** Removes the files, after the group has stopped. */
  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Starts a NATS server on a free port as the group's `host`; resolves with its address when it takes connections. */
export async function startNatsServer(group: ProcessGroup, flags: readonly string[] = []): Promise<string> {
  const port = await freePort();
  const command = ["nats-server", "--addr", "127.0.0.1", "--port", `${port}`, ...flags];
  const server: PeerProcess = group.start("host", command);
  await server.match(/Server is ready/);
  return `127.0.0.1:${port}`;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
