import type { CounterRow, HostCounters, ListedHost, RowAtHost, UnansweredHost } from "../../host/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import type { AdminRoute } from "../admin-route.ts";
import type { Activity } from "../model/activity.ts";
import { stepsAfter, type WholeActivity, wholeActivity } from "../model/whole-activity.ts";

/** Calls and events of all hosts that have answered, as numbers over time. */
export interface ActivityAnswer extends WholeActivity {
  /** Hosts whose numbers are missing. */
  readonly unanswered: readonly UnansweredHost[];
}

/** The counters of hosts. */
export interface CountersAnswer {
  /** The sum over all hosts that have answered. What goes from host to host counts at both. */
  readonly counters: HostCounters;
  readonly hosts: readonly HostCountersRow[];
  /** Hosts whose counters are missing. */
  readonly unanswered: readonly UnansweredHost[];
}

/** The counters of one host. */
export interface HostCountersRow {
  /** Null: the host is alone. */
  readonly host: ListedHost | null;
  readonly counters: HostCounters;
}

/** Rows of all hosts together. Each of them tells 500 at most. */
const mostRows = 100_000;

/** Numbers of calls and events of all hosts of the cluster, over time and since their start. The first question begins the counting over time. */
export function activityRoutes(host: Pick<AdminHost, "rows">, activity: Activity): readonly AdminRoute[] {
  return [
    {
      ...{ method: "GET", path: "/v1/activity", parameters: ["step", "host"], need: "see-all" },
      handle: async ({ query, rights, signal }): Promise<ActivityAnswer> => {
        const after = query.whole("step", { from: 0, to: Number.MAX_SAFE_INTEGER }) ?? 0;
        const name = query.text("host");
        // A call from host to host counts once: at the host of its caller. Of one host both parts count.
        const filter = { steps: stepsAfter(after, activity.nowMs), forwarded: name === undefined ? undefined : 1 };
        const asked = { filter, viewer: rights, host: name, places: undefined, limit: mostRows };
        const { rows, unanswered } = await host.rows("activity", asked, signal);
        return { ...wholeActivity(rows, { nowMs: activity.nowMs, after }), unanswered };
      },
    },
    {
      ...{ method: "GET", path: "/v1/counters", parameters: ["host"], need: "see-all" },
      handle: async ({ query, rights, signal }): Promise<CountersAnswer> => {
        const asked = { filter: {}, viewer: rights, host: query.text("host"), places: undefined, limit: mostRows };
        const { rows, unanswered } = await host.rows("counters", asked, signal);
        return { counters: sumOf(rows), hosts: rows.map(rowOf), unanswered };
      },
    },
  ];
}

function rowOf({ host, counters }: RowAtHost<CounterRow>): HostCountersRow {
  // Each host of this version tells all of them.
  return { host, counters: counters as unknown as HostCounters };
}

function sumOf(rows: readonly RowAtHost<CounterRow>[]): HostCounters {
  const names = new Set(rows.flatMap(({ counters }) => Object.keys(counters)));
  const sums = [...names].map((name) => [name, rows.reduce((sum, { counters }) => sum + (counters[name] ?? 0), 0)]);
  // Each host of this version tells all of them.
  return Object.fromEntries(sums) as HostCounters;
}
