import { closeSync, openSync, statSync, writeSync } from "node:fs";
import { describe, it } from "vitest";
import { describeStateStore } from "../../../src/testing/contracts/state-store.ts";
import { SqliteStores, sqliteThreadFile, WatchedDriver } from "../../support/sqlite-stores.ts";

const driver = await WatchedDriver.load();
const direct = new SqliteStores({ thread: false }, { driver, busyTimeoutMs: 10 });

describeStateStore(
  `SQLite in this thread, by ${driver.name}`,
  direct.adapter({
    full: (store) => {
      const database = driver.connectionTo(direct.fileOf(store));
      const pages = Number(Object.values(database.prepare("pragma page_count").get() ?? {})[0]);
      database.exec(`pragma max_page_count = ${pages + 2}`);
      return () => void database.exec("pragma max_page_count = 4294967294");
    },
    unavailable: (store) => {
      const other = driver.open(direct.fileOf(store));
      other.exec("begin immediate");
      return () => {
        other.exec("rollback");
        other.close();
      };
    },
    corrupt: (store) => {
      damage(direct.fileOf(store));
      damage(`${direct.fileOf(store)}-wal`);
      driver.connectionTo(direct.fileOf(store)).exec("pragma shrink_memory");
      return () => undefined;
    },
  }),
  { describe, it },
);

const threaded = new SqliteStores({ synchronous: "normal" }, { threadFile: await sqliteThreadFile() });
describeStateStore("SQLite in a thread of its own", threaded.adapter(), { describe, it });

/** Overwrites a file with bytes that mean nothing. */
function damage(file: string): void {
  const opened = openSync(file, "r+");
  writeSync(opened, new Uint8Array(statSync(file).size).fill(0xaa), 0);
  closeSync(opened);
}
