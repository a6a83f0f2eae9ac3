import type {
  AgentName,
  DeadLetter,
  DeadReason,
  Epoch,
  ListedState,
  StateRecord,
  StoredMail,
  StoredReminder,
  StoredRun,
} from "../core/internal.ts";

/** A row by the names of its columns. */
type AnyRow = Readonly<Record<string, unknown>>;

/** Reads the columns in which databases differ. */
export interface CellReaders<Row> {
  readonly bytesIn: (row: Row, column: string) => Uint8Array;
  readonly textIn: (row: Row, column: string) => string;
}

/** Reads rows of a state store. */
export interface RowReaders<Row> {
  readonly nameIn: (row: Row, type?: string, key?: string) => AgentName;
  readonly epochIn: (row: Row) => Epoch | undefined;
  /** A record without its data. */
  readonly recordIn: (row: Row) => Omit<StateRecord, "data">;
  readonly listedIn: (row: Row) => ListedState;
  readonly reminderIn: (row: Row) => StoredReminder;
  readonly mailIn: (row: Row) => StoredMail;
  readonly letterIn: (row: Row) => DeadLetter;
  readonly runIn: (row: Row) => StoredRun;
}

/** Creates the readers of a database. Its tables have the same names of columns as those of other databases. */
export function createRowReaders<Row extends AnyRow>({ bytesIn, textIn }: CellReaders<Row>): RowReaders<Row> {
  const nameIn = (row: Row, type = "type", key = "key"): AgentName => {
    return { type: textIn(row, type), key: textIn(row, key) };
  };
  const epochIn = (row: Row): Epoch | undefined => {
    if (row.generation === null) return undefined;
    return { generation: numberIn(row, "generation"), era: numberIn(row, "era"), number: numberIn(row, "number") };
  };
  const recordIn = (row: Row): Omit<StateRecord, "data"> => ({
    eTag: String(row.etag),
    revision: numberIn(row, "revision"),
    schemaVersion: numberIn(row, "schema_version"),
    contentType: textIn(row, "content_type"),
    savedAtMs: numberIn(row, "saved_at"),
    epoch: epochIn(row),
  });
  const kindIn = (row: Row): DeadLetter["kind"] => (row.kind === "event" ? "event" : "call");
  return {
    nameIn,
    epochIn,
    recordIn,
    // The spread comes last: V8 takes much longer for fields behind one.
    listedIn: (row) => ({ agent: nameIn(row), bytes: numberIn(row, "bytes"), ...recordIn(row) }),
    reminderIn: (row) => ({
      agent: nameIn(row),
      name: textIn(row, "name"),
      dueMs: numberIn(row, "due"),
      rule: textIn(row, "rule"),
      message: bytesIn(row, "message"),
      seq: numberIn(row, "seq"),
      attempts: numberIn(row, "attempts"),
    }),
    mailIn: (row) => ({
      id: textIn(row, "id"),
      receiver: nameIn(row),
      kind: row.kind === "emptied" ? "emptied" : kindIn(row),
      frame: bytesIn(row, "frame"),
      place: numberIn(row, "place"),
      sender: nameIn(row, "sender_type", "sender_key"),
      keptAtMs: numberIn(row, "kept_at"),
      attempts: numberIn(row, "attempts"),
      nextMs: numberIn(row, "next_at"),
    }),
    letterIn: (row) => ({
      letter: String(row.letter),
      mailbox: nameIn(row),
      id: textIn(row, "id"),
      kind: kindIn(row),
      frame: bytesIn(row, "frame"),
      sentAtMs: numberIn(row, "sent_at"),
      place: numberIn(row, "place"),
      priorTakeovers: 0,
      why: {
        // Written from a `DeadReason`.
        code: String(row.code) as DeadReason["code"],
        text: textIn(row, "reason"),
        attempts: numberIn(row, "attempts"),
      },
      diedAtMs: numberIn(row, "died_at"),
    }),
    runIn: (row) => ({
      agent: nameIn(row),
      id: textIn(row, "id"),
      // Written from a `RunState`.
      status: String(row.status) as StoredRun["status"],
      principal: textIn(row, "principal"),
      owner: textIn(row, "owner"),
      depth: numberIn(row, "depth"),
      startedAtMs: numberIn(row, "started_at"),
      deadlineMs: row.deadline === null ? undefined : numberIn(row, "deadline"),
      keepMs: numberIn(row, "keep_ms"),
      updatedAtMs: numberIn(row, "updated_at"),
      first: numberIn(row, "first"),
      next: numberIn(row, "next"),
      bytes: numberIn(row, "bytes"),
      takeovers: numberIn(row, "takeovers"),
    }),
  };
}

/** Reads a number, as both databases give it. */
export function numberIn(row: AnyRow, column: string): number {
  return Number(row[column]);
}
