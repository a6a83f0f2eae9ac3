import {
  bytesOfListedRun,
  pageOf,
  type RunList,
  type RunName,
  type RunPage,
  type RunPageQuery,
  type RunQuery,
  storeLimits,
} from "../../core/internal.ts";
import { idOfAgent } from "./agent-id.ts";
import { toWhole } from "./encode-writes.ts";
import { bytesIn, hex, type Read, runIn } from "./table-reads.ts";

const runColumns = `${hex("type", "key", "id", "principal", "owner")}, status, depth, started_at, deadline, keep_ms, updated_at,
  first, next, bytes, takeovers`;

/** Reads the tables of runs. */
export class RunReads {
  readonly #schema: string;

  constructor(quotedSchema: string) {
    this.#schema = quotedSchema;
  }

  page(
    { agent, id }: RunName,
    { from = 0, maxBytes = storeLimits.pageBytes, message = false }: RunPageQuery,
    nowMs: number,
  ): Read<RunPage | undefined> {
    const s = this.#schema;
    // The run stands beside each of its chunks, its long columns beside the first one alone.
    const chunks = `select place, data, sum(octet_length(data) + ${storeLimits.runChunkBytes}) over (order by place) as total,
        row_number() over (order by place) as nth
      from ${s}.run_chunks where run_chunks.run = runs.run and place >= greatest(runs.first, $3)`;
    const text = `select ${runColumns}, page.place, encode(page.data, 'hex') as data,
        case when coalesce(page.nth, 1) = 1 and $5 then encode(message, 'hex') end as message,
        case when coalesce(page.nth, 1) = 1 then encode(outcome, 'hex') end as outcome
      from ${s}.runs left join lateral (
        select * from (${chunks}) as counted where total <= $4 or nth = 1) as page on true
      where agent = decode($1, 'hex') and id = $2 and (ends_at is null or ends_at > $6) order by page.place`;
    const values = [idOfAgent(agent), Buffer.from(id), toWhole(from), toWhole(maxBytes), message, toWhole(nowMs)];
    return {
      statement: { text, values },
      read: (rows) => {
        const [row] = rows;
        if (row === undefined) return undefined;
        const run = runIn(row);
        const start = Math.max(from, run.first);
        const read = row.place === null ? [] : rows.map((one) => bytesIn(one, "data"));
        return {
          run,
          message: message ? bytesIn(row, "message") : undefined,
          from: start,
          chunks: read,
          outcome: row.outcome !== null && start + read.length >= run.next ? bytesIn(row, "outcome") : undefined,
        };
      },
    };
  }

  list({ agent, type, status, after, limit = storeLimits.listed }: RunQuery, nowMs: number): Read<RunList> {
    const most = Math.max(1, Math.min(limit, storeLimits.listed));
    const text = `select ${runColumns} from (
        select * from ${this.#schema}.runs where (ends_at is null or ends_at > $1) and ($2::text is null or agent = decode($2, 'hex'))
          and ($3::bytea is null or type = $3) and ($4::text is null or status = $4)
          and ($5::bytea is null or (type, key, id) > ($5, $6, $7)) order by type, key, id limit $8) as found
      order by found.type, found.key, found.id`;
    const from = after === undefined ? [null, null, null] : [after.agent.type, after.agent.key, after.id].map(toBytes);
    const filters = [agent === undefined ? null : idOfAgent(agent), type === undefined ? null : toBytes(type)];
    return {
      statement: { text, values: [toWhole(nowMs), ...filters, status ?? null, ...from, most + 1] },
      read: (rows) => {
        const found = rows.map(runIn);
        const runs = pageOf(found, { bytesOf: bytesOfListedRun, limit: most });
        return { runs, isLast: runs.length === found.length };
      },
    };
  }
}

function toBytes(text: string): Buffer {
  return Buffer.from(text);
}
