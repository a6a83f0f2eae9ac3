import type { Server } from "node:net";

/** Makes a server listen on a free port of 127.0.0.1; resolves to its address, `127.0.0.1:port`. */
export async function listenOnFreePort(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server has an address");
  return `127.0.0.1:${address.port}`;
}
