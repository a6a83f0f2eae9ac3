import { expect, test } from "vitest";
import type { ShardReader, StoredMail } from "../../../../src/core/internal.ts";
import { type MailPageQuery, type MailTable, StoreLog, shardOf } from "../../../../src/core/internal.ts";

const agent = { type: "a", key: "k" };

function mailOf(place: number, receiver = agent): StoredMail {
  return {
    ...{ id: String(place), receiver, kind: "call", frame: new Uint8Array(1), place, sender: agent },
    ...{ keptAtMs: 0, attempts: 0, nextMs: 0 },
  };
}

/** A table whose pages a test hands out. */
class Table implements Pick<MailTable, "readMail" | "dropMail"> {
  mail: StoredMail[] = [];
  rowsRead = 0;
  /** Called between a page's reading and its return. */
  onPage: (query: MailPageQuery) => Promise<void> = async () => undefined;

  async readMail(query: MailPageQuery): Promise<readonly StoredMail[]> {
    const { mailbox, after, limit } = query;
    const page = this.mail
      .filter(({ place, receiver }) => place > after && (mailbox === undefined || receiver.key === mailbox.key))
      .slice(0, limit);
    this.rowsRead += page.length;
    await this.onPage(query);
    return page;
  }

  async dropMail(place: number): Promise<void> {
    this.mail = this.mail.filter((mail) => mail.place !== place);
  }
}

const never = () => Promise.reject(new Error("not asked"));

function logOver(table: Table): StoreLog {
  return new StoreLog({
    ...{ append: never, bury: never, deadLetters: never, replay: never, drop: never },
    readMail: (query) => table.readMail(query),
    dropMail: (place) => table.dropMail(place),
  });
}

async function idle(log: StoreLog): Promise<void> {
  while (log.isReading) await new Promise(setImmediate);
}

test("a message that is settled while a page with it is read does not come a second time", async () => {
  const table = new Table();
  table.mail = [mailOf(1), mailOf(2)];
  const log = logOver(table);
  const ids: string[] = [];
  const reader: ShardReader = { onMessage: ({ id }) => ids.push(id), onLost: () => undefined };
  const hold = await log.take(shardOf(agent), 1, reader);
  await idle(log);
  expect(ids).toEqual(["1", "2"]);
  await log.spill(shardOf(agent), agent, { place: 3 });
  table.mail.push(mailOf(3));
  // While the log reads the third message for its reader, it is read back and settled.
  table.onPage = async ({ mailbox }) => {
    table.onPage = async () => undefined;
    expect(mailbox).toBe(undefined);
    for await (const message of log.unspill(shardOf(agent), agent)) {
      ids.push(message.id);
      await hold.settle(message);
    }
  };
  log.wake();
  await idle(log);
  expect(ids).toEqual(["1", "2", "3"]);
});

test("to read a mailbox back does not read the later mail of all others again", async () => {
  const table = new Table();
  const others = Array.from({ length: 500 }, (_, index) => mailOf(index + 2, { type: "a", key: `k${index}` }));
  table.mail = [mailOf(1), ...others];
  const log = logOver(table);
  for (let shard = 0; shard < log.shards; shard += 1)
    await log.take(shard, 1, { onMessage: () => undefined, onLost: () => undefined });
  await idle(log);
  const [first] = table.mail;
  if (first !== undefined) await log.spill(shardOf(agent), agent, first);
  table.rowsRead = 0;
  for await (const { id } of log.unspill(shardOf(agent), agent)) expect(id).toBe("1");
  await idle(log);
  expect(table.rowsRead).toBeLessThan(10);
});
