import pg from "pg";
import { describe, expect, it, test } from "vitest";
import type { StateStore } from "../../../src/core/internal.ts";
import { type SchemaStep, schemaSteps } from "../../../src/storage/postgres/schema.ts";
import {
  agent,
  bytesOf,
  commitOf,
  commitOne,
  committed,
  loaded,
  nothing,
  putOf,
  textOf,
} from "../../../src/testing/contracts/state-store/store-case.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { openedRig, openRig, until, withServer } from "../../support/postgres-rig.ts";
import type { PostgresServer } from "../../support/postgres-server.ts";
import { newSchema } from "../../support/postgres-stores.ts";

let server: PostgresServer;
withServer((started) => {
  server = started;
});

const epochOf = (number: number, generation = 1) => ({ epoch: { generation, era: 0, number } });

describe("the holder of a PostgreSQL store", () => {
  it("is named to one that comes second, which may read", async () => {
    const first = await openedRig(server.url());
    await committed(first.store, putOf("1"));
    const second = await openRig(server.url(), { schema: first.schema });
    await expect(second.store.open()).rejects.toMatchObject({
      storeCode: "in-use",
      message: expect.stringMatching(
        /is in use by process \d+ on \S+ since \S+\. Stop that program, or open the store with takesOver/,
      ),
    });
    expect(textOf((await loaded(second.store)).data)).toBe("1");
    await first.store.close();
    await second.store.open();
    await committed(second.store, putOf("2"));
  });

  it("is refused for good once another has taken the store over, and lets its lock go", async () => {
    const clock = new ManualClock(1_000_000_000_000);
    const first = await openedRig(server.url());
    const second = await openRig(server.url(), { schema: first.schema, clock });
    await second.store.open({ takesOver: true });
    expect(second.logger.texts("warn")).toEqual(["the state store was opened with takesOver"]);
    await expect(first.store.commit([putOf("late")])).rejects.toMatchObject({
      storeCode: "fenced",
      message: expect.stringMatching(
        /^Another store has taken .*process \d+ on .*This one does not write to it any more\.$/,
      ),
    });
    await expect(first.store.open({ takesOver: true })).rejects.toMatchObject({ storeCode: "fenced" });
    // The second takes the lock as soon as it is free.
    const holds = `select count(*) from pg_locks l join pg_stat_activity a using (pid)
      where locktype = 'advisory' and granted and a.query like '%advisory_lock%' and a.application_name = 'troupe'`;
    await until(async () => (await server.run(holds))[0] === "0");
    clock.advance(5_000);
    await until(async () => (await server.run(holds))[0] === "1");
    const third = await openRig(server.url(), { schema: first.schema });
    await expect(third.store.open()).rejects.toMatchObject({ storeCode: "in-use" });
    await committed(second.store, putOf("x"));
  });

  it("is taken over only when what it has under way is over, so that the next one sees it", async () => {
    const patient = [{ statementTimeoutMs: 60_000 }, { lockTimeoutMs: 60_000 }] as const;
    const first = await openedRig(server.url(), ...patient);
    const second = await openRig(server.url(), { ...patient[0], schema: first.schema }, patient[1]);
    const blocker = new pg.Client(server.url());
    await blocker.connect();
    await blocker.query(`begin; lock table ${first.schema}.state in access exclusive mode`);
    const waiting = async () => Number((await server.run("select count(*) from pg_locks where not granted"))[0]);
    const commit = first.store.commit([putOf("under way")]);
    await until(async () => (await waiting()) === 1);
    let isOpen = false;
    const opening = second.store.open({ takesOver: true }).then(() => {
      isOpen = true;
    });
    await until(async () => isOpen || (await waiting()) === 2);
    expect(isOpen).toBe(false);
    await blocker.end();
    expect(await commit).toMatchObject([{ at: "committed" }]);
    await opening;
    expect(textOf((await loaded(second.store)).data)).toBe("under way");
  });

  it("that lies about itself forges no line of a log", async () => {
    const first = await openedRig(server.url());
    const holder = JSON.stringify({ host: "a\nb\u001b[31m", pid: "x".repeat(5_000), since: 1 });
    await server.run(`update ${first.schema}.meta set holder = '${holder}'`);
    const second = await openRig(server.url(), { schema: first.schema });
    const error: unknown = await second.store.open().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ storeCode: "in-use" });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for them
    expect(String(error)).not.toMatch(/[\u0000-\u001f]/);
    expect(String(error).length).toBeLessThan(1_500);
  });
});

