import { TroupeError } from "../../../core/internal.ts";
import type { PeerUnary } from "../../../protocol/internal.ts";
import type { AccessRules } from "../../../security/internal.ts";
import { RpcError, StatusCode } from "../../../transport/internal.ts";
import { limits } from "../../limits.ts";
import { type AsksHost, type UnansweredHost, unreadable } from "../agents-of-cluster.ts";
import type { ActivityRow } from "./activity-rows.ts";
import type { CallRow } from "./call-rows.ts";
import type { CounterRow } from "./counter-rows.ts";
import type { Failure } from "./failure-rows.ts";
import type { FeedRow } from "./feed-rows.ts";
import type { HopRow } from "./hop-rows.ts";
import { type HostRows, mergeRows, placeAt, type RowPlaces } from "./merged-rows.ts";
import type { RowFilter, RowList } from "./row-list.ts";
import type { SessionRow } from "./session-rows.ts";
import { encodeRows, encodeRowsQuestion, readRows, readRowsQuestion, rowLimits } from "./told-rows.ts";
import type { TopicRow } from "./topic-rows.ts";
import type { TracePartRow } from "./trace-rows.ts";
import type { TypeRow } from "./type-rows.ts";
import { seesAll, type Viewer, viewerOf } from "./viewer.ts";
import type { WorkerRow } from "./worker-rows.ts";

/** The rows of each list. */
export interface RowKinds {
  readonly workers: WorkerRow;
  readonly sessions: SessionRow;
  readonly calls: CallRow;
  readonly failures: Failure;
  readonly topics: TopicRow;
  readonly types: TypeRow;
  readonly traces: TracePartRow;
  readonly hops: HopRow;
  readonly feed: FeedRow;
  readonly counters: CounterRow;
  readonly activity: ActivityRow;
}

export type RowLists = { readonly [Kind in keyof RowKinds]: RowList<RowKinds[Kind]> };

/** A host of a cluster that has a row. */
export interface ListedHost {
  readonly hostId: string;
  /** Its name for people. */
  readonly name: string;
}

export interface RowsQuery {
  readonly filter: RowFilter;
  readonly viewer: Viewer;
  /** The id or the name of the only host whose rows are wanted. Undefined: of all hosts. */
  readonly host?: string | undefined;
  /** Undefined: from the first row. */
  readonly places: RowPlaces | undefined;
  readonly limit: number;
}

/** A row, and the host that has it. Null: the host is alone. */
export type RowAtHost<Row> = Row & { readonly host: ListedHost | null };

/** A page of the list of all hosts. */
export interface RowsPage<Row> {
  readonly rows: readonly RowAtHost<Row>[];
  /** Undefined: there are no more. */
  readonly next: RowPlaces | undefined;
  readonly unanswered: readonly UnansweredHost[];
  /** Rows that all hosts together have forgotten, because they had no space. */
  readonly forgotten: number;
  /** The number of the last row of each host, also of one that the viewer may not see. */
  readonly ends: Readonly<Record<string, number>>;
}

/** This host among the others of its cluster. */
export interface HostsAround {
  readonly here: ListedHost;
  readonly others: readonly ListedHost[];
  readonly ask: AsksHost;
}

/** Bytes of the rows that all other hosts together may tell for one page, and those that each may tell at least. */
const pageBytes = 8 * 1024 * 1024;
const leastBytes = 128 * 1024;

// protocol.md §12.5
/**
 * Lists what hosts have, for a viewer at any of them. All hosts are asked at once, and their rows come in one order. Each host tells what the
 * viewer may see by its own rules, and the host that asks looks through it by its own once more.
 */
export class RowsOfHosts {
  readonly #lists: RowLists;
  readonly #rules: AccessRules | undefined;

  constructor(lists: RowLists, rules: AccessRules | undefined) {
    this.#lists = lists;
    this.#rules = rules;
  }

