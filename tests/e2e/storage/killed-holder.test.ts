import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openSqliteStoreWith } from "../../../src/storage/sqlite/open-sqlite-store.ts";
import { committed, loaded, putOf, textOf } from "../../../src/testing/contracts/state-store/store-case.ts";
import { NodeProgram } from "../../support/node-program.ts";
import { newFolder } from "../../support/sqlite-stores.ts";

const saver = "tests/e2e/storage/programs/saver.ts";

async function opened(file: string) {
  const store = await openSqliteStoreWith(file, { thread: false }, {});
  onTestFinished(() => store.close());
  return store;
}

test("a store whose process is killed has all that was acknowledged, whole, and can be opened at once", async () => {
  const file = join(newFolder(), "store.db");
  await using program = new NodeProgram(saver, [file]);
  await program.output(/saved 7 40\n/);
  const early = await opened(file);
  await expect(early.open()).rejects.toMatchObject({
    storeCode: "in-use",
    message: expect.stringMatching(/is in use by process \d+ on /),
  });
  const { stdout } = await program.stop("SIGKILL");
  const acknowledged = new Map(
    [...stdout.matchAll(/saved (\d+) (\d+)\n/g)].map(([, key, count]) => [key, Number(count)]),
  );
  expect(acknowledged.size).toBe(8);
  const store = await opened(file);
  await store.open();
  const mail = await store.mail({ limit: 1_000_000 });
  for (const [key = "", count] of acknowledged) {
    const stored = Number(textOf((await loaded(store, { type: "counter", key })).data));
    // What the pipe has lost was acknowledged, too.
    expect(stored).toBeGreaterThanOrEqual(count);
    const ids = mail.filter(({ receiver }) => receiver.key === key).map(({ id }) => Number(id));
    expect(ids).toEqual(Array.from({ length: stored }, (_, index) => index + 1));
  }
  await committed(store, putOf("next"));
});

test.each(["once", "idle"])("an open store that has nothing to do lets its process end: %s", async (mode) => {
  const file = join(newFolder(), "store.db");
  await using program = new NodeProgram(saver, [file, mode]);
  expect(await program.ended).toMatchObject({ code: 0, stderr: "" });
  const store = await opened(file);
  await store.open();
  expect((await store.list()).records).toHaveLength(mode === "once" ? 8 : 0);
});
