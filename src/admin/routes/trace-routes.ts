import { TroupeError } from "../../core/internal.ts";
import type { HopRow, ListedHost, RowAtHost, TracePartRow, UnansweredHost } from "../../host/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import type { AdminRights } from "../admin-rights.ts";
import type { AdminRoute } from "../admin-route.ts";
import { type ClusterPage, clusterPageParameters, clusterRows } from "../cluster-rows.ts";
import { traceLimits } from "../model/trace-log.ts";
import { type StoryHop, storyOf, type TimedHop } from "../model/trace-story.ts";
import { wholeTrace } from "../model/whole-trace.ts";
import type { Page } from "../pages.ts";

/** A trace in a list. It counts what the caller may see. */
export interface TraceRow {
  readonly traceId: string;
  /** When its first hop came. */
  readonly time: string;
  /** From there to its last outcome. */
  readonly ms: number;
  readonly calls: number;
  readonly events: number;
  /** Calls that the host failed or whose caller no longer waited, and events that a worker missed. */
  readonly failed: number;
  /** The target of the first hop: an agent `type/key`, or a topic type. */
  readonly first: string;
  /** The hosts that have a part of it. Empty: the host is alone. */
  readonly hosts: readonly ListedHost[];
}

/** A page of traces. The parts of one that hosts have told on this page are one row. */
export interface TracePage extends Page<TraceRow> {
  readonly unanswered: readonly UnansweredHost[];
}

/** The calls and events of one trace. */
export interface StoryAnswer {
  readonly traceId: string;
  readonly hops: readonly StoryHop[];
  /** True: it has more hops than are kept, or more than are looked at. */
  readonly isCut: boolean;
  /** Hosts whose part is missing. */
  readonly unanswered: readonly UnansweredHost[];
}

/** Traces of messages at all hosts of the cluster, from the first question on. */
export function traceRoutes(host: Pick<AdminHost, "rows">): readonly AdminRoute[] {
  return [
    {
      ...{ method: "GET", path: "/v1/traces", parameters: ["type", ...clusterPageParameters], need: "nothing" },
      handle: async (request): Promise<TracePage> => {
        const page: ClusterPage<TracePartRow> = await clusterRows(host, "traces", request, {
          type: request.query.text("type"),
        });
        return { rows: joined(page.rows), next: page.next, unanswered: page.unanswered };
      },
    },
    {
      ...{ method: "GET", path: "/v1/trace", parameters: ["id"], need: "nothing" },
      handle: async ({ query, rights, signal }): Promise<StoryAnswer> => {
        const traceId = query.required("id");
        const asked = { filter: { traceId }, viewer: rights, places: undefined, limit: traceLimits.hops };
        const { rows, next, unanswered, forgotten } = await host.rows("hops", asked, signal);
        if (rows.length === 0)
          throw new TroupeError(
            "not-found",
            "The host keeps nothing of this trace. It keeps traces while a page watches.",
          );
        const hops = storyOf(wholeTrace(rows).map(timedHop)).map((told, number) => storyHopOf(told, number, rights));
        return { traceId, hops, isCut: next !== undefined || forgotten > 0, unanswered };
      },
    },
  ];
}

/** Joins the parts of each trace. They stand where the newest part stands. */
function joined(parts: readonly RowAtHost<TracePartRow>[]): readonly TraceRow[] {
  const byId = new Map<string, RowAtHost<TracePartRow>[]>();
  for (const part of parts) {
    const known = byId.get(part.traceId);
    if (known === undefined) byId.set(part.traceId, [part]);
    else known.push(part);
  }
  return [...byId].map(([traceId, all]) => rowOf(traceId, all));
}

function rowOf(traceId: string, parts: readonly RowAtHost<TracePartRow>[]): TraceRow {
  const first = parts.reduce((one, other) => (other.startedMs < one.startedMs ? other : one));
  const endMs = parts.reduce((latest, { startedMs, ms }) => Math.max(latest, startedMs + ms), first.startedMs);
  const sum = (name: "calls" | "events" | "failed"): number => parts.reduce((all, part) => all + part[name], 0);
  return {
    ...{ traceId, time: isoTime(first.startedMs), ms: endMs - first.startedMs },
    ...{ calls: sum("calls"), events: sum("events"), failed: sum("failed") },
    first: first.topic ?? `${first.type}/${first.key}`,
    hosts: parts.flatMap(({ host }) => host ?? []),
  };
}

type Hop = TimedHop & Pick<RowAtHost<HopRow>, "host">;

function timedHop({ kind: at, senderType, senderKey, ...hop }: RowAtHost<HopRow>): Hop {
  const sender = senderType === null || senderKey === null ? undefined : { type: senderType, key: senderKey };
  return { ...hop, at, sender };
}

function storyHopOf(
  { hop, parent, startMs }: { readonly hop: Hop; readonly parent: number | null; readonly startMs: number },
  number: number,
  rights: AdminRights,
): StoryHop {
  const { at: kind, ms, type, key, topic, outcome, code, host } = hop;
  return {
    ...{ number, parent, kind, time: isoTime(hop.startedMs), startMs, ms, sender: senderText(hop.sender, rights) },
    ...{ type, key, topic, outcome, code, host },
  };
}

function senderText(sender: Hop["sender"], rights: AdminRights): string | null {
  if (sender === undefined) return null;
  return rights.may("see", sender.type) ? `${sender.type}/${sender.key}` : "hidden";
}

/** A host may tell any time. */
function isoTime(wallMs: number): string {
  return new Date(Math.min(wallMs, latestMs)).toISOString();
}

const latestMs = 8.64e15;
