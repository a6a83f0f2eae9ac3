import pg from "pg";
import { describe, expect, it, onTestFinished, test } from "vitest";
import { nextTurn, type StateStore, StoreError } from "../../../src/core/internal.ts";
import type { PostgresPool } from "../../../src/storage/postgres/driver.ts";
import {
  bytesOf,
  commitOf,
  committed,
  loaded,
  putOf,
  textOf,
} from "../../../src/testing/contracts/state-store/store-case.ts";
import { startFaultProxy } from "../../../src/testing/index.ts";
import { Gate } from "../../support/gate.ts";
import { openedRig, openRig, recovers, until, withServer } from "../../support/postgres-rig.ts";
import type { PostgresServer } from "../../support/postgres-server.ts";

let server: PostgresServer;
withServer((started) => {
  server = started;
});

const ofKey = (key: string) => ({ agent: { type: "a", key } });
const nameOf = (key: string) => ofKey(key).agent;

/** Saves counters of eight agents, each with a letter of the same number, and never the same number twice. */
class Savers {
  readonly acknowledged = new Map<string, number>();
  readonly codes = new Set<string>();
  #isOver = false;
  readonly #ended: Promise<unknown>;
  readonly #store: StateStore;

  constructor(store: StateStore) {
    this.#store = store;
    this.#ended = Promise.all(Array.from({ length: 8 }, (_, index) => this.#save(String(index))));
  }

  /** Waits until each saver has had so many acknowledgements more. */
  async more(count: number): Promise<void> {
    const wanted = new Map([...this.acknowledged].map(([key, last]) => [key, last + count]));
    await until(async () => {
      const keys = Array.from({ length: 8 }, (_, index) => String(index));
      return keys.every((key) => (this.acknowledged.get(key) ?? 0) >= (wanted.get(key) ?? count));
    });
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#ended;
  }