describe("the mode of a PostgreSQL store", () => {
  it("is remembered; another one needs takesOver, and ends those of the mode before for good", async () => {
    const many = await openedRig(server.url(), { writers: "many" });
    await committed(many.store, putOf("1"));
    await many.store.close();
    const one = await openRig(server.url(), { schema: many.schema });
    await expect(one.store.open()).rejects.toMatchObject({
      storeCode: "in-use",
      message: expect.stringMatching(/belongs to stores with writers: "many"\. Open it so\./),
    });
    await one.store.open({ takesOver: true });
    await committed(one.store, putOf("2"));
    const other = await openRig(server.url(), { schema: many.schema, writers: "many" });
    await expect(other.store.open()).rejects.toMatchObject({ storeCode: "in-use" });
    await other.store.open({ takesOver: true });
    await committed(other.store, putOf("3"));
    await expect(one.store.commit([putOf("late")])).rejects.toMatchObject({ storeCode: "fenced" });
    const again = await openRig(server.url(), { schema: many.schema });
    await again.store.open({ takesOver: true });
    await again.store.close();
    const back = await openRig(server.url(), { schema: many.schema, writers: "many" });
    await back.store.open({ takesOver: true });
    await expect(other.store.commit([putOf("late")])).rejects.toMatchObject({ storeCode: "fenced" });
    expect(textOf((await loaded(back.store)).data)).toBe("3");
  });

  it("many: a store keeps those of the mode `one` out while it lives", async () => {
    const many = await openedRig(server.url(), { writers: "many" });
    const second = await openedRig(server.url(), { writers: "many", schema: many.schema });
    const one = await openRig(server.url(), { schema: many.schema });
    await expect(one.store.open()).rejects.toMatchObject({ storeCode: "in-use" });
    await committed(second.store, putOf("1"));
    await committed(many.store, putOf("2"));
  });
});

