// Over 400 lines: all of it needs one server and its helpers, and a server takes seconds to start.
import { readFileSync } from "node:fs";
import pg from "pg";
import { describe, expect, it, onTestFinished } from "vitest";
import type {
  AgentName,
  DeadReason,
  DurableLog,
  KeptMessage,
  Mail,
  ShardHold,
  StoreError,
} from "../../../src/core/internal.ts";
import { shardOf } from "../../../src/core/internal.ts";
import type { PostgresQuery } from "../../../src/storage/postgres/driver.ts";
import { schemaSteps } from "../../../src/storage/postgres/schema.ts";
import {
  agent,
  bytesOf,
  commitOf,
  commitOne,
  committed,
  loaded,
  putOf,
  textOf,
} from "../../../src/testing/contracts/state-store/store-case.ts";
import { ManualClock, startFaultProxy } from "../../../src/testing/index.ts";
import { Gate } from "../../support/gate.ts";
import { openedRig, openRig, type PostgresRig, until, withServer } from "../../support/postgres-rig.ts";
import type { PostgresServer } from "../../support/postgres-server.ts";

let server: PostgresServer;
withServer((started) => {
  server = started;
});

const why: DeadReason = { code: "handler-failed", text: "it threw \0", attempts: 5 };
const messageOf = (id: string, frame: Uint8Array = bytesOf(`frame of ${id}`)) =>
  ({ id, kind: "call", frame, sentAtMs: 1 }) as const;
const letterOf = (id: string, frame?: Uint8Array) => ({
  ...messageOf(id, frame),
  ...{ mailbox: agent, place: 0, priorTakeovers: 0 },
});
const mailOf = (id: string) => ({ id, receiver: agent, kind: "call", frame: bytesOf("x") }) as const;

function logOf({ store }: PostgresRig): DurableLog {
  if (store.log === undefined) throw new Error("It has no log.");
  return store.log;
}

/** A clock whose wall time can be set. */
class SetClock extends ManualClock {
  aheadMs = 0;

  override wallNow(): number {
    return super.wallNow() + this.aheadMs;
  }
}

/** Takes the shard of an agent, and waits for its messages. */
class Reader {
  readonly messages: KeptMessage[] = [];
  lost: StoreError | undefined;
  hold: ShardHold | undefined;
  #onChange: () => void = () => undefined;

  async take(log: DurableLog, mailbox: AgentName = agent): Promise<this> {
    this.hold = await log.take(shardOf(mailbox), 1, {
      onMessage: (message) => {
        this.messages.push(message);
        this.#onChange();
      },
      onLost: (error) => {
        this.lost = error;
        this.#onChange();
      },
    });
    return this;
  }

