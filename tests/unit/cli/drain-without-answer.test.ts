import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test, vi } from "vitest";
import { AdminClient } from "../../../src/cli/admin/admin-client.ts";
import { drainWorker } from "../../../src/cli/commands/drain.ts";
import { drainHost } from "../../../src/cli/commands/drain-host.ts";

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

test.each([
  [2, []],
  [5, ["draining; it does not tell its state now\n"]],
])("troupe drain host says that a host tells nothing only when that lasts (%s looks)", async (silentLooks, silent) => {
  const status = { workers: 1, stockWorkers: 0, calls: 2 };
  const row = { hostId: "h2", name: "two", isAsked: false, state: "draining" };
  // The host is chosen at the first look. It tells its state once more, then nothing, and then it has left.
  const looks = [
    { ...row, status },
    { ...row, status },
    ...Array.from({ length: silentLooks }, () => ({ ...row, status: null })),
  ];
  const answers = [{ pid: 1 }, looks.slice(0, 1), {}, ...looks.slice(1).map((one) => [one]), []];
  const server = createServer((_request, response) => {
    const answer = answers.shift();
    response.end(JSON.stringify(Array.isArray(answer) ? { rows: answer, next: null } : answer));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  // A server on a port has this form of address.
  const { port } = server.address() as AddressInfo;
  const written: string[] = [];
  const spy = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
  try {
    const client = new AdminClient({ url: `http://127.0.0.1:${port}`, token: "t" });
    const drained = await drainHost(client, "two", {}, { everyMs: 0, timeoutMs: 10_000 });
    expect(drained).toEqual({ hostId: "h2", name: "two", outcome: "ended" });
    expect(written).toEqual(["1 worker left, 2 calls under way\n", ...silent]);
  } finally {
    spy.mockRestore();
    server.closeAllConnections();
    server.close();
  }
});
