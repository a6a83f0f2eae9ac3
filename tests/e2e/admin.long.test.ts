import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { NodeProgram } from "../support/node-program.ts";

// Each command is a process, which takes a second or more to start.
vi.setConfig({ testTimeout: 300_000 });

/** A folder in which hosts and commands run. */
class Place {
  readonly folder = mkdtempSync(join(tmpdir(), "troupe-admin-"));

  constructor() {
    onTestFinished(() => rmSync(this.folder, { recursive: true }));
  }

  get file(): string {
    return join(this.folder, "troupe-data", "admin.json");
  }

  host(...args: readonly string[]): NodeProgram {
    return new NodeProgram("src/cli/main.ts", ["host", "--address", "127.0.0.1:0", ...args], { cwd: this.folder });
  }

  run(...args: readonly string[]) {
    return new NodeProgram("src/cli/main.ts", args, { cwd: this.folder }).ended;
  }
}

const ready = /^troupe host listening on (127\.0\.0\.1:\d+)$/m;

test("commands find the host of their folder, look at it and change what it keeps, until it ends", async () => {
  const place = new Place();
  await using host = place.host();
  const [, address = ""] = await host.output(ready);
  expect(statSync(place.file).mode & 0o777).toBe(0o600);
  const { url, token } = JSON.parse(readFileSync(place.file, "utf8"));
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect(Buffer.from(token, "base64url")).toHaveLength(32);
  await using worker = new NodeProgram("tests/e2e/programs/counter-worker.ts", [address]);
  await worker.output(/ready/);
  const workers = JSON.parse((await place.run("workers", "--json")).stdout);
  expect(workers.rows).toMatchObject([{ types: ["counter"], isTroupe: true, isDraining: false, claims: 0 }]);
  expect((await place.run("workers")).stdout).toMatch(/^id +name +version +state[\s\S]* serving .* counter\n$/);
  writeFileSync(join(place.folder, "state.json"), '{"total":41}');
  expect(await place.run("state", "set", "counter/1", "state.json")).toMatchObject({
    code: 0,
    stdout: "stored counter/1\n",
    stderr: "",
  });
  expect((await place.run("state", "get", "counter/1")).stdout).toMatch(/\{"total":41\}/);
  expect((await place.run("agents")).stdout).toMatch(/counter {2}1 {4}exclusive/);
  expect((await place.run("agents", "counter/1", "--deactivate")).stdout).toBe("deactivated counter/1\n");
  expect((await place.run("agents", "counter/1", "--destroy")).stdout).toBe("destroyed counter/1\n");
  expect((await place.run("state", "list")).stdout).toBe("no stored states\n");
  expect((await place.run("reminders", "list")).stdout).toBe("no reminders\n");
  expect((await place.run("dead", "list", "--json")).stdout).toBe(
    '{\n  "rows": [],\n  "next": null,\n  "forgottenLetters": 0\n}\n',
  );
  const missing = await place.run("dead", "show", "1");
  expect(missing).toMatchObject({
    code: 1,
    stdout: "",
    stderr: "error: There is no such dead letter. See troupe dead list.\n",
  });
  expect(await host.stop()).toMatchObject({ code: 0 });
  expect(existsSync(place.file)).toBe(false);
  const refused = await place.run("agents");
  expect(refused).toMatchObject({ code: 2, stdout: "" });
  expect(refused.stderr).toMatch(/^error: No host answers here: .*\n$/);
});

test("drains a worker, says what is left, and ends with 0 when the worker has gone", async () => {
  const place = new Place();
  await using host = place.host();
  const [, address = ""] = await host.output(ready);
  await using worker = new NodeProgram("tests/e2e/programs/counter-worker.ts", [address]);
  await worker.output(/ready/);
  const { rows } = JSON.parse((await place.run("workers", "--json")).stdout);
  const drained = await place.run("drain", "worker", rows[0].workerId, "--json");
  expect(drained.code).toBe(0);
  expect(JSON.parse(drained.stdout)).toMatchObject({
    workerId: rows[0].workerId,
    outcome: { at: expect.stringMatching(/^(drained|gone)$/) },
  });
  expect(await worker.ended).toMatchObject({ code: 0 });
  expect(await place.run("drain", "worker", "nobody")).toMatchObject({
    ...{
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/error: No worker nobody is connected\. See troupe workers\.\n$/),
    },
  });
});

