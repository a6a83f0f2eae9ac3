import { once } from "node:events";
import { mkdtempSync, readdirSync, renameSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";
import { bindSocketFile, isDeadSocket } from "../../../../../src/transport/grpc/server/socket-file.ts";

const folder = mkdtempSync(join(tmpdir(), "troupe-"));
afterAll(() => rmSync(folder, { recursive: true }));

const opened: Server[] = [];
afterEach(async () => {
  for (const server of opened.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** A server that says its name. */
function makeServer(name: string): Server {
  const server = createServer((socket) => socket.on("error", () => undefined).end(name));
  opened.push(server);
  return server;
}

async function whoAnswers(path: string): Promise<string> {
  const socket = connect({ path });
  const [said] = await once(socket, "data");
  socket.destroy();
  return String(said);
}

/** Leaves a socket's file on which nobody answers. */
async function leaveDeadSocket(path: string): Promise<void> {
  const server = createServer().listen(`${path}.old`);
  await once(server, "listening");
  renameSync(`${path}.old`, path);
  await new Promise((resolve) => server.close(resolve));
}

test("a start that finds a dead socket does not take the place of another start that was quicker", async () => {
  const path = join(folder, "a.sock");
  await leaveDeadSocket(path);
  const quick = makeServer("quick");
  let isFirst = true;
  const starting = bindSocketFile(makeServer("slow"), path, async (asked) => {
    const isDead = await isDeadSocket(asked);
    if (isFirst) {
      isFirst = false;
      unlinkSync(path);
      quick.listen(path);
      await once(quick, "listening");
    }
    return isDead;
  });
  await expect(starting).rejects.toMatchObject({ code: "EADDRINUSE" });
  expect(await whoAnswers(path)).toBe("quick");
  expect(readdirSync(folder)).toEqual(["a.sock"]);
});

test("a start listens when the dead socket vanishes while it looks", async () => {
  const path = join(folder, "b.sock");
  await leaveDeadSocket(path);
  await bindSocketFile(makeServer("slow"), path, async (asked) => {
    const isDead = await isDeadSocket(asked);
    rmSync(path, { force: true });
    return isDead;
  });
  expect(await whoAnswers(path)).toBe("slow");
});

test("starts that find a dead socket at the same moment take it one after the other", async () => {
  const path = join(folder, "c.sock");
  for (let round = 0; round < 20; round += 1) {
    await leaveDeadSocket(path);
    const servers = Array.from({ length: 6 }, (_, at) => makeServer(`${at}`));
    const outcomes = await Promise.allSettled(servers.map((server) => bindSocketFile(server, path)));
    const winners = outcomes.flatMap(({ status }, at) => (status === "fulfilled" ? [`${at}`] : []));
    expect(winners).toEqual([await whoAnswers(path)]);
    await new Promise((resolve) => servers[Number(winners[0])]?.close(resolve));
    opened.length = 0;
  }
  expect(readdirSync(folder).filter((name) => name.startsWith("c.sock"))).toEqual([]);
});

test("a lock that a killed process left does not stop a start", async () => {
  const path = join(folder, "d.sock");
  await leaveDeadSocket(path);
  // No process has this number.
  writeFileSync(`${path}.lock`, "999999999");
  await bindSocketFile(makeServer("next"), path);
  expect(await whoAnswers(path)).toBe("next");
  expect(readdirSync(folder).filter((name) => name.startsWith("d.sock"))).toEqual(["d.sock"]);
});

test("a third start does not get the place while a late one looks at the socket of the second", async () => {
  const path = join(folder, "e.sock");
  await leaveDeadSocket(path);
  const outcomes: Promise<unknown>[] = [];
  const start = (name: string, isDead = isDeadSocket) => {
    outcomes.push(bindSocketFile(makeServer(name), path, isDead).catch((error: unknown) => error));
    return outcomes.at(-1);
  };
  await start("late", async (asked) => {
    const isDead = await isDeadSocket(asked);
    if (outcomes.length === 1) await start("second");
    else if (asked !== path) await start("third");
    return isDead;
  });
  expect((await Promise.all(outcomes)).filter((outcome) => outcome === undefined)).toHaveLength(1);
  expect(await whoAnswers(path)).toBe("second");
});