describe("many writers of one PostgreSQL store", () => {
  async function two(): Promise<readonly [StateStore, StateStore, string]> {
    const first = await openedRig(server.url(), { writers: "many" });
    const second = await openedRig(server.url(), { writers: "many", schema: first.schema });
    return [first.store, second.store, first.schema];
  }

  it("an older epoch never writes over a newer one, however their commits meet", async () => {
    const [first, second] = await two();
    const agents = Array.from({ length: 20 }, (_, index) => ({ type: "a", key: String(index) }));
    for (let round = 0; round < 40; round += 1) {
      const older = first.commit(agents.map((name) => putOf("old", { agent: name, ...epochOf(2 * round) })));
      const newer = second.commit(
        agents.toReversed().map((name) => putOf("new", { agent: name, ...epochOf(2 * round + 1) })),
      );
      const outcomes = await older;
      expect((await newer).map(({ at }) => at)).toEqual(agents.map(() => "committed"));
      for (const outcome of outcomes) {
        if (outcome.at === "stale") expect(outcome).toEqual({ at: "stale", ...epochOf(2 * round + 1) });
        else expect(outcome.at).toBe("committed");
      }
      for (const name of agents) {
        expect(await loaded(first, name)).toMatchObject({ ...epochOf(2 * round + 1), data: bytesOf("new") });
      }
    }
    // Whatever the races above were: this one comes too late.
    const late = await first.commit(agents.map((name) => putOf("old", { agent: name, ...epochOf(78) })));
    expect(late).toEqual(agents.map(() => ({ at: "stale", ...epochOf(79) })));
  });

  it("counts each of 400 increments that loops of two stores make by compare-and-set", async () => {
    const stores = await two();
    await committed(stores[0], putOf("0"));
    const loop = async (store: StateStore): Promise<void> => {
      for (let count = 0; count < 100; ) {
        const { eTag, data } = await loaded(store);
        const next = putOf(String(Number(textOf(data)) + 1), { expected: { at: "version", eTag } });
        if ((await commitOne(store, next)).at === "committed") count += 1;
      }
    };
    await Promise.all([stores[0], stores[1], stores[0], stores[1]].map(loop));
    expect(textOf((await loaded(stores[0])).data)).toBe("400");
  }, 60_000);

  it("lets one of those who put the same new agent for nothing win", async () => {
    const [first, second] = await two();
    for (let round = 0; round < 30; round += 1) {
      const put = putOf("x", { agent: { type: "new", key: String(round) }, expected: nothing });
      const outcomes = await Promise.all([commitOne(first, put), commitOne(second, put)]);
      expect(outcomes.map(({ at }) => at).toSorted()).toEqual(["committed", "conflict"]);
    }
  });

  it("mail becomes visible in the order of its places, so that a reader that pages on misses none", async () => {
    const [first, second] = await two();
    let isOver = false;
    const send = async (store: StateStore, sender: string): Promise<void> => {
      for (let round = 0; round < 60; round += 1) {
        const commits = Array.from({ length: 10 }, (_, index) => {
          const id = `${sender}${round}.${index}`;
          const mail = [{ id, receiver: { type: "b", key: id }, kind: "call", frame: new Uint8Array(100) } as const];
          return commitOf({ agent: { type: sender, key: String(index) }, mail });
        });
        await store.commit(commits);
      }
    };
    const read = async (): Promise<number> => {
      let [count, after] = [0, 0];
      for (;;) {
        const isLast = isOver;
        const page = await first.mail({ limit: 1_000, after });
        count += page.length;
        after = page.at(-1)?.place ?? after;
        if (isLast && page.length === 0) return count;
      }
    };
    const reading = read();
    await Promise.all([send(first, "x"), send(second, "y"), send(first, "z")]);
    isOver = true;
    expect(await reading).toBe(3 * 60 * 10);
  }, 60_000);

  it("a deleted record leaves its epoch for 24 hours: no late commit makes it anew", async () => {
    const clock = new ManualClock(1_000_000_000_000);
    const { store, schema } = await openedRig(server.url(), { writers: "many", clock });
    await committed(store, putOf("1", epochOf(5)));
    await committed(store, commitOf({ ...epochOf(6), write: { at: "delete" } }));
    expect(await store.load(agent)).toBeUndefined();
    expect(await commitOne(store, putOf("late", epochOf(5)))).toEqual({ at: "stale", ...epochOf(6) });
    expect(await commitOne(store, commitOf({ ...epochOf(5), write: { at: "delete" } }))).toMatchObject({ at: "stale" });
    expect(await store.stats()).toMatchObject({ records: 0, types: [] });
    expect(await committed(store, putOf("2", { ...epochOf(6), expected: nothing }))).toMatchObject({ revision: 1 });
    await committed(store, commitOf({ write: { at: "delete" } }));
    expect(await commitOne(store, putOf("late", epochOf(5)))).toEqual({ at: "stale", ...epochOf(6) });
    clock.advance(24 * 60 * 60 * 1_000);
    await committed(store, putOf("x", { agent: { type: "other", key: "k" } }));
    expect(await server.run(`select count(*) from ${schema}.deleted`)).toEqual(["0"]);
    await committed(store, putOf("3", epochOf(5)));
  });

  it("remembered messages do not grow when each day brings as many", async () => {
    const clock = new ManualClock(1_000_000_000_000);
    const { store, schema } = await openedRig(server.url(), { writers: "many", clock });
    for (let day = 0; day < 3; day += 1) {
      const remember = (index: number) => {
        const remembered = [{ id: "1", principal: "p" }];
        return committed(store, commitOf({ agent: { type: "a", key: `${day}-${index}` }, remembered }));
      };
      await Promise.all(Array.from({ length: 1_500 }, (_, index) => remember(index)));
      clock.advance(24 * 60 * 60 * 1_000);
    }
    const [count] = await server.run(`select count(*) from ${schema}.remembered`);
    expect(Number(count)).toBeLessThanOrEqual(2_000);
  });

  it("an agent that had no record leaves its epoch, too, when it is deleted under one", async () => {
    const { store } = await openedRig(server.url(), { writers: "many" });
    await committed(store, commitOf({ ...epochOf(6), write: { at: "delete" } }));
    expect(await commitOne(store, putOf("late", epochOf(5)))).toEqual({ at: "stale", ...epochOf(6) });
  });
});

describe("rights", () => {
  it("a role without rights is refused, and the error says what to grant", async () => {
    await expect(openRig(server.url("reader"))).rejects.toMatchObject({
      storeCode: "unavailable",
      message: expect.stringMatching(
        /permission denied.*Grant its role usage on the schema and its sequences; select, insert, update and delete on its tables/,
      ),
    });
    const { schema } = await openedRig(server.url());
    await expect(openRig(server.url("reader"), { schema })).rejects.toMatchObject({ storeCode: "unavailable" });
  });

  it("a role with those rights needs no others", async () => {
    const { schema, store: maker } = await openRig(server.url());
    await maker.close();
    await server.run(`create role app login;
      grant usage on schema ${schema} to app;
      grant select, insert, update, delete on all tables in schema ${schema} to app;
      grant usage on all sequences in schema ${schema} to app;`);
    const url = server.url().replace("troupe@", "app@");
    const { store } = await openedRig(url, { schema, createsSchema: false });
    const mail = [{ id: "1", receiver: agent, kind: "call", frame: new Uint8Array(1) } as const];
    const reminders = [{ at: "set", name: "r", dueMs: 1, rule: "", message: new Uint8Array(1) } as const];
    await committed(store, putOf("1", { mail, reminders, remembered: [{ id: "1", principal: "" }] }));
    const message = { id: "2", kind: "call", frame: new Uint8Array(1), sentAtMs: 1 } as const;
    expect(await store.log?.append(agent, message)).toBe("kept");
    await store.log?.bury(
      { ...message, mailbox: agent, place: 0, priorTakeovers: 0 },
      { code: "handler-failed", text: "", attempts: 1 },
    );
    const { letters } = (await store.log?.deadLetters({ limit: 1 })) ?? { letters: [] };
    expect(await store.log?.replay(letters.map(({ letter }) => letter))).toBe(1);
    expect(await store.log?.drop(["1"])).toBe(0);
    await committed(store, commitOf({ write: { at: "delete" } }));
  });

  it("without createsSchema a database without tables is refused, and left as it is", async () => {
    const schema = newSchema();
    await expect(openRig(server.url(), { schema, createsSchema: false })).rejects.toMatchObject({
      storeCode: "unavailable",
      message: `There is no state store in the schema "${schema}". Open it once with createsSchema, as a role that may make it.`,
    });
    expect(await server.run(`select to_regnamespace('${schema}')`)).toEqual(["null"]);
  });
});

