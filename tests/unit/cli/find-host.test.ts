import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { AdminClient } from "../../../src/cli/admin/admin-client.ts";
import { type AdminFile, writeAdminFile } from "../../../src/cli/admin/admin-file.ts";
import { findHolder, findHost } from "../../../src/cli/admin/find-host.ts";
import { systemClock } from "../../../src/core/internal.ts";
import { BearerToken, HttpServer, tokenAdmission } from "../../../src/http/internal.ts";

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "troupe-find-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** A program that answers as a host's admin entry does, and its file. */
async function liveHost(file: string, facts: Partial<AdminFile> = {}): Promise<AdminFile> {
  const token = `token of ${file}`.replaceAll(/[^a-z0-9-]/g, "-");
  const about = { name: "one", pid: process.pid, address: "127.0.0.1:50051", state: "memory:", ...facts };
  const server = await HttpServer.open({
    ...{
      host: "127.0.0.1",
      port: 0,
      admission: tokenAdmission(new BearerToken(token)),
      logger: undefined,
      clock: systemClock,
    },
    openAccount: () => ({ take: () => true, whyNot: () => "", close: () => undefined }),
    routes: [{ method: "GET", path: "/v1/host", parameters: [], handle: async () => about }],
  });
  onTestFinished(() => server.close(0));
  const content = { url: `http://127.0.0.1:${server.address.port}`, token, ...about };
  writeAdminFile(file, content);
  return content;
}

test("the first host that answers is asked; files of dead hosts are passed over", async () => {
  const folder = newFolder();
  const live = await liveHost(join(folder, "admin-7.json"));
  // One whose process is gone, and one whose port another program has, which does not take its token.
  writeAdminFile(join(folder, "admin.json"), { ...live, pid: 2 ** 30, url: "http://127.0.0.1:1" });
  writeAdminFile(join(folder, "admin-1.json"), { ...live, token: "of-another" });
  expect((await findHost({}, folder)).url).toBe(live.url);
});

test("no token is shown to what answers in a dead host's place, under another process id, or beyond this machine", async () => {
  const folder = newFolder();
  const file = join(folder, "admin.json");
  const dead = await liveHost(file, { pid: 2 ** 30 });
  await expect(findHost({}, folder)).rejects.toThrow(/hosts that are dead or do not answer/);
  const live = await liveHost(file);
  writeAdminFile(file, { ...live, pid: process.ppid });
  await expect(findHost({}, folder)).rejects.toThrow(/hosts that are dead or do not answer/);
  // It reaches this machine, and looks like an address elsewhere.
  writeAdminFile(file, { ...live, url: live.url.replace("127.0.0.1", "0.0.0.0") });
  await expect(findHost({}, folder)).rejects.toThrow(/hosts that are dead or do not answer/);
  writeAdminFile(file, live);
  expect((await findHost({}, folder)).url).toBe(live.url);
  expect(dead.url).not.toBe(live.url);
});

test("an error of a program in the host's place can't steer a terminal", async () => {
  const server = createServer((_request, response) => {
    response.writeHead(400).end(JSON.stringify({ detail: "\u001b[31mred", code: "not-found" }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const client = new AdminClient({ url: `http://127.0.0.1:${port}`, token: "t" });
  const error: unknown = await client.ask("GET", "/v1/host").catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "not-found", message: expect.stringMatching(/31mred$/) });
  expect(String(error)).not.toContain("\u001b");
});

test("the error of a folder without an admin file says where a host with a --state of its own has it", async () => {
  await expect(findHost({}, newFolder())).rejects.toThrow(
    /has no such admin file\. .*--admin-file: admin\.json, beside the SQLite file of its --state\.$/,
  );
});

test("--name picks among several hosts", async () => {
  const folder = newFolder();
  await liveHost(join(folder, "admin.json"), { name: "one" });
  const two = await liveHost(join(folder, "admin-2.json"), { name: "two" });
  expect((await findHost({ name: "two" }, folder)).url).toBe(two.url);
  await expect(findHost({ name: "three" }, folder)).rejects.toThrow(/No host of the name three answers here/);
});

test("--admin-file and --admin with --token-file name a host; the token leaves this machine for no other address", async () => {
  const folder = newFolder();
  const file = join(folder, "elsewhere.json");
  const live = await liveHost(file);
  expect((await findHost({ adminFile: file }, newFolder())).url).toBe(live.url);
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, `${live.token}\n`);
  const client = await findHost({ admin: live.url, tokenFile });
  expect(await client.ask("GET", "/v1/host")).toMatchObject({ name: "one" });
  await expect(findHost({ admin: live.url })).rejects.toThrow(/needs --token-file/);
  await expect(findHost({ tokenFile })).rejects.toThrow(/needs --admin/);
  await expect(findHost({ admin: live.url, tokenFile: join(folder, "none") })).rejects.toThrow(/none can't be read/);
  for (const admin of ["http://10.0.0.1:80", "https://127.0.0.1:1", "127.0.0.1:1", "http://127.0.0.1.evil:1"]) {
    await expect(findHost({ admin, tokenFile })).rejects.toThrow(/must not leave this machine/);
  }
});

test("without a host that answers, the error says where it has looked and what to do", async () => {
  const folder = newFolder();
  await expect(findHost({}, folder)).rejects.toMatchObject({
    name: "HostGoneError",
    message: expect.stringMatching(
      /No host answers here: .* no such admin file\. Run the command in the folder of troupe host/,
    ),
  });
  writeAdminFile(join(folder, "admin.json"), {
    ...{ url: "http://127.0.0.1:1", token: "t", pid: process.pid, name: "n", address: "a", state: "memory:" },
  });
  await expect(findHost({}, folder)).rejects.toThrow(/files of hosts that are dead or do not answer/);
  await expect(findHost({ adminFile: join(folder, "admin.json") })).rejects.toThrow(
    /is dead or does not answer\. Start it again/,
  );
  await expect(findHost({ adminFile: join(folder, "x.json") })).rejects.toThrow(/There is no admin file/);
});

test("the holder of a store is the living host that names it", async () => {
  const folder = newFolder();
  await liveHost(join(folder, "admin.json"), { state: "sqlite:/a.db" });
  const other = await liveHost(join(folder, "admin-2.json"), { state: "sqlite:/b.db" });
  expect((await findHolder("sqlite:/b.db", folder))?.url).toBe(other.url);
  expect(await findHolder("sqlite:/c.db", folder)).toBeUndefined();
});
