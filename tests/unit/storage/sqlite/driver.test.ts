import { expect, test } from "vitest";
import { loadDriver } from "../../../../src/storage/sqlite/driver.ts";
import { isOlder } from "../../../../src/storage/sqlite/sqlite-state-store.ts";

class DatabaseSync {}

test("Node's own SQLite is taken where there is one, else the peer", async () => {
  const importPeer = async () => ({ DatabaseSync });
  expect((await loadDriver({ builtIn: { DatabaseSync }, importPeer })).name).toBe("node:sqlite");
  expect((await loadDriver({ builtIn: undefined, importPeer })).name).toBe("@photostructure/sqlite");
});

test("without a driver the error says which Node has one, and what to install", async () => {
  const importPeer = () => Promise.reject(new Error("Cannot find package '@photostructure/sqlite'"));
  await expect(loadDriver({ builtIn: undefined, importPeer })).rejects.toMatchObject({
    code: "state-unavailable",
    message:
      "SQLite needs Node 22.13 or newer, or on Node 20: npm install @photostructure/sqlite@1 (Cannot find package '@photostructure/sqlite')",
  });
});

test("versions of SQLite are compared by their numbers", () => {
  expect(isOlder("3.47.2", "3.51.3")).toBe(true);
  expect(isOlder("3.9.0", "3.51.3")).toBe(true);
  expect(isOlder("3.51.3", "3.51.3")).toBe(false);
  expect(isOlder("3.53.0", "3.51.3")).toBe(false);
  expect(isOlder("4.0.0", "3.51.3")).toBe(false);
});