test("--admin names the address, and a line says which it is", async () => {
  const place = new Place();
  await using host = place.host("--admin", "127.0.0.1:0", "--state", "memory:");
  const [, url] = await host.output(/^troupe admin on (http:\/\/127\.0\.0\.1:\d+)$/m);
  expect(JSON.parse(readFileSync(place.file, "utf8"))).toMatchObject({ url });
  expect((await host.stop()).stdout.split("\n")).toHaveLength(3);
});

test.each([
  ["an address that other machines reach", ["--admin", "0.0.0.0:0"], /lacks TLS .*listen on this machine alone/],
  ["a name of another machine", ["--admin", "example.com:80"], /listen on this machine alone/],
  ["what is no address", ["--admin", "here"], /here/],
  ["a file that can't be written", ["--admin-file", "/dev/null/admin.json"], /can't be written.*--admin-file/],
])("%s is one line on stderr, and the host does not start", async (_name, args, text) => {
  const place = new Place();
  const { code, stdout, stderr } = await place.host("--state", "memory:", ...args).ended;
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  expect(stderr).toMatch(text);
});

test("an address in use is one line on stderr, and the host does not start", async () => {
  const place = new Place();
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void taken.close());
  const at = taken.address();
  const port = typeof at === "object" ? at?.port : undefined;
  const { code, stdout, stderr } = await place.host("--admin", `127.0.0.1:${port}`).ended;
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(
    /^error: The admin entry can't listen on 127\.0\.0\.1:\d+: .*EADDRINUSE.*--admin HOST:PORT.*\n$/,
  );
});

test("--no-admin opens none, and a host in memory makes no folder for one", async () => {
  const place = new Place();
  await using quiet = place.host("--no-admin");
  await quiet.output(ready);
  expect(readdirSync(join(place.folder, "troupe-data"))).not.toContain("admin.json");
  const other = new Place();
  await using host = other.host("--state", "memory:");
  await host.output(ready);
  expect(readdirSync(other.folder)).toEqual([]);
  expect(await host.stop()).toMatchObject({ code: 0, stderr: "" });
});

test("the file of a killed host is passed over, and the next host takes its place", async () => {
  const place = new Place();
  await using killed = place.host();
  await killed.output(ready);
  await killed.stop("SIGKILL");
  expect(existsSync(place.file)).toBe(true);
  expect(await place.run("workers")).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/files of hosts that are dead or do not answer/),
  });
  await using next = place.host();
  await next.output(ready);
  expect((await place.run("workers")).stdout).toBe("no workers\n");
  expect(readdirSync(join(place.folder, "troupe-data")).filter((name) => name.startsWith("admin"))).toEqual([
    "admin.json",
  ]);
});

test("two hosts of one folder have a file each, and --name picks one", async () => {
  const place = new Place();
  await using one = place.host("--name", "one");
  await one.output(ready);
  await using two = place.host("--name", "two", "--state", "memory:");
  const [, address] = await two.output(ready);
  expect(readdirSync(join(place.folder, "troupe-data")).filter((name) => /^admin.*json$/.test(name))).toHaveLength(2);
  await using worker = new NodeProgram("tests/e2e/programs/counter-worker.ts", [address ?? ""]);
  await worker.output(/ready/);
  expect((await place.run("workers", "--name", "one")).stdout).toBe("no workers\n");
  expect((await place.run("workers", "--name", "two")).stdout).toMatch(/counter/);
  await two.stop();
  expect(readdirSync(join(place.folder, "troupe-data")).filter((name) => /^admin.*json$/.test(name))).toEqual([
    "admin.json",
  ]);
});

test("a second process signal leaves no file behind", async () => {
  const place = new Place();
  await using host = place.host("--grace-seconds", "600");
  const [, address = ""] = await host.output(ready);
  await using worker = new NodeProgram("tests/e2e/programs/slow-worker.ts", [address]);
  await worker.output(/./);
  host.signal("SIGTERM");
  const ended = await host.stop("SIGTERM");
  expect([0, 128 + constants.signals.SIGTERM]).toContain(ended.code);
  expect(existsSync(place.file)).toBe(false);
});
