import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { AdminEntry } from "../../../src/admin/internal.ts";
import { AdminClient } from "../../../src/cli/admin/admin-client.ts";
import { readAdminFile, writeAdminFile } from "../../../src/cli/admin/admin-file.ts";
import { openAdmin, parseAdminAddress } from "../../../src/cli/admin/open-admin.ts";
import { type HostOperations, HostServicer, operationsOf } from "../../../src/host/internal.ts";
import { accessRules, tokenAuthenticator } from "../../../src/security/index.ts";
import { freePort } from "../../support/free-ports.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { testCertificate, testKey } from "../../support/test-certificate.ts";

function rig() {
  const folder = mkdtempSync(join(tmpdir(), "troupe-open-"));
  const logger = new RecordingLogger();
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const location = { kind: "sqlite", file: join(folder, "inner", "state.db") } as const;
  const parts = { host: operationsOf(new HostServicer()), address: "host:1", version: "1", location, logger };
  return { folder, logger, parts, file: join(folder, "inner", "admin.json") };
}

test("the file of a SQLite store's host stands beside it, and goes with the entry", async () => {
  const { parts, file, folder } = rig();
  mkdirSync(join(folder, "inner"));
  const admin = await openAdmin({ name: "one" }, parts);
  expect(readAdminFile(file)).toMatchObject({ url: admin?.url, name: "one", pid: process.pid, address: "host:1" });
  await admin?.close();
  expect(existsSync(file)).toBe(false);
});

