/** A page of rows, which is bounded in bytes. */
export interface PageText {
  /** The columns to read. */
  readonly columns: string;
  /** A query without an order. */
  readonly rows: string;
  /** The columns by which the rows are sorted. */
  readonly by: string;
  /** The column whose bytes count. */
  readonly bytes: string;
  /** The parameters with the most rows and the most bytes, such as `$2`. */
  readonly limit: string;
  readonly maxBytes: string;
}

/** Writes the query for the first rows, as far as they have no more bytes together. The first row is always there. */
export function pageText({ columns, rows, by, bytes, limit, maxBytes }: PageText): string {
  return `select ${columns} from (
      select *, sum(octet_length(${bytes})) over (order by ${by}) as total, row_number() over (order by ${by}) as nth,
        count(*) over () as found
      from (${rows} order by ${by} limit ${limit}) as first) as page
    where total <= ${maxBytes} or nth = 1 order by ${by}`;
}
