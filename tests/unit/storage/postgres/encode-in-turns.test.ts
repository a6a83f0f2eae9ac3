import { expect, test } from "vitest";
import { type Commit, mailBoundsOf, nextTurn } from "../../../../src/core/internal.ts";
import { EncodingOrder, encodeCommits } from "../../../../src/storage/postgres/encode-in-turns.ts";
import { type EncodedWrite, encodeGroup } from "../../../../src/storage/postgres/encode-writes.ts";

const moment = { nowMs: 1, bounds: mailBoundsOf({}), hasMailboxes: true };

function commitWith(count: number): Commit {
  const mail = Array.from({ length: count }, (_, index) => ({
    ...{ id: `m${index}`, receiver: { type: "b", key: `${index % 7}` }, frame: Uint8Array.of(index % 256, 1) },
    ...{ kind: "event" as const, isOnce: index % 2 === 0, whenFull: index % 3 === 0 ? ("bury" as const) : undefined },
  }));
  const write = { at: "put", contentType: "x/y", schemaVersion: 1, data: Uint8Array.of(9, 9) } as const;
  const agent = { type: "a", key: "k" };
  return { agent, epoch: undefined, expected: { at: "anything" }, write, reminders: [], mail, remembered: [] };
}

/** What a server reads of a commit: its mail, and its state. */
function readGroup(writes: readonly EncodedWrite[]) {
  const { json, bytes } = encodeGroup(writes, () => "tag", undefined);
  const [fields] = JSON.parse(json);
  const part = ([offset, length]: readonly [number, number]) => bytes.subarray(offset, offset + length);
  // biome-ignore lint/suspicious/noExplicitAny: JSON as the server reads it
  const mail = fields.mail.map((one: any) => ({
    ...{ receiver: one.receiver, kind: one.kind, typeId: one.typeId, once: one.once, shard: one.shard },
    ...{ id: `${part(one.id)}`, type: `${part(one.type)}`, key: `${part(one.key)}`, frame: [...part(one.frame)] },
    buries: one.buries === undefined ? undefined : `${part(one.buries)}`,
  }));
  return { mail, data: [...part(fields.data)], agents: writes.flatMap(({ agents }) => agents) };
}

test("a commit with 5,000 messages is encoded with turns for others between its slices, from the bytes of its call", async () => {
  const commit = commitWith(5_000);
  const encoding = encodeCommits([commit], moment);
  for (const { frame } of commit.mail) frame.fill(0);
  if (commit.write.at === "put") commit.write.data.fill(0);
  let turns = 0;
  let writes: readonly EncodedWrite[] | undefined;
  void Promise.resolve(encoding).then((encoded) => {
    writes = encoded;
  });
  for (; writes === undefined; turns += 1) await nextTurn();
  expect(turns).toBeGreaterThanOrEqual(5_000 / 256);
  // Commits with less mail are encoded at once.
  const whole = commitWith(5_000);
  const parts = Array.from({ length: 20 }, (_, index) => whole.mail.slice(index * 250, (index + 1) * 250));
  const atOnce = parts.map((mail) => encodeCommits([{ ...whole, mail }], moment) as readonly EncodedWrite[]);
  const expected = atOnce.map((some) => readGroup(some));
  const { mail, data, agents } = readGroup(writes);
  expect(data).toEqual([9, 9]);
  expect(mail).toEqual(expected.flatMap((one) => one.mail));
  expect(new Set(agents)).toEqual(new Set(expected.flatMap((one) => one.agents)));
});

test("what is written later waits for a commit that is being encoded, and goes at once when there is none", async () => {
  const order = new EncodingOrder();
  const small = encodeCommits([commitWith(1)], moment);
  expect(order.wait(small)).toBeUndefined();
  const done: string[] = [];
  const large = order.wait(encodeCommits([commitWith(1_000)], moment))?.then(() => done.push("large"));
  const second = order.wait(small)?.then(() => done.push("second"));
  const third = order.wait(encodeCommits([commitWith(300)], moment))?.then(() => done.push("third"));
  await Promise.all([large, second, third]);
  expect(done).toEqual(["large", "second", "third"]);
  await nextTurn();
  expect(order.wait(small)).toBeUndefined();
});
