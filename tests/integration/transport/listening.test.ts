import { spawn } from "node:child_process";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { Host } from "../../../src/host/index.ts";
import { grpcDialer, grpcListener } from "../../../src/transport/index.ts";

const folder = mkdtempSync(join(tmpdir(), "troupe-"));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const freshPath = () => join(folder, `${files++}.sock`);

const hostAt = (address: string) => new Host({ listener: grpcListener(), address });

async function answers(address: string): Promise<boolean> {
  const link = grpcDialer({ connectTimeoutMs: 5_000 }).dial(address);
  try {
    await link.ready();
    return true;
  } catch {
    return false;
  } finally {
    await link.close();
  }
}

/** Leaves the file of a socket behind whose process was killed. */
async function leaveDeadSocket(path: string): Promise<void> {
  const script = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.stdout.write("up"))`;
  const child = spawn(process.execPath, ["--eval", script], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "close");
  if (!existsSync(path)) throw new Error("the file is gone");
}

describe("localhost", () => {
  test("is served at each of its addresses, under one port and the name that was given", async (context) => {
    const found = new Set((await lookup("localhost", { all: true })).map(({ address }) => address));
    const own = new Set(Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address) ?? []));
    const here = [...found].filter((address) => own.has(address));
    if (here.length < 2) context.skip("localhost has one address here");
    await using host = hostAt("localhost:0");
    await host.start();
    expect(host.address).toMatch(/^localhost:\d+$/);
    const port = host.address.split(":")[1];
    for (const address of here)
      expect(await answers(`${address.includes(":") ? `[${address}]` : address}:${port}`)).toBe(true);
  });

  test("is refused when another program has the port at one of its addresses", async (context) => {
    const found = (await lookup("localhost", { all: true })).map(({ address }) => address);
    const last = found.at(-1);
    if (found.length < 2) context.skip("localhost has one address here");
    const other = createServer().listen(0, last);
    await once(other, "listening");
    const bound = other.address();
    if (bound === null || typeof bound === "string") throw new Error("no port");
    await expect(hostAt(`localhost:${bound.port}`).start()).rejects.toThrow("already in use");
    for (const address of found.slice(0, -1)) {
      const socket = connect({ host: address, port: bound.port });
      expect(await once(socket, "error")).toMatchObject([{ code: "ECONNREFUSED" }]);
    }
    other.close();
    await once(other, "close");
  });
});

describe("a Unix socket", () => {
  test("whose process was killed is taken over", async () => {
    const path = freshPath();
    await leaveDeadSocket(path);
    await using host = hostAt(`unix:${path}`);
    await host.start();
    expect(await answers(host.address)).toBe(true);
    expect(readdirSync(folder).filter((name) => name.startsWith(`${path.slice(folder.length + 1)}.`))).toEqual([]);
  });

  test("on which a host answers stays its own", async () => {
    const path = freshPath();
    await using first = hostAt(`unix:${path}`);
    await first.start();
    await expect(hostAt(`unix:${path}`).start()).rejects.toMatchObject({
      message: expect.stringContaining("already in use"),
    });
    expect(await answers(first.address)).toBe(true);
  });

  test("that several starts want at once goes to one of them, and that one is reached", async () => {
    const path = freshPath();
    await leaveDeadSocket(path);
    const hosts = Array.from({ length: 8 }, () => hostAt(`unix:${path}`));
    const outcomes = await Promise.allSettled(hosts.map((host) => host.start()));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await answers(`unix:${path}`)).toBe(true);
    const winner = hosts[outcomes.findIndex(({ status }) => status === "fulfilled")];
    await winner?.stop({ graceMs: 0 });
    expect(await answers(`unix:${path}`), "nobody else serves it").toBe(false);
    await Promise.all(hosts.map((host) => host.stop({ graceMs: 0 })));
  });

  test("is not made in the place of another file", async () => {
    const path = freshPath();
    writeFileSync(path, "precious");
    await expect(hostAt(`unix:${path}`).start()).rejects.toMatchObject({
      message: expect.stringContaining("not a socket"),
    });
    expect(readFileSync(path, "utf8")).toBe("precious");
  });
});
