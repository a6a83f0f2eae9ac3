import { expect, it } from "vitest";
import { toStoreError } from "../../../../src/storage/sqlite/sqlite-error.ts";

/** An error as Node's driver throws it. */
function errorOf(errcode: number, message: string): Error {
  return Object.assign(new Error(message), { errcode });
}

it.each<[string, Error, string]>([
  [
    "that may not be written",
    errorOf(8, "attempt to write a readonly database"),
    "Give this process the right to write to the file and to its folder, or open the store with readOnly.",
  ],
  [
    "that may not be opened",
    errorOf(14, "Failed to open database: unable to open database file"),
    "Give this process the rights to the file and to its folder, or name another file.",
  ],
  [
    "that may not be opened, of a driver without codes",
    new Error("unable to open database file"),
    "Give this process the rights to the file and to its folder, or name another file.",
  ],
  ["that another program writes to", errorOf(5, "database is locked"), "Another program writes to the file. End it."],
  ["of a disk that fails", errorOf(10, "disk I/O error"), "Look whether its disk works"],
])("the error of a file %s says what to do", (_what, error, advice) => {
  const { storeCode, message } = toStoreError(error, "/data/agents.db");
  expect(storeCode).toBe("unavailable");
  expect(message).toContain(`The state store /data/agents.db failed: ${error.message}. ${advice}`);
});