  async #save(key: string): Promise<void> {
    for (let count = 1; !this.#isOver; ) {
      const mail = [{ id: String(count), receiver: { type: "log", key }, kind: "event", frame: bytesOf("x") } as const];
      try {
        await committed(this.#store, putOf(String(count), { ...ofKey(key), mail }));
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        this.codes.add(error.storeCode);
        if (error.storeCode === "unknown" && !(await this.#isStored(key, count))) continue;
        if (error.storeCode !== "unknown") {
          await nextTurn();
          continue;
        }
      }
      this.acknowledged.set(key, count);
      count += 1;
    }
  }

  /** Reads whether a commit of which the store could not say it has happened. */
  async #isStored(key: string, count: number): Promise<boolean> {
    for (;;) {
      try {
        const record = await this.#store.load(nameOf(key));
        return record !== undefined && record !== "unchanged" && Number(textOf(record.data)) === count;
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        await nextTurn();
      }
    }
  }
}

describe("a PostgreSQL server that is lost in the middle of groups", () => {
  const losses: Record<string, () => Promise<void>> = {
    "is killed with -9 and started again": async () => {
      await server.kill();
      await server.restart();
    },
    "is stopped and started again": async () => {
      await server.stop();
      await server.restart();
    },
    "loses one of its processes by kill -9, and recovers": async () => {
      const query = "select pid from pg_stat_activity where application_name = 'troupe' and query like '%write_group%'";
      const [pid] = await server.run(query);
      server.killBackend(Number(pid));
    },
  };

  test.each(Object.entries(losses))(
    "%s: no acknowledged commit is lost, and none is written twice",
    async (_, lose) => {
      const { store } = await openedRig(server.url(), { statementTimeoutMs: 5_000 });
      const savers = new Savers(store);
      await savers.more(20);
      await lose();
      await savers.more(20);
      await savers.stop();
      expect([...savers.codes].filter((code) => code !== "unknown" && code !== "unavailable")).toEqual([]);
      expect(savers.codes.size).toBeGreaterThan(0);
      const mail = await store.mail({ limit: 1_000_000 });
      for (const [key, count] of savers.acknowledged) {
        expect(Number(textOf((await loaded(store, nameOf(key))).data))).toBe(count);
        const ids = mail.filter(({ receiver }) => receiver.key === key).map(({ id }) => Number(id));
        expect(ids).toEqual(Array.from({ length: count }, (_, index) => index + 1));
      }
    },
    60_000,
  );

  it("rejects as unavailable while the server is down, and goes on when it is back, as the same opening", async () => {
    const { store, schema, logger } = await openedRig(server.url());
    const before = await committed(store, putOf("1"));
    await server.stop();
    await until(() =>
      store.commit([putOf("2")]).then(
        () => false,
        ({ storeCode }: StoreError) => storeCode === "unavailable",
      ),
    );
    await expect(store.load(nameOf("k"))).rejects.toMatchObject({
      storeCode: "unavailable",
      message: expect.stringMatching(/ECONNREFUSED.*Look whether the server runs and can be reached\.$/),
    });
    await server.restart();
    await recovers(store);
    await committed(store, putOf("3", { expected: { at: "version", eTag: before.eTag } }));
    expect(logger.texts("error")).toContain("the state store failed");
    const other = await openRig(server.url(), { schema });
    await other.store.open({ takesOver: true });
    await expect(store.commit([putOf("late")])).rejects.toMatchObject({ storeCode: "fenced" });
  });
});

describe("a connection to PostgreSQL that is cut", () => {
  it("after a group was sent: the commit is unknown, and may have happened", async () => {
    await using proxy = await startFaultProxy({ target: `127.0.0.1:${server.port}` });
    const { store, schema } = await openedRig(server.url("troupe", Number(proxy.address.split(":")[1])));
    const beside = await openRig(server.url(), { schema });
    await committed(store, putOf("1"));
    proxy.apply({ kind: "stall", in: "to-client" });
    const commit = store.commit([putOf("2")]);
    commit.catch(() => undefined);
    await until(async () => textOf((await loaded(beside.store)).data) === "2");
    proxy.apply({ kind: "reset" });
    await expect(commit).rejects.toMatchObject({ storeCode: "unknown", code: "state-unknown" });
    proxy.heal();
    await recovers(store);
    expect((await loaded(store)).revision).toBe(2);
  });

  it("while the server carries a group out: what is read next sees what became of it", async () => {
    await using proxy = await startFaultProxy({ target: `127.0.0.1:${server.port}` });
    const url = server.url("troupe", Number(proxy.address.split(":")[1]));
    const { store, schema } = await openedRig(url, { statementTimeoutMs: 60_000 }, { lockTimeoutMs: 60_000 });
    const { eTag } = await committed(store, putOf("1"));
    const blocker = new pg.Client(server.url());
    await blocker.connect();
    // It does not keep others from reading.
    await blocker.query(`begin; lock table ${schema}.state in share mode`);
    const waiting = async () => Number((await server.run("select count(*) from pg_locks where not granted"))[0]);
    const commit = store.commit([putOf("2", { expected: { at: "version", eTag } })]);
    commit.catch(() => undefined);
    await until(async () => (await waiting()) === 1);
    proxy.apply({ kind: "reset" });
    await expect(commit).rejects.toMatchObject({ storeCode: "unknown" });
    let isRead = false;
    const reading = loaded(store).finally(() => {
      isRead = true;
    });
    const writing = committed(store, putOf("other", ofKey("other")));
    await until(async () => isRead || (await waiting()) === 2);
    await blocker.end();
    expect(textOf((await reading).data)).toBe("2");
    await writing;
  });

  it("while a group is being sent: nothing of it is written", async () => {
    await using proxy = await startFaultProxy({ target: `127.0.0.1:${server.port}` });
    const { store } = await openedRig(server.url("troupe", Number(proxy.address.split(":")[1])));
    await committed(store, putOf("1"));
    proxy.apply({ kind: "throttle", bytesPerSecond: 100_000, in: "to-target" });
    const commit = store.commit([putOf("x".repeat(1024 * 1024))]);
    commit.catch(() => undefined);
    const before = proxy.counters().bytesToTarget;
    await until(async () => proxy.counters().bytesToTarget > before + 10_000);
    proxy.apply({ kind: "reset" });
    await expect(commit).rejects.toMatchObject({ storeCode: "unknown" });
    proxy.heal();
    await recovers(store);
    expect(textOf((await loaded(store)).data)).toBe("1");
  });

  it("while nobody uses it: the next questions are answered", async () => {
    await using proxy = await startFaultProxy({ target: `127.0.0.1:${server.port}` });
    const { store } = await openedRig(server.url("troupe", Number(proxy.address.split(":")[1])));
    await committed(store, putOf("1"));
    proxy.apply({ kind: "reset" });
    expect(textOf((await loaded(store)).data)).toBe("1");
    await recovers(store);
  });
});

describe("a PostgreSQL store that opens itself anew after a commit of which it knows no outcome", () => {
  /** A pool whose statements a test may hold up, and whose answers it may lose. `run` sends the statement. */
  function poolOf(ask: (text: string, run: () => Promise<object>) => Promise<object>): PostgresPool {
    const pool = new pg.Pool({ connectionString: server.url() });
    onTestFinished(() => pool.end());
    return {
      connect: async () => {
        const client = await pool.connect();
        return {
          query: async (query) => (await ask(query.text, () => client.query(query))) as { rows: object[] },
          on: (event, listener) => client.on(event, listener),
          removeListener: (event, listener) => client.removeListener(event, listener),
          release: (error) => client.release(error),
        };
      },
    };
  }

  /** Whether a statement calls a function of the store, and does not make it. */
  const isCallOf = (name: string, text: string): boolean => text.startsWith("select ") && text.includes(`.${name}(`);

  it("stays the holder although the answer to that is lost as well", async () => {
    const losses: string[] = [];
    const pool = poolOf(async (text, run) => {
      const answer = await run();
      if (losses[0] === undefined || !isCallOf(losses[0], text)) return answer;
      losses.shift();
      throw new Error("Connection terminated unexpectedly");
    });
    const { store } = await openedRig(pool);
    losses.push("write_group", "open_store");
    await expect(store.commit([putOf("1")])).rejects.toMatchObject({ storeCode: "unknown" });
    await expect(store.load(nameOf("k"))).rejects.toMatchObject({ storeCode: "unavailable" });
    expect(losses).toEqual([]);
    await committed(store, putOf("2", ofKey("2")));
  });

  it("writes a group that was on its way, though the refusal of that group comes before its own answer", async () => {
    const [bothSent, secondMayGo, isOpenAnew, isRefused, mayAnswer] = [1, 2, 3, 4, 5].map(() => new Gate());
    let [groups, openings] = [0, 0];
    const pool = poolOf(async (text, run) => {
      if (isCallOf("write_group", text)) {
        groups += 1;
        if (groups === 1) {
          await run();
          await bothSent?.opened;
          throw new Error("Connection terminated unexpectedly");
        }
        if (groups > 2) return run();
        bothSent?.open();
        await secondMayGo?.opened;
        const refusal = await run();
        isRefused?.open();
        return refusal;
      }
      const answer = await run();
      if (isCallOf("open_store", text)) openings += 1;
      if (openings !== 2) return answer;
      isOpenAnew?.open();
      await mayAnswer?.opened;
      return answer;
    });
    const { store } = await openedRig(pool);
    const first = store.commit([putOf("1", ofKey("1"))]);
    first.catch(() => undefined);
    await nextTurn();
    await nextTurn();
    const second = store.commit([putOf("2", ofKey("2"))]);
    second.catch(() => undefined);
    await expect(first).rejects.toMatchObject({ storeCode: "unknown" });
    const load = store.load(nameOf("1"));
    load.catch(() => undefined);
    await isOpenAnew?.opened;
    secondMayGo?.open();
    await isRefused?.opened;
    await nextTurn();
    mayAnswer?.open();
    expect(await second).toMatchObject([{ at: "committed" }]);
    await load;
  });
});

describe("a PostgreSQL server that is slow or full", () => {
  it("cancels a statement after its time-out; nothing of it is written", async () => {
    // The schema is made without that time-out, which a busy server would not keep.
    const { schema } = await openRig(server.url());
    const { store } = await openedRig(server.url(), { schema, statementTimeoutMs: 100 });
    await committed(store, putOf("1"));
    const blocker = new pg.Client(server.url());
    await blocker.connect();
    onTestFinished(() => blocker.end());
    await blocker.query(`begin; lock table ${schema}.state in access exclusive mode`);
    const failed = { storeCode: "unavailable", message: expect.stringContaining("statementTimeoutMs is too short") };
    await expect(store.commit([putOf("2")])).rejects.toMatchObject(failed);
    await expect(store.load(commitOf().agent)).rejects.toMatchObject(failed);
    await blocker.query("rollback");
    expect(textOf((await loaded(store)).data)).toBe("1");
    await committed(store, putOf("3"));
  });

  it("gives up a lock that another session has", async () => {
    const { store, schema } = await openedRig(server.url(), {}, { lockTimeoutMs: 50 });
    await committed(store, putOf("1"));
    const blocker = new pg.Client(server.url());
    await blocker.connect();
    onTestFinished(() => blocker.end());
    await blocker.query(`begin; lock table ${schema}.state in access exclusive mode`);
    await expect(store.commit([putOf("2")])).rejects.toMatchObject({
      storeCode: "unavailable",
      message: expect.stringContaining("Another session locks its tables. See pg_locks."),
    });
    await blocker.query("rollback");
    await committed(store, putOf("3"));
  });

  it("gives up a connection that does not answer: the commit is unknown", async () => {
    const { schema } = await openRig(server.url());
    const { store } = await openedRig(server.url(), { schema, statementTimeoutMs: 200 }, { answerGraceMs: 100 });
    await committed(store, putOf("1"));
    const query = "select pid from pg_stat_activity where application_name = 'troupe' and query like '%write_group%'";
    const pids = (await server.run(query)).map(Number);
    for (const pid of pids) process.kill(pid, "SIGSTOP");
    const commit = store.commit([putOf("2")]);
    commit.catch(() => undefined);
    await expect(commit).rejects.toMatchObject({
      storeCode: "unknown",
      message: expect.stringContaining("The server has not answered for 300 ms"),
    });
    for (const pid of pids) process.kill(pid, "SIGCONT");
    await recovers(store);
  });

  it("that has no connection left is unavailable, and the error says what to change", async () => {
    await server.run("create role narrow login connection limit 1; grant create on database postgres to narrow");
    const url = server.url().replace("troupe@", "narrow@");
    const { store } = await openRig(url);
    await expect(store.open()).rejects.toMatchObject({
      storeCode: "unavailable",
      message: expect.stringMatching(/too many connections.*Raise max_connections of the server, or lower poolSize\./),
    });
    await server.run("alter role narrow connection limit -1");
    await store.open();
    await committed(store, putOf("1"));
  });

  /** Makes each write to the table of states fail with an error, the first `times` times. */
  async function failing(schema: string, sqlState: string, times: number): Promise<void> {
    await server.run(`
      create sequence ${schema}.failures;
      create function ${schema}.fail() returns trigger language plpgsql as $$ begin
        if nextval('${schema}.failures') <= ${times} then raise exception using errcode = '${sqlState}', message = 'made up'; end if;
        return new;
      end $$;
      create trigger fails before insert or update on ${schema}.state for each row execute function ${schema}.fail();`);
  }

  it.each(["40001", "40P01"])("tries a group again that lost a race, twice: %s", async (sqlState) => {
    const { store, schema } = await openedRig(server.url());
    await failing(schema, sqlState, 2);
    expect(await committed(store, putOf("1"))).toMatchObject({ revision: 1 });
    const again = await openedRig(server.url());
    await failing(again.schema, sqlState, 3);
    await expect(again.store.commit([putOf("1")])).rejects.toMatchObject({ storeCode: "unavailable" });
    await committed(again.store, putOf("1"));
  });

  it("whose disk is full takes no commit, and goes on when there is space", async () => {
    const { store, schema } = await openedRig(server.url());
    await failing(schema, "53100", 1);
    await expect(store.commit([putOf("1")])).rejects.toMatchObject({
      storeCode: "full",
      message: expect.stringMatching(/Make space on the disk of the server\.$/),
    });
    await committed(store, putOf("2"));
  });

  it.each(["XX001", "XX002"])("whose data is damaged ends the store, and names a backup: %s", async (sqlState) => {
    const { store, schema } = await openedRig(server.url());
    await failing(schema, sqlState, 1);
    const damaged = { storeCode: "corrupt", message: expect.stringMatching(/pg_amcheck, and restore a backup\.$/) };
    await expect(store.commit([putOf("1")])).rejects.toMatchObject(damaged);
    await expect(store.load(commitOf().agent)).rejects.toMatchObject(damaged);
  });
});