describe("versions of the schema", () => {
  const next: SchemaStep = (schema) => `alter table ${schema}.mail add column note text`;
  const newer = [...schemaSteps, next];

  it("a newer one is refused, and both versions are named", async () => {
    const { schema, store } = await openedRig(server.url());
    await store.close();
    await openRig(server.url(), { schema }, { steps: newer }).then((rig) => rig.store.open());
    await expect(openRig(server.url(), { schema })).rejects.toMatchObject({
      storeCode: "unavailable",
      message: expect.stringContaining(
        `it has version ${newer.length}, and this program knows versions up to ${schemaSteps.length}. Upgrade`,
      ),
    });
  });

  it("an older one is read as it is, and migrated when the store is opened, not before its holder is gone", async () => {
    const old = await openedRig(server.url());
    await committed(old.store, putOf("1"));
    const { store } = await openRig(server.url(), { schema: old.schema }, { steps: newer });
    expect(textOf((await loaded(store)).data)).toBe("1");
    await expect(store.open()).rejects.toMatchObject({ storeCode: "in-use" });
    const version = `select schema_version from ${old.schema}.meta`;
    expect(await server.run(version)).toEqual([String(schemaSteps.length)]);
    await old.store.close();
    const idle = await openRig(server.url(), { schema: old.schema, createsSchema: false }, { steps: newer });
    await expect(idle.store.open()).rejects.toMatchObject({ message: expect.stringContaining("is older") });
    await store.open();
    expect(await server.run(version)).toEqual([String(newer.length)]);
    await committed(store, putOf("2"));
  });

  it("a step that fails leaves the version before it", async () => {
    const { schema, store: maker } = await openRig(server.url());
    await maker.close();
    const bad: SchemaStep = (name) => `${next(name)}; select 1 / 0`;
    const { store } = await openRig(server.url(), { schema }, { steps: [...schemaSteps, bad] });
    await expect(store.open()).rejects.toMatchObject({ message: expect.stringContaining("division by zero") });
    await store.close();
    const { store: again } = await openRig(server.url(), { schema });
    await again.open();
  });

  it("stores that start at once make the tables once", async () => {
    const schema = newSchema();
    const rigs = await Promise.all([1, 2, 3, 4].map(() => openRig(server.url(), { schema, writers: "many" })));
    for (const { store } of rigs) await store.open();
    for (const { store } of rigs) await committed(store, putOf("x"));
  });

  it("tables of another program are left alone", async () => {
    const schema = newSchema();
    await server.run(`create schema ${schema}; create table ${schema}.meta(name text)`);
    await expect(openRig(server.url(), { schema })).rejects.toMatchObject({ storeCode: "corrupt" });
  });
});

test("a dump that is taken while a store writes has all that was acknowledged before, and can be restored", async () => {
  const { store, schema } = await openedRig(server.url());
  await store.commit(
    Array.from({ length: 64 }, (_, key) => putOf("before", { agent: { type: "a", key: String(key) } })),
  );
  let isDumped = false;
  const dumping = server.dump(schema).finally(() => {
    isDumped = true;
  });
  while (!isDumped) await committed(store, putOf("meanwhile"));
  const dump = await dumping;
  await store.close();
  await server.run(`drop schema ${schema} cascade`);
  await server.run(dump);
  const restored = await openedRig(server.url(), { schema });
  expect((await restored.store.list({ type: "a" })).records).toHaveLength(64);
  await committed(restored.store, putOf("after"));
});
