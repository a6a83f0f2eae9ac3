import { connect, createServer } from "node:net";
import { inspect } from "node:util";
import pg from "pg";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  bytesOf,
  commitOf,
  committed,
  loaded,
  putOf,
  textOf,
} from "../../../src/testing/contracts/state-store/store-case.ts";
import { listenOnFreePort } from "../../support/listen-on-free-port.ts";
import { askTwice, longQuestions } from "../../support/long-questions.ts";
import { openedRig, openRig, recovers, withServer } from "../../support/postgres-rig.ts";
import type { PostgresServer } from "../../support/postgres-server.ts";

let server: PostgresServer;
withServer((started) => {
  server = started;
});

const ofKey = (key: string) => ({ agent: { type: "a", key } });

describe("groups of commits in PostgreSQL", () => {
  it("a commit that PostgreSQL does not take fails alone", async () => {
    const { store } = await openedRig(server.url());
    const odd = { at: "put", contentType: "", schemaVersion: 0.5, data: bytesOf("x") } as const;
    const results = await Promise.allSettled([
      store.commit([putOf("1", ofKey("1"))]),
      store.commit([putOf("2", ofKey("2")), commitOf({ ...ofKey("3"), write: odd })]),
      store.commit([commitOf({ ...ofKey("4"), write: odd })]),
      store.commit([putOf("5", ofKey("5"))]),
    ]);
    const told = results.map((one) => (one.status === "fulfilled" ? one.value[0]?.at : one.reason.storeCode));
    expect(told).toEqual(["committed", "unknown", "unavailable", "committed"]);
    expect((await store.list()).records.map(({ agent }) => agent.key)).toEqual(["1", "2", "5"]);
  });

  it("more than a bound of bytes does not wait", async () => {
    const { store } = await openedRig(server.url(), { maxQueuedBytes: 10_000 });
    const big = "x".repeat(6_000);
    const results = await Promise.allSettled([1, 2, 3].map((key) => store.commit([putOf(big, ofKey(String(key)))])));
    expect(results.map((one) => (one.status === "fulfilled" ? "" : one.reason.storeCode))).toEqual([
      "",
      "overloaded",
      "overloaded",
    ]);
    await committed(store, putOf(big));
  });

  it("long texts that wait count as bytes", async () => {
    const { store } = await openedRig(server.url(), { maxQueuedBytes: 10_000 });
    const codes = new Map<string, readonly string[]>();
    for (const [name, ask] of Object.entries(longQuestions)) codes.set(name, await askTwice(store, ask));
    expect([...codes]).toEqual(Object.keys(longQuestions).map((name) => [name, ["", "overloaded"]]));
    expect(await askTwice(store, (again) => again.list({ type: "a" }))).toEqual(["", ""]);
  });

  it("takes names of 1,024 characters of three bytes, which no index of PostgreSQL takes, in their place of a list", async () => {
    const { store } = await openedRig(server.url());
    // Texts that do not compress.
    const long = (seed: number) =>
      Array.from({ length: 1_024 }, (_, index) =>
        String.fromCharCode(0x4e00 + ((index * 7_919 + seed * 104_729) % 20_000)),
      ).join("");
    const names = [1, 2, 3].map((seed) => ({ type: long(7), key: long(seed) }));
    names.push({ type: "a", key: "short" }, { type: long(7), key: "short" });
    for (const agent of names) await committed(store, putOf(agent.key, { agent }));
    for (const agent of names) expect(textOf((await loaded(store, agent)).data)).toBe(agent.key);
    const inOrder = (one: { type: string; key: string }) => Buffer.from(`${one.type}\0${one.key}`);
    const sorted = names.toSorted((a, b) => Buffer.compare(inOrder(a), inOrder(b)));
    const all = await store.list({ limit: 2 });
    expect(all.records.map(({ agent }) => agent)).toEqual(sorted.slice(0, 2));
    const rest = await store.list({ after: sorted[1] });
    expect(rest.records.map(({ agent }) => agent)).toEqual(sorted.slice(2));
    expect((await store.list({ type: long(7), keyPrefix: long(2).slice(0, 1_000) })).records).toHaveLength(1);
  });
});

