import { expect, onTestFinished, test } from "vitest";
import { openPostgresStoreWith } from "../../../src/storage/postgres/open-postgres-store.ts";
import { committed, loaded, putOf, textOf } from "../../../src/testing/contracts/state-store/store-case.ts";
import { NodeProgram } from "../../support/node-program.ts";
import { until } from "../../support/postgres-rig.ts";
import { PostgresServer, postgresAbsence } from "../../support/postgres-server.ts";

const saver = "tests/e2e/storage/programs/saver.ts";
const absence = postgresAbsence();

async function opened(url: string) {
  const store = await openPostgresStoreWith(url, {}, {});
  onTestFinished(() => store.close());
  return store;
}

test("a PostgreSQL store whose process is killed has all that was acknowledged, whole, and can be opened at once", async (context) => {
  if (absence !== undefined) return context.skip(absence);
  await using server = await PostgresServer.start();
  await using program = new NodeProgram(saver, [server.url()]);
  await program.output(/saved 7 40\n/);
  const early = await opened(server.url());
  await expect(early.open()).rejects.toMatchObject({
    storeCode: "in-use",
    message: expect.stringMatching(/is in use by process \d+ on /),
  });
  const { stdout } = await program.stop("SIGKILL");
  const acknowledged = new Map(
    [...stdout.matchAll(/saved (\d+) (\d+)\n/g)].map(([, key, count]) => [key, Number(count)]),
  );
  expect(acknowledged.size).toBe(8);
  // The server frees the lock when it sees that the connection has ended.
  await until(() =>
    early.open().then(
      () => true,
      ({ storeCode }) => {
        expect(storeCode).toBe("in-use");
        return false;
      },
    ),
  );
  const mail = await early.mail({ limit: 1_000_000 });
  for (const [key = "", count] of acknowledged) {
    const stored = Number(textOf((await loaded(early, { type: "counter", key })).data));
    // What the pipe has lost was acknowledged, too.
    expect(stored).toBeGreaterThanOrEqual(count);
    const ids = mail.filter(({ receiver }) => receiver.key === key).map(({ id }) => Number(id));
    expect(ids).toEqual(Array.from({ length: stored }, (_, index) => index + 1));
  }
  await committed(early, putOf("next"));
  await early.close();
}, 60_000);

test.for(["once", "idle"])(
  "an open PostgreSQL store that has nothing to do lets its process end: %s",
  { timeout: 60_000 },
  async (mode, context) => {
    if (absence !== undefined) return context.skip(absence);
    await using server = await PostgresServer.start();
    await using program = new NodeProgram(saver, [server.url(), mode]);
    expect(await program.ended).toMatchObject({ code: 0, stderr: "" });
    const store = await opened(server.url());
    await store.open();
    expect((await store.list()).records).toHaveLength(mode === "once" ? 8 : 0);
    await store.close();
  },
);