  /** `around`: undefined for a host that is alone. Rejects with the reason of `signal`, and as `not-found` for a host that is not up. */
  async page<Kind extends keyof RowKinds>(
    kind: Kind,
    query: RowsQuery,
    { around, signal }: { readonly around: HostsAround | undefined; readonly signal: AbortSignal },
  ): Promise<RowsPage<RowKinds[Kind]>> {
    const list: RowList<RowKinds[Kind]> = this.#lists[kind];
    const hosts = wantedHosts(query.host, around);
    const places = placesOf(query.places, hosts);
    const unanswered: UnansweredHost[] = [];
    const told = await Promise.all(
      hosts.map(async (host): Promise<HostRows<RowKinds[Kind]> | undefined> => {
        const { hostId } = host;
        const asked = { ...query, after: placeAt(places, hostId) };
        if (around === undefined || hostId === around.here.hostId)
          return { hostId, ...(await list.list(asked, signal)) };
        const bytes = Math.max(leastBytes, Math.min(rowLimits.saidBytes, Math.floor(pageBytes / hosts.length)));
        const { principal } = query.viewer;
        const request = encodeRowsQuestion({ ...asked, principal, bytes });
        const answer = await around.ask(hostId, list.method, request);
        const rows = typeof answer === "string" ? answer : (readRows(list, answer, asked) ?? unreadable);
        if (typeof rows !== "string") return { hostId, ...rows };
        unanswered.push({ ...host, problem: rows });
        return undefined;
      }),
    );
    const answered = told.filter((rows) => rows !== undefined);
    const { rows, next } = mergeRows(list, answered, { places, limit: query.limit });
    const byId = new Map(hosts.map((host) => [host.hostId, host]));
    return {
      rows: rows.flatMap(({ hostId, row }) => {
        const shown = around === undefined || hostId === around.here.hostId ? row : list.shown(row, query);
        return shown === undefined ? [] : { ...shown, host: around === undefined ? null : (byId.get(hostId) ?? null) };
      }),
      next,
      unanswered: unanswered.sort((one, other) => (one.hostId < other.hostId ? -1 : 1)),
      forgotten: answered.reduce((sum, { forgotten = 0 }) => sum + forgotten, 0),
      ends:
        list.order === "names"
          ? {}
          : Object.fromEntries(rows.map(({ hostId, row }) => [hostId, Number(list.placeOf(row))])),
    };
  }

  /** Answers what another host asks for its viewer. Undefined: it is none of these lists. */
  answer({ method, request }: PeerUnary): Promise<Uint8Array> | undefined {
    const kinds = Object.keys(this.#lists) as (keyof RowKinds)[];
    const kind = kinds.find((one) => this.#lists[one].method === method);
    return kind && this.#answer(kind, request);
  }

  async #answer<Kind extends keyof RowKinds>(kind: Kind, request: Uint8Array): Promise<Uint8Array> {
    const list: RowList<RowKinds[Kind]> = this.#lists[kind];
    const question = readRowsQuestion(request, list);
    if (question === undefined)
      throw new RpcError(StatusCode.invalidArgument, "The question for a list can't be read.");
    const { principal, bytes, ...query } = question;
    const viewer = viewerOf(principal, this.#rules);
    if (list.isForAll && !seesAll(viewer))
      throw new RpcError(StatusCode.permissionDenied, "Its rules do not let you see this. Ask its operator.");
    const page = await list.list({ ...query, viewer }, AbortSignal.timeout(limits.hostStatusMs));
    return encodeRows(list, page, bytes);
  }
}

/** Stands for a host that is alone. */
const alone: ListedHost = { hostId: "", name: "" };

function wantedHosts(wanted: string | undefined, around: HostsAround | undefined): readonly ListedHost[] {
  const all = around === undefined ? [alone] : [around.here, ...around.others];
  if (wanted === undefined) return all;
  const named = all.filter((host) => host !== alone && [host.hostId, host.name].includes(wanted));
  if (named.length > 0) return named;
  throw noSuchHost();
}

export function noSuchHost(): TroupeError {
  return new TroupeError("not-found", "No host of this id or name is up in the cluster. See troupe hosts.");
}

/** Without the places of hosts that have left. */
function placesOf(places: RowPlaces | undefined, hosts: readonly ListedHost[]): RowPlaces | undefined {
  if (typeof places !== "object") return places;
  const known = new Set(hosts.map(({ hostId }) => hostId));
  return Object.fromEntries(Object.entries(places).filter(([hostId]) => known.has(hostId)));
}