describe("a pool of your own", () => {
  it("is used, whatever its settings and parsers are, and not ended", async () => {
    const pool = new pg.Pool({ connectionString: server.url(), options: "-c bytea_output=escape -c DateStyle=German" });
    onTestFinished(() => pool.end());
    const { store } = await openedRig(pool);
    const { eTag } = await committed(store, putOf("1\0\\", { epoch: { generation: 7, era: 0, number: 1 } }));
    expect(await loaded(store)).toMatchObject({
      eTag,
      data: bytesOf("1\0\\"),
      epoch: { generation: 7, era: 0, number: 1 },
    });
    await store.close();
    expect((await pool.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  });

  it("whose transactions have another isolation level is refused, and the error says what to set", async () => {
    const pool = new pg.Pool({
      connectionString: server.url(),
      options: "-c default_transaction_isolation=serializable",
    });
    onTestFinished(() => pool.end());
    const { store } = await openRig(pool);
    await expect(store.open()).rejects.toMatchObject({
      storeCode: "unavailable",
      message: expect.stringContaining("set default_transaction_isolation to read committed for this role"),
    });
  });
});

it("a server without TLS is named as the reason, if the URL asks for TLS", async () => {
  await expect(openRig(server.url("troupe", server.port, "?sslmode=verify-full"))).rejects.toMatchObject({
    storeCode: "unavailable",
    message: expect.stringContaining("Turn TLS on at the server, or leave `sslmode` out of the URL."),
  });
});

describe("passwords", () => {
  it("a wrong one is named as the reason, and is in no error and no log", async () => {
    const { logger } = await openRig(server.url("troupe"));
    const url = `postgres://guarded:wr0ng-secret@127.0.0.1:${server.port}/postgres`;
    const error: unknown = await openRig(url, { logger }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      storeCode: "unavailable",
      message: expect.stringMatching(/password authentication failed.*Look at the user and the password of the URL/),
    });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain("wr0ng-secret");
  });

  it("a missing one is named as the reason, and the connection ends", async () => {
    const relay = createServer();
    const ended = new Promise<void>((resolve) => {
      relay.on("connection", (socket) => {
        const onward = connect(server.port, "127.0.0.1");
        socket.pipe(onward).pipe(socket);
        onward.on("error", () => socket.destroy());
        socket.on("error", () => onward.destroy()).on("close", () => resolve());
      });
    });
    const address = await listenOnFreePort(relay);
    onTestFinished(() => void relay.close());
    await expect(openRig(`postgres://guarded@${address}/postgres`)).rejects.toMatchObject({
      storeCode: "unavailable",
      message: expect.stringContaining("asks for a password. Write it into the URL or into PGPASSWORD."),
    });
    await ended;
  });

  it("a right one is in no error and no log of a store whose server is lost", async () => {
    await server.run("grant create on database postgres to guarded");
    const { store, logger } = await openedRig(server.url("guarded"));
    await server.stop();
    const error: unknown = await store.commit([putOf("1")]).catch((reason: unknown) => reason);
    await server.restart();
    await recovers(store);
    const shown = inspect([error, logger.lines], { depth: 10, showHidden: true });
    expect(shown).not.toContain(server.password);
    expect(shown).not.toContain(encodeURIComponent(server.password));
    expect(shown).toContain(`postgres://127.0.0.1:${server.port}/postgres`);
  });

  it.each(["postgres://u:se/cret@host/db", "mysql://u:secret@host/db", "secret"])(
    "a url that is none is refused without being shown: %s",
    async (url) => {
      const error: unknown = await openRig(url).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: "invalid-argument", message: expect.stringContaining("Write it as") });
      expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(/se\/?cret/);
    },
  );
});
