import { describe, expect, it } from "vitest";
import { shardOf } from "../../../src/core/internal.ts";
import { commitOf, committed, putOf } from "../../../src/testing/contracts/state-store/store-case.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { openedRig, type SqliteRig } from "../../support/sqlite-rig.ts";
import { sqliteError } from "../../support/sqlite-stores.ts";

const ioError = 10;

const nameOf = (key: string) => ({ type: "a", key });
const ofKey = (key: string) => ({ agent: nameOf(key) });

describe("what a SQLite store forgets", () => {
  const minuteMs = 60_000;
  const dayMs = 24 * 60 * minuteMs;

  function countIn(rig: SqliteRig, table: string): number {
    return Number(rig.driver.connectionTo(rig.file).prepare(`select count(*) as n from ${table}`).get()?.n);
  }

  it("the ids of mailboxes do not grow when 2,000 messages are told every minute", async () => {
    const rig = await openedRig();
    const { log } = rig.store;
    let told = 0;
    const tell = async (count: number): Promise<void> => {
      const messages = Array.from({ length: count }, () => {
        told += 1;
        return { id: String(told), kind: "call", frame: new Uint8Array(1), sentAtMs: rig.clock.wallNow() } as const;
      });
      await Promise.all(messages.map((message) => log?.append({ type: "a", key: message.id }, message)));
    };
    for (let minute = 0; minute < 16; minute += 1) {
      for (let part = 0; part < 8; part += 1) await tell(250);
      rig.clock.advance(minuteMs);
    }
    expect(told).toBe(32_000);
    // Those of the last 10 minutes, and those of the minute in which they are forgotten.
    expect(countIn(rig, "mail_ids")).toBeLessThanOrEqual(11 * 2_000);
  });

  /** A clock whose wall is set forward, so that no timer of the days between runs. */
  class SetClock extends ManualClock {
    laterMs = 1_000_000_000_000;

    override wallNow(): number {
      return super.wallNow() + this.laterMs;
    }
  }

  it("remembered messages do not grow when each day brings as many", async () => {
    const clock = new SetClock();
    const rig = await openedRig(undefined, { clock });
    let day = 0;
    const remember = (index: number) =>
      committed(rig.store, commitOf({ ...ofKey(`${day}-${index}`), remembered: [{ id: "1", principal: "p" }] }));
    for (; day < 4; day += 1) {
      await Promise.all(Array.from({ length: 1_500 }, (_, index) => remember(index)));
      clock.laterMs += dayMs;
    }
    expect(countIn(rig, "remembered")).toBeLessThanOrEqual(2_000);
  });

  it("remembered messages and ids that are too old go by and by, though no new ones come", async () => {
    const clock = new SetClock();
    const rig = await openedRig(undefined, { clock });
    const { log } = rig.store;
    const message = { id: "1", kind: "call", frame: new Uint8Array(1), sentAtMs: 0 } as const;
    await Promise.all(
      Array.from({ length: 1_500 }, (_, index) => [
        committed(rig.store, commitOf({ ...ofKey(`${index}`), remembered: [{ id: "1", principal: "p" }] })),
        log?.append(nameOf(`${index}`), message),
      ]).flat(),
    );
    clock.laterMs += 2 * dayMs;
    const counts = [];
    for (let minute = 0; minute < 2; minute += 1) {
      await committed(rig.store, putOf("x"));
      await committed(rig.store, putOf("y"));
      counts.push([countIn(rig, "remembered"), countIn(rig, "mail_ids")]);
      clock.laterMs += minuteMs;
    }
    // 1,000 of each in a minute.
    expect(counts).toEqual([
      [500, 500],
      [0, 0],
    ]);
  });

  it.each([1, 400])(
    "goes on when the clock is set back by %i days, and an id of then is not known any more",
    async (days) => {
      const clock = new SetClock();
      const rig = await openedRig(undefined, { clock });
      const { log } = rig.store;
      const message = { id: "1", kind: "call", frame: new Uint8Array(1), sentAtMs: 0 } as const;
      clock.laterMs += (days + 2) * dayMs;
      for (const key of ["k", "l"]) expect(await log?.append(nameOf(key), message)).toBe("kept");
      clock.laterMs -= (days + 2) * dayMs;
      expect(await log?.append(nameOf("k"), message)).toBe("kept");
      expect(await log?.append(nameOf("k"), message)).toBe("known");
      await committed(rig.store, commitOf({ ...ofKey("k"), remembered: [{ id: "1", principal: "p" }] }));
      clock.laterMs += dayMs;
      await committed(rig.store, putOf("x"));
      expect([countIn(rig, "remembered"), countIn(rig, "mail_ids")]).toEqual([0, 0]);
    },
  );

  it("dead letters do not grow when each month brings as many", async () => {
    const clock = new SetClock();
    const rig = await openedRig(undefined, { clock });
    const why = { code: "handler-failed", text: "it threw", attempts: 1 } as const;
    const letter = { id: "1", kind: "call", frame: new Uint8Array(1), sentAtMs: 0, priorTakeovers: 0 } as const;
    for (let month = 0; month < 4; month += 1) {
      const bury = () => rig.store.log?.bury({ ...letter, mailbox: nameOf("k"), place: 0 }, why);
      await Promise.all(Array.from({ length: 1_500 }, bury));
      clock.laterMs += 30 * dayMs;
    }
    expect(countIn(rig, "dead")).toBeLessThanOrEqual(2_000);
  });

  it("dead letters for the mail of a commit, which says how many", async () => {
    const rig = await openedRig(undefined, { maxMailboxMessages: 1 });
    const connection = rig.driver.connectionTo(rig.file);
    // Four of 17 MiB, of which 64 MiB are kept.
    connection.exec(`insert into dead(type, key, id, kind, sent_at, place, code, reason, attempts, died_at, frame)
      select x'61', x'62', x'31', 'call', 0, 0, 'expired', x'', 1, 4000000000000, zeroblob(17 * 1024 * 1024)
      from (values (1), (2), (3), (4))`);
    const mailOf = (id: string, frame: Uint8Array) =>
      commitOf({ mail: [{ id, receiver: nameOf("k"), kind: "event", frame, whenFull: "bury" }] });
    await committed(rig.store, mailOf("1", new Uint8Array(1)));
    const looked = await committed(rig.store, mailOf("2", new Uint8Array(5 * 1024 * 1024)));
    expect(looked).toMatchObject({ buriedMail: [0], forgottenLetters: 1 });
    expect(await committed(rig.store, mailOf("3", new Uint8Array(1)))).not.toHaveProperty("forgottenLetters");
  });
});

