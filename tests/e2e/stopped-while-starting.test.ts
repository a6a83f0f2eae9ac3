import { once } from "node:events";
import { createServer } from "node:net";
import { constants } from "node:os";
import { expect, test } from "vitest";
import { NodeProgram } from "../support/node-program.ts";

/** A command `troupe host` that starts: it has connected to its database, which never answers. */
async function startingHost() {
  const database = createServer().listen(0, "127.0.0.1");
  const connected = once(database, "connection");
  await once(database, "listening");
  // A server on a port has this form of address.
  const { port } = database.address() as { readonly port: number };
  const state = `postgres://user@127.0.0.1:${port}/db`;
  const host = new NodeProgram("src/cli/main.ts", ["host", "--address", "127.0.0.1:0", "--no-admin", "--state", state]);
  const [socket] = await connected;
  const end = async (): Promise<void> => {
    await host[Symbol.asyncDispose]();
    socket.destroy();
    database.close();
  };
  return { host, [Symbol.asyncDispose]: end };
}

test("troupe host that still starts ends with 0 on SIGTERM, and says that it was not ready", async () => {
  await using starting = await startingHost();
  const { code, stdout, stderr } = await starting.host.stop("SIGTERM");
  expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
  expect(stderr).toContain("the host is stopped before it is ready");
});

test("a second process signal ends a start of troupe host at once", async () => {
  await using starting = await startingHost();
  starting.host.signal("SIGTERM");
  starting.host.signal("SIGINT");
  const { code } = await starting.host.ended;
  expect([128 + constants.signals.SIGTERM, 128 + constants.signals.SIGINT]).toContain(code);
});