  get ids(): readonly string[] {
    return this.messages.map(({ id }) => id);
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => (this.#onChange = resolve));
  }
}

describe("the mailboxes of a PostgreSQL store", () => {
  it("keep the order of appends that nobody waited for, while other groups are under way", async () => {
    const rig = await openedRig(server.url());
    const log = logOf(rig);
    const big = new Uint8Array(100_000);
    const ids = Array.from({ length: 400 }, (_, index) => String(index));
    const kept = ids.map((id) => {
      void log.append({ type: "other", key: id }, messageOf(id, big));
      return log.append(agent, messageOf(id, Number(id) % 2 === 0 ? bytesOf("x") : big));
    });
    expect(new Set(await Promise.all(kept))).toEqual(new Set(["kept"]));
    const reader = await new Reader().take(log);
    const own = () => reader.messages.filter(({ mailbox }) => mailbox.type === agent.type);
    await reader.until(() => {
      for (const message of reader.messages) void reader.hold?.settle(message);
      return own().length >= ids.length;
    });
    expect(own().map(({ id }) => id)).toEqual(ids);
  }, 60_000);

  it("keep their order though the connection of the first append is slower than that of the second", async () => {
    const pool = new pg.Pool({ connectionString: server.url() });
    onTestFinished(() => pool.end());
    const [sent, gate] = [new Gate(), new Gate()];
    let groups = 0;
    // Holds the first group back.
    const slow = {
      connect: async () => {
        const client = await pool.connect();
        return {
          query: async (query: PostgresQuery) => {
            const isGroup = query.text.startsWith("select") && query.text.includes("write_group");
            if (isGroup) groups += 1;
            if (isGroup && groups === 1) {
              sent.open();
              await gate.opened;
            }
            return client.query(query);
          },
          on: client.on.bind(client),
          removeListener: client.removeListener.bind(client),
          release: client.release.bind(client),
        };
      },
    };
    const rig = await openedRig(slow);
    const log = logOf(rig);
    const first = log.append(agent, messageOf("1"));
    await sent.opened;
    const second = log.append(agent, messageOf("2"));
    // It goes with the group after the first one.
    await log.append({ type: "other", key: "k" }, messageOf("3"));
    gate.open();
    expect(await Promise.all([first, second])).toEqual(["kept", "kept"]);
    const mail = await rig.store.mail({ limit: 10 });
    expect(mail.map(({ id }) => id)).toEqual(["3", "1", "2"]);
  });

  it("give the mail of a commit to a reader that waits", async () => {
    const rig = await openedRig(server.url());
    const reader = await new Reader().take(logOf(rig));
    // The log has found nothing.
    for (let times = 0; times < 5; times += 1) await rig.store.mail({ limit: 1 });
    await committed(rig.store, putOf("1", { mail: [mailOf("1")] }));
    await reader.until(() => reader.messages.length === 1);
  });

  it("know what one group appends twice, and are full within a group", async () => {
    const rig = await openedRig(server.url(), { maxMailboxMessages: 3 });
    const log = logOf(rig);
    const ids = ["1", "1", "2", "3", "4"];
    expect(await Promise.all(ids.map((id) => log.append(agent, messageOf(id))))).toEqual([
      ...["kept", "known", "kept", "kept", "full"],
    ]);
    const limit = expect.stringContaining("3 messages and 67108864 bytes of one mailbox");
    const refused = { at: "refused", limit, isMailboxFull: true, mailbox: agent };
    expect(await commitOne(rig.store, putOf("1", { mail: [mailOf("5")] }))).toEqual(refused);
    const [first] = await rig.store.mail({ limit: 1 });
    await log.bury({ ...letterOf("1"), place: first?.place ?? 0 }, why);
    expect(await commitOne(rig.store, putOf("1", { mail: [mailOf("5"), mailOf("6")] }))).toEqual(refused);
    await committed(rig.store, putOf("1", { mail: [mailOf("5")] }));
    const { letters } = await log.deadLetters({ limit: 10 });
    expect(await log.replay(letters.map(({ letter }) => letter))).toBe(0);
    expect((await rig.store.mail({ limit: 10 })).map(({ id }) => id)).toEqual(["2", "3", "5"]);
    expect(await rig.store.load(agent)).toMatchObject({ data: bytesOf("1") });
  });

  it("take names and ids that no text and no index of PostgreSQL takes", async () => {
    const rig = await openedRig(server.url());
    const log = logOf(rig);
    const long = Array.from({ length: 1_024 }, (_, at) => String.fromCharCode(0x4e00 + ((at * 7_919) % 20_000))).join(
      "",
    );
    const mailbox = { type: "a", key: `${long.slice(1)}\0` };
    expect(await log.append(mailbox, messageOf(`\0${long}`))).toBe("kept");
    expect(await log.append(mailbox, messageOf(`\0${long}`))).toBe("known");
    const reader = await new Reader().take(log, mailbox);
    await reader.until(() => reader.messages.length === 1);
    const [message] = reader.messages;
    if (message === undefined) return;
    expect(message).toMatchObject({ mailbox, id: `\0${long}` });
    await log.bury(message, why);
    expect((await log.deadLetters({ limit: 1, mailbox })).letters).toMatchObject([{ id: `\0${long}`, mailbox, why }]);
  });

  it("hand over 16 MiB, and the next message when one is settled", async () => {
    const rig = await openedRig(server.url());
    const log = logOf(rig);
    const frame = new Uint8Array(2 * 1024 * 1024);
    for (let id = 0; id < 12; id += 1) await log.append(agent, messageOf(String(id), frame));
    const reader = await new Reader().take(log);
    await reader.until(() => reader.messages.length === 8);
    // A read that comes later sees what the log would have handed over.
    await rig.store.stats();
    expect(reader.messages).toHaveLength(8);
    const [first] = reader.messages;
    if (first !== undefined) await reader.hold?.settle(first);
    await reader.until(() => reader.messages.length === 9);
    expect(reader.ids).toEqual(["0", "1", "2", "3", "4", "5", "6", "7", "8"]);
  });

  it("take no message over maxValueBytes, and no more than a bound of bytes waits", async () => {
    const rig = await openedRig(server.url(), { maxValueBytes: 8_000, maxQueuedBytes: 10_000 });
    const log = logOf(rig);
    await expect(log.append(agent, messageOf("0", new Uint8Array(8_001)))).rejects.toMatchObject({ storeCode: "full" });
    const frame = new Uint8Array(6_000);
    const told = await Promise.allSettled(["1", "2", "3"].map((id) => log.append(agent, messageOf(id, frame))));
    expect(told.map((one) => (one.status === "fulfilled" ? one.value : one.reason.storeCode))).toEqual([
      ...["kept", "overloaded", "overloaded"],
    ]);
  });

  it("forget ids after 10 minutes, and dead letters after 30 days, as new ones come", async () => {
    const clock = new ManualClock(1_000_000_000_000);
    const rig = await openedRig(server.url(), { clock });
    const log = logOf(rig);
    const counts = async () => {
      const tables = ["mail_ids", "dead"].map((table) => `(select count(*) from ${rig.schema}.${table})`);
      return (await server.run(`select ${tables.join(" || ' ' || ")}`))[0];
    };
    // The first group of a store forgets, and the next one does so a minute later.
    await committed(rig.store, putOf("0"));
    for (let id = 0; id < 10; id += 1) await log.append(agent, messageOf(String(id)));
    for (let id = 0; id < 4; id += 1) await log.bury(letterOf(String(id)), why);
    expect(await counts()).toBe("10 4");
    clock.advance(30 * 24 * 60 * 60_000);
    // This group forgets all that is too old.
    await committed(rig.store, putOf("1"));
    expect(await counts()).toBe("0 0");
    for (let id = 0; id < 10; id += 1) await log.append(agent, messageOf(`again ${id}`));
    for (let id = 0; id < 4; id += 1) await log.bury(letterOf(String(id)), why);
    clock.advance(30 * 24 * 60 * 60_000);
    await rig.store.close();
    // Another store forgets with its first group, of at most 1,000 rows; here the group is that of an append.
    const again = await openedRig(server.url(), { clock, schema: rig.schema });
    await committed(again.store, putOf("2"));
    expect(await counts()).toBe("0 0");
  });

  it("forget two old ids for each message that is kept, so that their number follows that of 10 minutes", async () => {
    const clock = new ManualClock(1_000_000_000_000);
    const rig = await openedRig(server.url(), { clock });
    const log = logOf(rig);
    await committed(rig.store, putOf("0"));
    // All that is forgotten every minute is forgotten now, and not again while the clock stands.
    clock.advance(60_000);
    await committed(rig.store, putOf("1"));
    await server.run(`insert into ${rig.schema}.mail_ids(message, at)
      select decode(md5(n::text), 'hex'), 1 from generate_series(1, 100) as n`);
    for (let id = 0; id < 20; id += 1) await log.append(agent, messageOf(String(id)));
    expect(await server.run(`select count(*) from ${rig.schema}.mail_ids`)).toEqual(["80"]);
  });

  it.each([1, 400])(
    "know the ids of 10 minutes, and no others, when the clock is set back by %i days; also a schema of before",
    async (days) => {
      const clock = new SetClock(1_000_000_000_000);
      const rig = await openedRig(server.url(), { clock });
      clock.aheadMs = (days + 2) * 24 * 60 * 60_000;
      for (const id of ["1", "2", "3"]) expect(await logOf(rig).append(agent, messageOf(id))).toBe("kept");
      await rig.store.close();
      // The functions of version 3 are not those of this program. It counts no mail, and has no runs.
      const { schema } = rig;
      await server.run(`drop trigger mail_added on ${schema}.mail; drop trigger mail_removed on ${schema}.mail;
        drop function ${schema}.write_group; drop table ${schema}.run_chunks, ${schema}.runs;
        drop table ${schema}.mailbox_sizes, ${schema}.mail_type_sizes, ${schema}.mail_size;
        update ${schema}.meta set schema_version = 3`);
      clock.aheadMs = 0;
      const { store } = await openedRig(server.url(), { clock, schema });
      expect(await server.run(`select schema_version from ${rig.schema}.meta`)).toEqual([String(schemaSteps.length)]);
      expect(await store.log?.append(agent, messageOf("1"))).toBe("kept");
      expect(await store.log?.append(agent, messageOf("1"))).toBe("known");
      // The ids of then are forgotten: two for each message that is kept, and the others as time passes.
      clock.advance(60_000);
      await committed(store, putOf("0"));
      expect(await server.run(`select count(*) from ${rig.schema}.mail_ids`)).toEqual(["1"]);
    },
  );

  it("take the mail of a commit again that they were given while the clock was ahead, and once in 10 minutes", async () => {
    const clock = new SetClock(1_000_000_000_000);
    const { store } = await openedRig(server.url(), { clock });
    const told = commitOf({ mail: [{ ...mailOf("1"), isOnce: true }] });
    clock.aheadMs = 24 * 60 * 60_000;
    expect(await committed(store, told)).not.toHaveProperty("knownMail");
    clock.aheadMs = 0;
    expect(await committed(store, told)).not.toHaveProperty("knownMail");
    expect(await committed(store, told)).toMatchObject({ knownMail: [0] });
    expect((await store.stats()).mail).toBe(2);
  });

  it("are not there for several writers, whose mail has no bound of a mailbox", async () => {
    const { store } = await openedRig(server.url(), { writers: "many", maxMailboxMessages: 1 });
    expect(store.log).toBeUndefined();
    await committed(store, putOf("1", { mail: [mailOf("1"), mailOf("2")] }));
  });

  it("are an outbox for several writers, which is bounded in bytes", async () => {
    const { store } = await openedRig(server.url(), { writers: "many", maxMailBytes: 30 * 1024 });
    const large = (id: string) => putOf("1", { mail: [{ ...mailOf(id), frame: new Uint8Array(9 * 1024) }] });
    await committed(store, large("1"));
    await committed(store, large("2"));
    const limit = expect.stringContaining("20480 bytes of the mail of one agent type");
    expect(await commitOne(store, large("3"))).toMatchObject({ at: "refused", isMailboxFull: true, limit });
  });

  it("are an outbox for several writers, whose bounds count no mark of a deleted agent", async () => {
    const rig = await openedRig(server.url(), { writers: "many", maxMailBytes: 30 * 1024 });
    const { store } = rig;
    const marks = Array.from({ length: 40 }, (_, key) => {
      const deleted = { type: agent.type, key: `deleted ${key}` };
      const mark = { id: "troupe.emptied", receiver: deleted, kind: "emptied", frame: bytesOf("1") } as const;
      return commitOf({ agent: deleted, write: { at: "delete" }, mail: [mark] });
    });
    const large = (id: string, ...mail: Mail[]) =>
      putOf("1", { mail: [{ ...mailOf(id), frame: new Uint8Array(9 * 1024) }, ...mail] });
    const [mark] = marks[0]?.mail ?? [];
    // In one group with mail and without, in one commit with mail, and after all of them.
    await store.commit([large("1"), ...marks]);
    await store.commit(marks);
    await committed(store, large("2", ...(mark === undefined ? [] : [mark])));
    const limit = expect.stringContaining("20480 bytes of the mail of one agent type");
    expect(await commitOne(store, large("3"))).toMatchObject({ at: "refused", isMailboxFull: true, limit });
    const mail = await store.mail({ limit: 100 });
    expect(mail.filter(({ kind }) => kind === "emptied")).toHaveLength(41);
    await store.settle({ ticks: [], mail: mail.map(({ place }) => ({ place, nextMs: undefined, attempts: 1 })) });
    await store.commit([large("4"), large("5")]);
    const sizes = ["mailbox_sizes", "mail_type_sizes", "mail_size"].map(
      (table) => `(select sum(bytes) from ${rig.schema}.${table})`,
    );
    expect(await server.run(`select ${sizes.join(" || ' ' || ")}`)).toEqual(["20480 20480 20480"]);
  });
});

describe("dead letters in PostgreSQL", () => {
  it("are read in pages of at most 4 MiB", async () => {
    const log = logOf(await openedRig(server.url()));
    const frame = new Uint8Array(3 * 1024 * 1024);
    for (const id of ["1", "2", "3"]) await log.bury(letterOf(id, id === "3" ? bytesOf("3") : frame), why);
    const ids: string[][] = [];
    for (let after: string | undefined; ; ) {
      const { letters, isLast } = await log.deadLetters({ limit: 10, after });
      ids.push(letters.map(({ id }) => id));
      after = letters.at(-1)?.letter;
      if (isLast) break;
    }
    expect(ids).toEqual([["1"], ["2", "3"]]);
  });

  it("go by hundreds into their mailboxes and away", async () => {
    const rig = await openedRig(server.url());
    const log = logOf(rig);
    await Promise.all(Array.from({ length: 200 }, (_, id) => log.bury(letterOf(String(id)), why)));
    const { letters } = await log.deadLetters({ limit: 1_000 });
    const names = letters.map(({ letter }) => letter);
    expect(await log.replay([...names.slice(0, 150), "", "x", "99999999999999999999"])).toBe(150);
    expect(await log.drop(names)).toBe(50);
    expect((await rig.store.mail({ limit: 1_000 })).map(({ id }) => id)).toEqual(
      letters.slice(0, 150).map(({ id }) => id),
    );
  });
});

it("a commit whose mail is a dead letter says how many older letters PostgreSQL has forgotten for it", async () => {
  const rig = await openedRig(server.url(), { maxMailboxMessages: 1 });
  // Four of 17 MiB, of which 64 MiB are kept.
  await server.run(`insert into ${rig.schema}.dead
    select n, '\\x00', '\\x61', '\\x62', 0, '\\x31', 'call', 0, 0, 'expired', '', 1, 4000000000000, convert_to(repeat('x', 17 * 1024 * 1024), 'UTF8')
    from generate_series(-4, -1) as n`);
  const told = (id: string) => commitOf({ mail: [{ ...mailOf(id), whenFull: "bury" }] });
  await committed(rig.store, told("1"));
  expect(await committed(rig.store, told("2"))).toMatchObject({ buriedMail: [0], forgottenLetters: 1 });
  expect(await committed(rig.store, told("3"))).not.toHaveProperty("forgottenLetters");
});

describe("the mail of a PostgreSQL store that is lost", () => {
  it("is read by its old holder no more, once that one knows that another has taken the store", async () => {
    const rig = await openedRig(server.url());
    const log = logOf(rig);
    await log.append(agent, messageOf("1"));
    const reader = await new Reader().take(log);
    await reader.until(() => reader.messages.length === 1);
    const other = await openRig(server.url(), { schema: rig.schema });
    await other.store.open({ takesOver: true });
    const next = await new Reader().take(logOf(other));
    await expect(log.append(agent, messageOf("2"))).rejects.toMatchObject({ storeCode: "fenced" });
    const [message] = reader.messages;
    expect(message && (await reader.hold?.settle(message))).toBe("lost");
    expect(reader.lost).toBeDefined();
    await expect(log.deadLetters({ limit: 1 })).rejects.toMatchObject({ storeCode: "fenced" });
    await logOf(other).append(agent, messageOf("3"));
    await next.until(() => next.messages.length === 2);
    expect(next.ids).toEqual(["1", "3"]);
    expect(reader.ids).toEqual(["1"]);
  });

  it.each(["append", "commit"])(
    "with the connection: %s is unknown, and the reader gets what was kept, once",
    async (by) => {
      await using proxy = await startFaultProxy({ target: `127.0.0.1:${server.port}` });
      const rig = await openedRig(server.url("troupe", Number(proxy.address.split(":")[1])));
      const beside = await openRig(server.url(), { schema: rig.schema });
      const log = logOf(rig);
      const reader = await new Reader().take(log);
      await rig.store.stats();
      proxy.apply({ kind: "stall", in: "to-client" });
      const written =
        by === "append" ? log.append(agent, messageOf("1")) : rig.store.commit([putOf("1", { mail: [mailOf("1")] })]);
      written.catch(() => undefined);
      await until(async () => (await beside.store.stats()).mail === 1);
      proxy.apply({ kind: "reset" });
      proxy.heal();
      await expect(written).rejects.toMatchObject({ storeCode: "unknown" });
      await reader.until(() => reader.messages.length === 1 || reader.lost !== undefined);
      expect([reader.ids, reader.lost]).toEqual([["1"], undefined]);
      if (by === "append") expect(await log.append(agent, messageOf("1"))).toBe("known");
    },
  );
});

describe("a schema of version 1", () => {
  it("has its states, reminders and mail after the migration, and a log", async () => {
    const written = readFileSync(new URL("postgres-schema-1.sql", import.meta.url), "utf8");
    // Remembered answers are kept for a day: the schema is as if it were written now.
    await server.run(written.replaceAll("1796066662613", String(Date.now())));
    const rig = await openRig(server.url(), { schema: "version_1" });
    const agentOfMail = { type: "b", key: "k" };
    expect(await rig.store.mail({ limit: 10 })).toHaveLength(2);
    await rig.store.open();
    const log = logOf(rig);
    const sizesAgree =
      "select (select bytes from version_1.mail_size) = sum(octet_length(frame) + 1024) from version_1.mail";
    expect(await server.run(sizesAgree)).toEqual(["true"]);
    expect(textOf((await loaded(rig.store)).data)).toBe("kept");
    expect(await rig.store.reminders(agent)).toMatchObject([{ name: "r", dueMs: 5 }]);
    expect(await rig.store.remembered(agent, "1", "p")).toBeDefined();
    await committed(rig.store, commitOf({ mail: [{ ...mailOf("3"), receiver: agentOfMail }] }));
    expect(await log.append(agentOfMail, messageOf("4"))).toBe("kept");
    const reader = await new Reader().take(log, agentOfMail);
    await reader.until(() => reader.messages.length === 4);
    expect(reader.ids).toEqual(["1", "2", "3", "4"]);
    const [first] = reader.messages;
    if (first === undefined) return;
    await log.bury(first, why);
    expect((await log.deadLetters({ limit: 1 })).letters).toMatchObject([{ id: "1", frame: bytesOf("frame of 1") }]);
    expect(await server.run(sizesAgree)).toEqual(["true"]);
  });
});
