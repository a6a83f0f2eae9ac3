import type { HopRow, RowAtHost } from "../../host/internal.ts";

type Hop = RowAtHost<HopRow>;

/**
 * Joins the hops of one trace that several hosts tell. A call from one host to another is told by both: the part of the caller's host counts. The clocks of
 * hosts differ. A call runs at its second host within the time that its first host has measured. So the time of each host is set by the calls that come from
 * hosts whose time is set. The first of these is the host where the trace begins: no agent has sent its hop.
 */
export function wholeTrace(hops: readonly Hop[]): readonly Hop[] {
  const own = hops.filter(({ isOfOtherHost }) => !isOfOtherHost);
  const told = matched(
    own,
    hops.filter(({ isOfOtherHost }) => isOfOtherHost),
  );
  const shifts = shiftsOf(own, told);
  const lonely = told.flatMap(({ inner, outer }) => (outer === undefined ? inner : []));
  return [...own, ...lonely].map((hop) => {
    const shiftMs = shifts.get(hostOf(hop)) ?? 0;
    return shiftMs === 0 ? hop : { ...hop, startedMs: hop.startedMs + shiftMs };
  });
}

/** A call as its second host tells it, and as its first one does. */
interface Told {
  readonly inner: Hop;
  readonly outer: Hop | undefined;
}

/** Calls between the same two agents are matched in the order in which they came. */
function matched(own: readonly Hop[], ofOthers: readonly Hop[]): readonly Told[] {
  const free = new Map<string, Hop[]>();
  for (const hop of inOrder(own)) {
    const known = free.get(nameOf(hop));
    if (known === undefined) free.set(nameOf(hop), [hop]);
    else known.push(hop);
  }
  return inOrder(ofOthers).map((inner) => {
    const outers = free.get(nameOf(inner)) ?? [];
    const at = outers.findIndex((outer) => hostOf(outer) !== hostOf(inner));
    return { inner, outer: at < 0 ? undefined : outers.splice(at, 1)[0] };
  });
}

/** Milliseconds by which the clock of each host is set. */
function shiftsOf(own: readonly Hop[], told: readonly Told[]): ReadonlyMap<string, number> {
  const inTime = inOrder(own);
  const first = inTime.find(({ senderType }) => senderType === null) ?? inTime[0];
  const shifts = new Map<string, number>(first === undefined ? [] : [[hostOf(first), 0]]);
  for (let known = 0; known < shifts.size; ) {
    known = shifts.size;
    for (const { inner, outer } of told) {
      const shiftMs = outer && shifts.get(hostOf(outer));
      if (outer === undefined || shiftMs === undefined || shifts.has(hostOf(inner))) continue;
      shifts.set(hostOf(inner), shiftInto(inner, outer.startedMs + shiftMs, outer.ms));
    }
  }
  return shifts;
}

/** Returns the milliseconds from a hop to the time in which it ran: 0 if it is within, else to its middle. */
function shiftInto({ startedMs, ms }: Hop, fromMs: number, lastsMs: number | null): number {
  const endMs = startedMs + (ms ?? 0);
  if (startedMs >= fromMs && (lastsMs === null || endMs <= fromMs + lastsMs)) return 0;
  return fromMs + Math.max(0, (lastsMs ?? ms ?? 0) - (ms ?? 0)) / 2 - startedMs;
}

function inOrder(hops: readonly Hop[]): readonly Hop[] {
  return hops.toSorted((one, other) => one.startedMs - other.startedMs);
}

function nameOf({ senderType, senderKey, type, key }: Hop): string {
  return JSON.stringify([senderType, senderKey, type, key]);
}

function hostOf({ host }: Hop): string {
  return host?.hostId ?? "";
}
