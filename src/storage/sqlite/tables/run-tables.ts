import {
  bytesOfListedRun,
  type Commit,
  chunkSize,
  judgeRuns,
  pageOf,
  type RunList,
  type RunName,
  type RunPage,
  type RunPageQuery,
  type RunProgress,
  type RunQuery,
  type RunRefusal,
  storeLimits,
} from "../../../core/internal.ts";
import { numberIn } from "../../rows.ts";
import type { Database, Row, Statement } from "../driver.ts";
import { bytesIn, runIn, toBlob } from "./columns.ts";

/** Chunks whose lengths one statement reads. */
const sizesAtOnce = 1_000;
const runColumns =
  "run, type, key, id, status, principal, owner, depth, started_at, deadline, keep_ms, updated_at, first, next, bytes, takeovers";

/** The tables of runs, inside the transaction of its caller. */
export class RunTables {
  readonly #find: Statement;
  readonly #working: Statement;
  readonly #create: Statement;
  readonly #addChunk: Statement;
  readonly #sizes: Statement;
  readonly #trim: Statement;
  readonly #update: Statement;
  readonly #takeover: Statement;
  readonly #step: Statement;
  readonly #end: Statement;
  readonly #dropBeyond: Statement;
  readonly #removeAll: Statement;
  readonly #forget: Statement;
  readonly #read: Statement;
  readonly #chunks: Statement;
  readonly #list: Statement;
  /** Runs that have ended since the last time that old ones were forgotten. */
  #newlyEnded = 0;

