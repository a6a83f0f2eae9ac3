import { errorText, loggableText, StoreError, type StoreErrorCode } from "../../core/internal.ts";

/** Result codes of SQLite, without what their upper bits add. */
export const sqliteCode = {
  busy: 5,
  locked: 6,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cantOpen: 14,
  tooBig: 18,
  notDatabase: 26,
};
/** The file beside the database that its readers share could not grow: the disk is full. */
const noSharedMemory = 4874;
/** The file was moved or deleted while it was open. */
const databaseMoved = 1032;

// The peer's `all()` throws errors without a code.
const codeOfText = new Map([
  ["database is locked", sqliteCode.busy],
  ["database table is locked", sqliteCode.locked],
  ["attempt to write a readonly database", sqliteCode.readOnly],
  ["disk I/O error", sqliteCode.ioError],
  ["database disk image is malformed", sqliteCode.corrupt],
  ["database or disk is full", sqliteCode.full],
  ["unable to open database file", sqliteCode.cantOpen],
  ["Failed to open database: unable to open database file", sqliteCode.cantOpen],
  ["string or blob too big", sqliteCode.tooBig],
  ["file is not a database", sqliteCode.notDatabase],
]);

/** Returns SQLite's result code of an error; with `whole` its upper bits too. Undefined: the error is not SQLite's. */
export function codeOf(error: unknown, whole = false): number | undefined {
  if (!(error instanceof Error)) return undefined;
  if (!("errcode" in error) || typeof error.errcode !== "number") return codeOfText.get(error.message);
  return whole ? error.errcode : error.errcode % 256;
}

/** Whether an error of a group is about one commit, so that the others may succeed. */
export function isOfOneCommit(error: unknown): boolean {
  if (error instanceof StoreError) return false;
  const { busy, locked, readOnly, ioError, corrupt, full, notDatabase } = sqliteCode;
  const code = codeOf(error);
  return code === undefined || ![busy, locked, readOnly, ioError, corrupt, full, notDatabase].includes(code);
}

/** Turns an error of SQLite into a `StoreError` that says what to do. A `StoreError` stays. */
export function toStoreError(error: unknown, file: string): StoreError {
  if (error instanceof StoreError) return error;
  const { storeCode, advice } = meaningOf(error);
  const text = `The state store ${loggableText(file)} failed: ${loggableText(errorText(error))}. ${advice}`;
  return new StoreError(storeCode, text, { cause: error });
}

function meaningOf(error: unknown): { readonly storeCode: StoreErrorCode; readonly advice: string } {
  const whole = codeOf(error, true);
  if (whole === databaseMoved) return { storeCode: "corrupt", advice: goneAdvice };
  if (whole === noSharedMemory) return { storeCode: "full", advice: fullAdvice };
  switch (codeOf(error)) {
    case sqliteCode.full:
      return { storeCode: "full", advice: fullAdvice };
    case sqliteCode.notDatabase:
      return { storeCode: "corrupt", advice: `Name the file of a store. If it was one: ${corruptAdvice}` };
    case sqliteCode.corrupt:
      return { storeCode: "corrupt", advice: corruptAdvice };
    case sqliteCode.busy:
    case sqliteCode.locked:
      return { storeCode: "unavailable", advice: "Another program writes to the file. End it." };
    case sqliteCode.readOnly:
      return {
        storeCode: "unavailable",
        advice: "Give this process the right to write to the file and to its folder, or open the store with readOnly.",
      };
    case sqliteCode.cantOpen:
      return {
        storeCode: "unavailable",
        advice: "Give this process the rights to the file and to its folder, or name another file.",
      };
    default:
      return {
        storeCode: "unavailable",
        advice: "Look whether its disk works, and whether this process may write there.",
      };
  }
}

const fullAdvice = "Make space on its disk, or raise maxFileBytes if that is the limit.";
const corruptAdvice =
  "Its file is damaged. Stop what uses it, check it (troupe state check, or checkSqliteStore), and restore a backup.";
const goneAdvice =
  "Its file is gone, or another one is in its place. Stop what uses it, and put the file back or restore a backup.";

/** The error for a file that was deleted, moved or replaced while it was open. */
export function goneError(file: string): StoreError {
  return new StoreError("corrupt", `The state store ${loggableText(file)} failed. ${goneAdvice}`);
}

/** The error for a write-ahead log that was deleted, moved or replaced while it was open. */
export function logGoneError(file: string): StoreError {
  const [log, memory] = ["-wal", "-shm"].map((end) => loggableText(file + end));
  const what = `The state store ${loggableText(file)} failed. Its write-ahead log, ${log}, is gone or replaced.`;
  const done = "The store has tried to write what was acknowledged into the file.";
  const advice = `Stop what uses it, remove ${log} and ${memory}, check the file with checkSqliteStore, and start again.`;
  return new StoreError("corrupt", `${what} ${done} ${advice}`);
}

/** The error for a file that a check has found to be damaged. */
export function damagedError(file: string, damage: string): StoreError {
  return new StoreError(
    "corrupt",
    `The state store ${loggableText(file)} failed: ${loggableText(damage)}. ${corruptAdvice}`,
  );
}
