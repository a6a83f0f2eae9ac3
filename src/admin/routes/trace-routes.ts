import { TroupeError } from "../../core/internal.ts";
import type { ListedCall, MessageSender } from "../../host/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import type { AdminRights } from "../admin-rights.ts";
import type { AdminRoute } from "../admin-route.ts";
import type { HostModel } from "../model/host-model.ts";
import { type KeptTrace, type TracedHop, type TraceLog, traceLimits } from "../model/trace-log.ts";
import { type StoryHop, storyOf, type TimedHop } from "../model/trace-story.ts";
import { formatCursor, limitOf, numberAfter, type Page, pageParameters } from "../pages.ts";

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
}

/** The calls and events of one trace. */
export interface StoryAnswer {
  readonly traceId: string;
  readonly hops: readonly StoryHop[];
  /** True: it has more hops than are kept, or more than are looked at. */
  readonly isCut: boolean;
}

export interface TraceParts {
  readonly traces: TraceLog;
  readonly model: HostModel;
  readonly clock: AdminHost["clock"];
}

/** Traces of messages, from the first question on. */
export function traceRoutes({ traces, model, clock }: TraceParts): readonly AdminRoute[] {
  return [
    {
      ...{ method: "GET", path: "/v1/traces", parameters: ["type", ...pageParameters], need: "nothing" },
      handle: async ({ query, rights }): Promise<Page<TraceRow>> => {
        const [type, before] = [query.text("type"), numberAfter(query) ?? Number.POSITIVE_INFINITY];
        const limit = limitOf(query);
        const found = traces
          .list()
          .filter(({ number }) => number < before)
          .map((trace) => ({ number: trace.number, row: rowOf(trace, rights), trace }))
          .filter(({ row, trace }) => row !== undefined && (type === undefined || reaches(trace, type)));
        const page = found.slice(0, limit);
        const last = found.length > limit ? page.at(-1)?.number : undefined;
        return { rows: page.flatMap(({ row }) => row ?? []), next: last === undefined ? null : formatCursor(last) };
      },
    },
    {
      ...{ method: "GET", path: "/v1/trace", parameters: ["id"], need: "nothing" },
      handle: async ({ query, rights, signal }): Promise<StoryAnswer> => {
        const traceId = query.required("id");
        const trace = traces.get(traceId);
        const underWay = await callsOf(model, traceId, { rights, signal });
        const now = { startedMs: clock.now(), wallMs: clock.wallNow() };
        const ended = (trace?.hops ?? []).filter((hop) => maySee(hop, rights));
        const hops = [...ended, ...underWay.calls.map((call) => hopUnderWay(call, now))];
        if (hops.length === 0)
          throw new TroupeError(
            "not-found",
            "The host keeps nothing of this trace. It keeps traces while a page watches.",
          );
        const story = storyOf(hops).map((told, number) => storyHopOf(told, number, rights));
        return { traceId, hops: story, isCut: trace?.isCut === true || underWay.isCut };
      },
    },
  ];
}

type Hop = TimedHop & Pick<TracedHop, "time">;

async function callsOf(
  model: HostModel,
  traceId: string,
  { rights, signal }: { readonly rights: AdminRights; readonly signal: AbortSignal },
): Promise<{ readonly calls: readonly ListedCall[]; readonly isCut: boolean }> {
  const isWanted = (call: ListedCall): boolean => call.traceId === traceId && rights.may("see", call.type);
  const { rows, next } = await model.calls({ after: 0, limit: traceLimits.hops, isWanted }, signal);
  return { calls: rows, isCut: next !== undefined };
}

function hopUnderWay(
  { type, key, ageMs = 0, sender }: ListedCall,
  now: { readonly startedMs: number; readonly wallMs: number },
): Hop {
  const time = new Date(now.wallMs - ageMs).toISOString();
  const about = { type, key, topic: null, outcome: "under way", code: null };
  return { at: "call", time, startedMs: now.startedMs - ageMs, ms: null, sender, ...about };
}

function maySee({ type, topic, isPlaced }: TracedHop, rights: AdminRights): boolean {
  if (topic !== null) return rights.may("watch", topic);
  return isPlaced ? rights.may("see", type ?? "") : rights.may("see", "", { isPrefix: true });
}

function rowOf({ traceId, hops }: KeptTrace, rights: AdminRights): TraceRow | undefined {
  const seen = hops.filter((hop) => maySee(hop, rights)).sort((one, other) => one.startedMs - other.startedMs);
  const [first] = seen;
  if (first === undefined) return undefined;
  const endMs = Math.max(...seen.map(({ startedMs, ms }) => startedMs + ms));
  const calls = seen.filter(({ at }) => at === "call").length;
  return {
    ...{ traceId, time: first.time, ms: endMs - first.startedMs, calls, events: seen.length - calls },
    failed: seen.filter(({ outcome }) => outcome !== "answered" && outcome !== "delivered").length,
    first: first.topic ?? `${first.type}/${first.key}`,
  };
}

function reaches({ hops }: KeptTrace, type: string): boolean {
  return hops.some((hop) => hop.type === type);
}

function storyHopOf(
  { hop, parent, startMs }: { readonly hop: Hop; readonly parent: number | null; readonly startMs: number },
  number: number,
  rights: AdminRights,
): StoryHop {
  const { at: kind, time, ms, type, key, topic, outcome, code } = hop;
  return {
    number,
    parent,
    kind,
    time,
    startMs,
    ms,
    sender: senderText(hop.sender, rights),
    type,
    key,
    topic,
    outcome,
    code,
  };
}

function senderText(sender: MessageSender | undefined, rights: AdminRights): string | null {
  if (sender === undefined) return null;
  return rights.may("see", sender.type) ? `${sender.type}/${sender.key}` : "hidden";
}