test("a host that can't write its file goes on without an entry, and says so; one that was told to have it does not start", async () => {
  const { parts, file, logger } = rig();
  mkdirSync(join(file, "in-the-way"), { recursive: true });
  expect(await openAdmin({ name: "one" }, parts)).toBeUndefined();
  expect(logger.texts("warn")).toEqual(["there is no admin entry, so that other commands can't ask this host"]);
  await expect(openAdmin({ name: "one", admin: "127.0.0.1:0" }, parts)).rejects.toThrow(/can't be written/);
});

test("a host that can't write its file leaves its port to others", async () => {
  const { parts, file } = rig();
  mkdirSync(join(file, "in-the-way"), { recursive: true });
  const port = await freePort();
  await expect(openAdmin({ name: "one", admin: `127.0.0.1:${port}` }, parts)).rejects.toThrow(/can't be written/);
  rmSync(file, { recursive: true });
  const admin = await openAdmin({ name: "one", admin: `127.0.0.1:${port}` }, parts);
  expect(admin?.url).toBe(`http://127.0.0.1:${port}`);
  await admin?.close();
});

test("a host leaves the file of another one in its folder that lives, and takes the place of one that is dead", async () => {
  const [one, other] = [rig(), rig()];
  mkdirSync(join(one.folder, "inner"));
  mkdirSync(join(other.folder, "inner"));
  // The other host, which this one takes for one of another process.
  const facts = {
    name: "other",
    version: "1",
    pid: process.ppid,
    address: "host:1",
    state: "memory:",
    startedAt: new Date().toISOString(),
  };
  const parts = { host: other.parts.host, facts, token: "t", logger: undefined };
  const entry = await AdminEntry.open({ ...parts, address: { host: "127.0.0.1", port: 0 } });
  writeAdminFile(one.file, { url: entry.url, token: "t", ...facts });
  const admin = await openAdmin({ name: "one" }, one.parts);
  expect(readAdminFile(one.file)).toMatchObject({ name: "other" });
  const own = join(one.folder, "inner", `admin-${process.pid}.json`);
  expect(readAdminFile(own)).toMatchObject({ name: "one", url: admin?.url });
  await Promise.all([admin?.close(), entry.close(0)]);
  const next = await openAdmin({ name: "one" }, one.parts);
  expect([readAdminFile(one.file)?.url === next?.url, existsSync(own)]).toEqual([true, false]);
  await next?.close();
});

test("no folder is made for the file, unless an entry was asked for", async () => {
  const { parts, file, folder } = rig();
  expect(await openAdmin({ name: "one" }, parts)).toBeUndefined();
  expect(existsSync(join(folder, "inner"))).toBe(false);
  const admin = await openAdmin({ name: "one", admin: "127.0.0.1:0" }, parts);
  expect(existsSync(file)).toBe(true);
  await admin?.close();
  writeFileSync(file, "");
  expect(await openAdmin({ name: "one", admin: false }, parts)).toBeUndefined();
});

test("a host of a cluster makes the folder, and its file has its name; no name leaves the folder", async () => {
  const { parts, folder } = rig();
  const cluster = "nats://127.0.0.1:1";
  const admin = await openAdmin({ name: "eu-1", cluster }, parts);
  expect(readAdminFile(join(folder, "inner", "admin-eu-1.json"))).toMatchObject({ name: "eu-1", url: admin?.url });
  const odd = await openAdmin({ name: "../../x y", cluster }, parts);
  expect(readAdminFile(join(folder, "inner", "admin-.._.._x_y.json"))).toMatchObject({ name: "../../x y" });
  await Promise.all([admin?.close(), odd?.close()]);
});

test("an address with TLS, on a Unix socket or of other machines without what protects it is refused with what to write", async () => {
  const { parts } = rig();
  for (const text of ["https://127.0.0.1:1", "unix:/tmp/x"]) {
    expect(() => parseAdminAddress(text)).toThrow(/--admin 127\.0\.0\.1:PORT/);
  }
  for (const admin of ["0.0.0.0:0", "[::]:0", "10.0.0.1:0", "example.com:0"]) {
    await expect(openAdmin({ name: "one", admin }, parts)).rejects.toThrow(/on this machine alone/);
  }
});

test("an address of other machines is for principals by TLS, and the file names the one of this machine", async () => {
  const { parts, file } = rig();
  // This machine under a name that is not taken for it.
  const admin = await openAdmin(
    { name: "one", admin: "127.1:0" },
    {
      ...parts,
      tls: { cert: testCertificate, key: testKey },
      authenticator: tokenAuthenticator({ text: "ada token-of-ada-0123456789" }),
      rules: accessRules([{ principal: "ada", allow: "see", types: "*" }]),
    },
  );
  expect(admin?.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  const { url = "", token = "" } = readAdminFile(file) ?? {};
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect(await new AdminClient({ url, token }).ask("GET", "/v1/host")).toMatchObject({ name: "one" });
  await admin?.close();
});

test("an entry that was opened before its host serves has its file when that is announced", async () => {
  const { parts, file } = rig();
  const host = { ...facade(parts.host), health: "starting" as const };
  const admin = await openAdmin({ name: "one", admin: "127.0.0.1:0" }, { ...parts, host });
  expect(readAdminFile(file)).toBeUndefined();
  await admin?.announce();
  expect(readAdminFile(file)).toMatchObject({ url: admin?.url, name: "one" });
  await admin?.close();
  expect(existsSync(file)).toBe(false);
});

/** A host whose state the test sets. */
function facade({ agents, clock, log, cluster }: HostOperations) {
  const operations = operationsOf(new HostServicer());
  return {
    ...{
      agents,
      clock,
      log,
      cluster,
      messages: operations.messages,
      publish: operations.publish,
      call: operations.call,
      payloads: operations.payloads,
      messageTypes: operations.messageTypes,
      observe: operations.observe,
      store: operations.store,
      forgottenLetters: 0,
    },
    openStore: () => operations.openStore(),
    rows: operations.rows.bind(operations),
    listFailures: operations.listFailures.bind(operations),
    listTraces: operations.listTraces.bind(operations),
    listActivity: operations.listActivity.bind(operations),
    tellFeeds: operations.tellFeeds.bind(operations),
    hosts: operations.hosts.bind(operations),
    durableSubscriptions: operations.durableSubscriptions.bind(operations),
    removeDurableSubscriptions: operations.removeDurableSubscriptions.bind(operations),
    drainWorker: operations.drainWorker.bind(operations),
    openAccount: operations.openAccount.bind(operations),
    measure: operations.measure.bind(operations),
  };
}
