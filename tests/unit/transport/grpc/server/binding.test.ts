import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import { networkInterfaces } from "node:os";
import { afterEach, expect, test } from "vitest";
import { bindServers, portOf } from "../../../../../src/transport/grpc/server/binding.ts";

const opened: Server[] = [];
afterEach(async () => {
  for (const server of opened.splice(0)) await new Promise((resolve) => server.close(resolve));
});

function makeServer(): Server {
  const server = createServer((socket) => socket.end());
  opened.push(server);
  return server;
}

/** Binds as for a name that has these addresses. */
const bind = (addresses: readonly string[], port = 0) =>
  bindServers(makeServer, { kind: "tcp", host: "localhost", port, secure: false }, async () => addresses);

async function answers(host: string, port: number | undefined): Promise<boolean> {
  const socket = connect({ host, port: port ?? 0 });
  const [event] = await Promise.race([once(socket, "connect").then(() => ["connect"]), once(socket, "error")]);
  socket.destroy();
  return event === "connect";
}

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));
const absent = "203.0.113.1";

test("a name with two addresses is served at both, on one port", async (context) => {
  if (!hasIpv6) context.skip("this machine has no IPv6");
  const servers = await bind(["127.0.0.1", "::1"]);
  expect(servers).toHaveLength(2);
  const port = portOf(servers[0]);
  expect(await answers("127.0.0.1", port)).toBe(true);
  expect(await answers("::1", port)).toBe(true);
});

test.each([[[absent, "127.0.0.1"]], [["127.0.0.1", absent]]])(
  "an address that this machine lacks is left out: %j",
  async (addresses) => {
    const [server, ...others] = await bind(addresses);
    expect(others).toEqual([]);
    expect(server?.address()).toMatchObject({ address: "127.0.0.1" });
  },
);

test("a name that has no address of this machine is refused", async () => {
  await expect(bind([absent])).rejects.toMatchObject({ code: "EADDRNOTAVAIL" });
});

test("a port that is taken at the second address is refused, and the first one is free again", async (context) => {
  if (!hasIpv6) context.skip("this machine has no IPv6");
  const other = makeServer();
  other.listen(0, "::1");
  await once(other, "listening");
  const port = portOf(other);
  await expect(bind(["127.0.0.1", "::1"], port)).rejects.toMatchObject({ code: "EADDRINUSE" });
  expect(await answers("127.0.0.1", port)).toBe(false);
});
