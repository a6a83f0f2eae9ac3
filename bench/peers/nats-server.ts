import { spawnSync } from "node:child_process";
import { createServer } from "node:net";
import type { PeerProcess } from "../support/peer-process.ts";
import type { ProcessGroup } from "../support/process-group.ts";

/** Returns the reason why NATS cannot take part; undefined if its server is on the PATH. */
export function natsAbsence(): string | undefined {
  const { status } = spawnSync("nats-server", ["--version"]);
  return status === 0 ? undefined : "needs nats-server on the PATH (Debian: apt-get install nats-server)";
}

/** Starts a NATS server on a free port as the group's `host`; resolves with its address when it takes connections. */
export async function startNatsServer(group: ProcessGroup): Promise<string> {
  const port = await freePort();
  const server: PeerProcess = group.start("host", ["nats-server", "--addr", "127.0.0.1", "--port", `${port}`]);
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
