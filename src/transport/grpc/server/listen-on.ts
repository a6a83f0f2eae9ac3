import type { ListenOptions, Server } from "node:net";

/** Resolves when the server listens; rejects with the system's error. */
export function listenOn(server: Server, where: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
