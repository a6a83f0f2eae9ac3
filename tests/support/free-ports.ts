import { createServer } from "node:net";

/**
 * Systems give ports from 32768 on to servers that ask for any port, and to outgoing connections. A port below that is not given to another program
 * between the look and the start of a server, nor while a server is away.
 */
const [first, end] = [20_000, 32_000];
const given = new Set<number>();

/** A port of 127.0.0.1 that is free, for a server that can't choose one itself, or that comes back at its address. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = first + Math.floor(Math.random() * (end - first));
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}

/** Several of them. */
export async function freePorts(count: number): Promise<readonly number[]> {
  return Promise.all(Array.from({ length: count }, freePort));
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}
