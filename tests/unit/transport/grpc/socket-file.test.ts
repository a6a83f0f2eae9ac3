import { once } from "node:events";
import { mkdtempSync, readdirSync, renameSync, rmSync, unlinkSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";
import { bindSocketFile, isDeadSocket } from "../../../../src/transport/grpc/server/socket-file.ts";

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
    unlinkSync(path);
    return isDead;
  });
  expect(await whoAnswers(path)).toBe("slow");
});
