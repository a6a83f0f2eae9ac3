import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { AdminClient } from "../../../src/cli/admin/admin-client.ts";
import { drainWorker } from "../../../src/cli/commands/drain.ts";

test("troupe drain ends with a sentence when its host does not answer any more", async () => {
  // A host that has stopped takes connections, and answers nothing.
  const server = createServer(() => undefined).listen(0, "127.0.0.1");
  await once(server, "listening");
  // A server on a port has this form of address.
  const { port } = server.address() as AddressInfo;
  const client = new AdminClient({ url: `http://127.0.0.1:${port}`, token: "t" });
  try {
    const drained = drainWorker(client, "w1", {}, { everyMs: 10, timeoutMs: 100 });
    await expect(drained).rejects.toMatchObject({
      name: "HostGoneError",
      message: `The host at http://127.0.0.1:${port} does not answer: it has not answered in 0.1 s. The worker may still be drained: see troupe workers when the host answers.`,
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