describe("mail whose writing is unknown", () => {
  it.each(["append", "commit"])("reaches its reader once: %s", async (by) => {
    const rig = await openedRig();
    const { log } = rig.store;
    const agent = nameOf("k");
    const message = { id: "1", kind: "call", frame: new Uint8Array(1), sentAtMs: rig.clock.wallNow() } as const;
    const read: string[] = [];
    const came = new Promise<void>((resolve) => {
      void log?.take(shardOf(agent), 1, {
        onMessage: ({ id }) => {
          read.push(id);
          resolve();
        },
        onLost: (error) => {
          throw error;
        },
      });
    });
    await rig.store.stats();
    rig.driver.beforeStatement = (sql) => {
      if (sql !== "commit") return;
      rig.driver.beforeStatement = () => undefined;
      rig.driver.connectionTo(rig.file).exec("commit");
      throw sqliteError(ioError, "disk I/O error");
    };
    const mail = [{ id: "1", receiver: agent, kind: "call", frame: new Uint8Array(1) } as const];
    const written =
      by === "append" ? log?.append(agent, message) : rig.store.commit([putOf("x", { ...ofKey("sender"), mail })]);
    await expect(written).rejects.toMatchObject({ storeCode: "unknown" });
    await came;
    expect(read).toEqual(["1"]);
    if (by === "append") expect(await log?.append(agent, message)).toBe("known");
  });
});

describe("a SQLite store whose file is full of ids of told messages", () => {
  it("takes messages and states: it forgets the oldest ids first", async () => {
    const rig = await openedRig(undefined, { maxFileBytes: 256 * 1024 });
    const { log } = rig.store;
    const idOf = (count: number) => `${count} ${"i".repeat(200)}`;
    const tell = async (count: number) => {
      const message = { id: idOf(count), kind: "call", frame: new Uint8Array(100), sentAtMs: 0 } as const;
      const kept = await log?.append(nameOf("k"), message);
      for (const { place } of await rig.store.mail({ limit: 10 })) {
        await rig.store.settle({ ticks: [], mail: [{ place, nextMs: undefined, attempts: 0 }] });
      }
      return kept;
    };
    for (let count = 0; count < 2_000; count += 1) expect(await tell(count)).toBe("kept");
    await committed(rig.store, putOf("x".repeat(32 * 1024)));
    expect(await tell(1_999)).toBe("known");
    expect(await tell(0)).toBe("kept");
  });
});