  constructor(database: Database) {
    const ofAgent = "type = ? and key = ?";
    this.#find = database.prepare(`select run, status, first, next, bytes from runs where ${ofAgent} and id = ?`);
    this.#working = database.prepare(`select count(*) as working from runs where ${ofAgent} and status = 'working'`);
    this.#create = database.prepare(`insert into runs(
      type, key, id, status, principal, owner, depth, started_at, deadline, keep_ms, updated_at, first, next, bytes, takeovers, message)
      values(?, ?, ?, 'working', ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, ?)`);
    this.#addChunk = database.prepare("insert into run_chunks(run, place, data) values(?, ?, ?)");
    this.#sizes = database.prepare(
      `select place, length(data) as bytes from run_chunks where run = ? and place >= ? order by place limit ${sizesAtOnce}`,
    );
    this.#trim = database.prepare("delete from run_chunks where run = ? and place < ?");
    this.#update = database.prepare("update runs set first = ?, next = ?, bytes = ?, updated_at = ? where run = ?");
    this.#takeover = database.prepare("update runs set takeovers = takeovers + 1, updated_at = ? where run = ?");
    this.#step = database.prepare("update runs set takeovers = 0, updated_at = ? where run = ?");
    this.#end = database.prepare(
      "update runs set status = ?, outcome = ?, updated_at = ?, ends_at = ? + keep_ms where run = ?",
    );
    const endedFirst = `select run from runs where ${ofAgent} and status <> 'working' order by updated_at desc, run desc`;
    this.#dropBeyond = database.prepare(
      `delete from runs where run in (${endedFirst} limit -1 offset ${storeLimits.runs})`,
    );
    this.#removeAll = database.prepare(`delete from runs where ${ofAgent}`);
    this.#forget = database.prepare(
      "delete from runs where run in (select run from runs where ends_at <= ? order by ends_at limit ?)",
    );
    this.#read = database.prepare(
      `select ${runColumns}, case when ?4 then message end as message, outcome from runs
      where type = ?1 and key = ?2 and id = ?3 and (ends_at is null or ends_at > ?5)`,
    );
    this.#chunks = database.prepare(
      "select data from run_chunks where run = ? and place >= ? and place < ? order by place",
    );
    this.#list = database.prepare(`select ${runColumns} from runs where (type, key, id) > (?1, ?2, ?3)
      and (ends_at is null or ends_at > ?4) and (?5 is null or type = ?5) and (?6 is null or key = ?6)
      and (?7 is null or status = ?7) order by type, key, id limit ?8`);
  }

  /** Says why the changes of a commit can't be written. */
  judge(
    commit: Commit,
    { type, key }: { readonly type: Uint8Array; readonly key: Uint8Array },
  ): RunRefusal | undefined {
    return judgeRuns(commit, {
      find: (id) => {
        const row = this.#find.get(type, key, toBlob(id));
        // Written from a `RunState`.
        return row && { status: String(row.status) as RunList["runs"][number]["status"], next: numberIn(row, "next") };
      },
      working: () => numberIn(this.#working.get(type, key) ?? {}, "working"),
    });
  }

  /** Writes changes that fit. */
  write({ agent, runs = [] }: Commit, nowMs: number): void {
    const name = [toBlob(agent.type), toBlob(agent.key)] as const;
    for (const change of runs) {
      if (change.at === "create") {
        const { id, principal, owner, depth, startedAtMs, deadlineMs, keepMs, message } = change;
        const texts = [toBlob(id), toBlob(principal), toBlob(owner)] as const;
        this.#create.run(...name, ...texts, depth, startedAtMs, deadlineMs ?? null, keepMs, nowMs, message);
        continue;
      }
      const row = this.#find.get(...name, toBlob(change.id));
      if (row !== undefined) this.#change(row, change, nowMs);
      if (change.at === "end") {
        this.#dropBeyond.run(...name);
        this.#newlyEnded += 1;
      }
    }
  }

  /** Deletes the runs of an agent. */
  removeAll(type: Uint8Array, key: Uint8Array): void {
    this.#removeAll.run(type, key);
  }

  /** Deletes runs that have ended long enough ago: two for each one that has ended since the last time, and `more`. */
  forget(nowMs: number, more: number): void {
    const most = 2 * this.#newlyEnded + more;
    if (most > 0) this.#forget.run(nowMs, most);
    this.#newlyEnded = 0;
  }

  page(
    { agent: { type, key }, id }: RunName,
    { from = 0, maxBytes = storeLimits.pageBytes, message = false }: RunPageQuery,
    nowMs: number,
  ): RunPage | undefined {
    const row = this.#read.get(toBlob(type), toBlob(key), toBlob(id), message ? 1 : 0, nowMs);
    if (row === undefined) return undefined;
    const run = runIn(row);
    const start = Math.max(from, run.first);
    const end = this.#endOfPage(numberIn(row, "run"), start, run.next, maxBytes);
    const chunks = this.#chunks.all(numberIn(row, "run"), start, end).map((one) => bytesIn(one, "data"));
    return {
      run,
      message: message ? bytesIn(row, "message") : undefined,
      from: start,
      chunks,
      outcome: row.outcome !== null && end >= run.next ? bytesIn(row, "outcome") : undefined,
    };
  }

  list({ agent, type, status, after, limit = storeLimits.listed }: RunQuery, nowMs: number): RunList {
    const most = Math.max(1, Math.min(limit, storeLimits.listed));
    const ofType = agent?.type ?? type;
    // No run has an empty id, so that each run of this agent, or of this type, comes after this one.
    const { agent: last, id } = after ?? { agent: { type: ofType ?? "", key: agent?.key ?? "" }, id: "" };
    const rows = this.#list.all(
      ...[toBlob(last.type), toBlob(last.key), toBlob(id)],
      nowMs,
      ofType === undefined ? null : toBlob(ofType),
      agent === undefined ? null : toBlob(agent.key),
      status ?? null,
      most + 1,
    );
    const found = rows.map(runIn);
    const runs = pageOf(found, { bytesOf: bytesOfListedRun, limit: most });
    return { runs, isLast: runs.length === found.length };
  }

  #change(row: Row, change: RunProgress, nowMs: number): void {
    const run = numberIn(row, "run");
    switch (change.at) {
      case "append":
        return this.#append(row, change.chunks, nowMs);
      case "takeover":
        return void this.#takeover.run(nowMs, run);
      case "step":
        return void this.#step.run(nowMs, run);
      case "end":
        return void this.#end.run(change.status, change.outcome, nowMs, nowMs, run);
    }
  }

  #append(row: Row, chunks: readonly Uint8Array[], nowMs: number): void {
    const run = numberIn(row, "run");
    let [first, next, bytes] = [numberIn(row, "first"), numberIn(row, "next"), numberIn(row, "bytes")];
    for (const chunk of chunks) {
      this.#addChunk.run(run, next, chunk);
      next += 1;
      bytes += chunkSize(chunk.length);
    }
    const before = first;
    for (const one of this.#sizesFrom(run, first)) {
      if (bytes <= storeLimits.runBytes || first === next - 1) break;
      bytes -= chunkSize(numberIn(one, "bytes"));
      first += 1;
    }
    if (first > before) this.#trim.run(run, first);
    this.#update.run(first, next, bytes, nowMs, run);
  }

  /** The place behind the last chunk of a page. */
  #endOfPage(run: number, start: number, next: number, maxBytes: number): number {
    if (start >= next) return start;
    const sizes = this.#sizesFrom(run, start);
    const page = pageOf(sizes, { bytesOf: (row) => chunkSize(numberIn(row, "bytes")), maxBytes });
    return start + page.length;
  }

  *#sizesFrom(run: number, first: number): Iterable<Row> {
    for (let from = first; ; from += sizesAtOnce) {
      const rows = this.#sizes.all(run, from);
      yield* rows;
      if (rows.length < sizesAtOnce) return;
    }
  }
}
