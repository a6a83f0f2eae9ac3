import { errorText, loggableText, StoreError, type StoreErrorCode } from "../../core/internal.ts";
import { QueryFailure, sqlStateOf } from "./connections.ts";

/** Whether another try of a statement may succeed: it lost a race against another one, and nothing has changed. */
export function isWorthAnotherTry(error: unknown): boolean {
  const state = sqlStateOf(error);
  return (state === "40001" || state === "40P01") && !isUndecided(error);
}

/** Whether an error of a group is about one commit, so that the others may succeed: its data, or a limit of PostgreSQL. */
export function isOfOneCommit(error: unknown): boolean {
  const state = sqlStateOf(error) ?? "";
  return ["22", "23", "54"].includes(state.slice(0, 2)) && !isUndecided(error);
}

/** Whether an error says that one commit is beyond a limit of PostgreSQL. */
export function isOverLimit(error: unknown): boolean {
  return isOfOneCommit(error) && sqlStateOf(error)?.startsWith("54") === true;
}

/** Whether the connection was lost or could not be made, so that another one may answer. */
export function isOfConnection(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state === undefined || state.startsWith("08") || state.startsWith("57P");
}

/** Turns an error of a query into a `StoreError` that says what to do. A `StoreError` stays. `isWrite`: it may have changed something. */
export function toStoreError(error: unknown, place: string, isWrite: boolean): StoreError {
  if (error instanceof StoreError) return error;
  const cause = error instanceof QueryFailure ? error.cause : error;
  const { storeCode, advice } = meaningOf(cause);
  const text = `The state store ${place} failed: ${loggableText(textOf(cause))}.`;
  if (isWrite && isUndecided(error)) {
    return new StoreError("unknown", `${text} The commit may have happened. Load the record to see.`, { cause });
  }
  return new StoreError(storeCode, `${text} ${advice}`, { cause });
}

function isUndecided(error: unknown): boolean {
  return error instanceof QueryFailure && error.isUndecided;
}

/** The text of an error. Node collects the failures of several addresses in an error without a text. */
function textOf(error: unknown): string {
  const texts = error instanceof AggregateError ? error.errors.map(errorText) : [errorText(error)];
  const state = sqlStateOf(error);
  return `${texts.join(", ").replace(/\.$/, "")}${state === undefined ? "" : ` (SQLSTATE ${state})`}`;
}

interface Meaning {
  readonly storeCode: StoreErrorCode;
  readonly advice: string;
}

const goneAdvice = "Its tables are gone or changed. Stop what uses it, and restore a backup.";
const damagedAdvice = "Its data is damaged. Stop what uses it, check it with pg_amcheck, and restore a backup.";
const rightsAdvice =
  "Grant its role usage on the schema and its sequences; select, insert, update and delete on its tables. To make the schema it needs create on the database.";

/** By SQLSTATE, or by its class. */
const meanings = new Map<string, Meaning>([
  ["53100", { storeCode: "full", advice: "Make space on the disk of the server." }],
  ["53300", { storeCode: "unavailable", advice: "Raise max_connections of the server, or lower poolSize." }],
  ["53", { storeCode: "unavailable", advice: "The server lacks memory or other resources." }],
  ["57014", { storeCode: "unavailable", advice: "The server is slow, or statementTimeoutMs is too short." }],
  ["55P03", { storeCode: "unavailable", advice: "Another session locks its tables. See pg_locks." }],
  ["25006", { storeCode: "unavailable", advice: "This server is a standby. Name the primary." }],
  ["42501", { storeCode: "unavailable", advice: rightsAdvice }],
  ["28", { storeCode: "unavailable", advice: "Look at the user and the password of the URL, and at pg_hba.conf." }],
  ["3D000", { storeCode: "unavailable", advice: "Make the database, or name another one." }],
  ["42P01", { storeCode: "corrupt", advice: goneAdvice }],
  ["42703", { storeCode: "corrupt", advice: goneAdvice }],
  ["42883", { storeCode: "corrupt", advice: goneAdvice }],
  ["3F000", { storeCode: "corrupt", advice: goneAdvice }],
  ["P0002", { storeCode: "corrupt", advice: goneAdvice }],
  ["XX001", { storeCode: "corrupt", advice: damagedAdvice }],
  ["XX002", { storeCode: "corrupt", advice: damagedAdvice }],
]);

/** By the text or the code of an error that is not the server's. */
const ownMeanings: readonly (readonly [RegExp, string])[] = [
  [/^SASL: .*password must be/, "The server asks for a password. Write it into the URL or into PGPASSWORD."],
  [/^The server does not support SSL/, "Turn TLS on at the server, or leave `sslmode` out of the URL."],
  [
    /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/,
    "Look at `sslmode` and `sslrootcert` of the URL, and at the server's certificate.",
  ],
];

const otherAdvice = "Look whether the server runs and can be reached.";
const refusedMeaning: Meaning = { storeCode: "unavailable", advice: "See the log of the server." };

function meaningOf(error: unknown): Meaning {
  const state = sqlStateOf(error);
  if (state === undefined) return { storeCode: "unavailable", advice: ownAdvice(error) };
  if (state.startsWith("08") || state.startsWith("57P")) return { storeCode: "unavailable", advice: otherAdvice };
  return meanings.get(state) ?? meanings.get(state.slice(0, 2)) ?? refusedMeaning;
}

function ownAdvice(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const found = ownMeanings.find(([pattern]) => pattern.test(errorText(error)) || pattern.test(code));
  return found?.[1] ?? otherAdvice;
}
