import { formatNumber, formatTable } from "../support/table.ts";
import { figureOf, growthOf, moreOf, timesOf, worstFloodMs } from "./results.ts";

/** Goal for one figure, and where to find it in the results. */
export interface Goal {
  readonly what: string;
  readonly against: string;
  readonly goal: { readonly atLeast: number } | { readonly atMost: number };
  readonly unit: string;
  /** Name of the benchmark. */
  readonly benchmark: string;
  /** Undefined if the benchmark was not run, or a contender was absent. */
  readonly measured: () => number | undefined;
}

const python = "Python AutoGen";
const nats = "NATS request()";
const pythonOnOurs = "Python's workers, Troupe's host";
const calls = "100 B, 64 in flight";

const times = (
  benchmark: string,
  load: string,
  pair: readonly [string, string],
  figure?: string,
): Pick<Goal, "benchmark" | "unit" | "against" | "measured"> => ({
  benchmark,
  unit: "×",
  against: pair[1],
  measured: () => timesOf(benchmark, load, pair, figure),
});

const own = (
  benchmark: string,
  load: string,
  figure: string,
  unit: string,
): Pick<Goal, "benchmark" | "unit" | "against" | "measured"> => ({
  benchmark,
  unit,
  against: "–",
  measured: () => figureOf(benchmark, "Troupe", load, figure),
});

/** Goals for the states of agents. */
const stateGoals: readonly Goal[] = [
  {
    what: "calls/s to persistent agents, SQLite full, 64 in flight",
    goal: { atLeast: 0.25 },
    ...times("state-calls", "64 in flight", ["SQLite, full", "no state"]),
  },
  {
    what: "reminders fired/s to agents without a state, SQLite normal",
    against: "–",
    goal: { atLeast: 15_000 },
    unit: "/s",
    benchmark: "state-reminders",
    measured: () => figureOf("state-reminders", "agents without state, SQLite, normal", "20,000 reminders due at once"),
  },
  ...(["no state", "SQLite, full"] as const).map((contender) => ({
    what: `10,000 agents of a lost worker, until all answer at another one: ${contender}`,
    against: "–",
    goal: { atMost: 1_000 },
    unit: "ms",
    benchmark: "state-places",
    measured: () => figureOf("state-places", contender, "10,000 agents", "ms"),
  })),
  {
    what: "memory of a claim at the host",
    against: "–",
    goal: { atMost: 100 },
    unit: "B",
    benchmark: "state-memory",
    measured: () => moreOf("state-memory", "an agent, at the host", ["with a claim (shared)", "without"], "bytes"),
  },
  {
    what: "memory of an idle agent with idleAfterMs",
    against: "one without",
    goal: { atMost: 40 },
    unit: "B more",
    benchmark: "state-memory",
    measured: () =>
      moreOf("state-memory", "an idle agent, at its worker", ["with a time (idleAfterMs)", "without"], "bytes"),
  },
  {
    what: "p99 of other calls beside 64 writing ones, SQLite full",
    against: "memory",
    goal: { atMost: 5_000 },
    unit: "µs more",
    benchmark: "state-beside",
    measured: () => moreOf("state-beside", "beside 64 writing calls", ["SQLite, full", "memory"], "p99Us"),
  },
];

const alone = "one host alone";

/** Goals for several hosts. */
const clusterGoals: readonly Goal[] = [
  {
    what: "calls/s over two hosts, 64 in flight",
    goal: { atLeast: 0.65 },
    ...times("cluster-calls", "64 in flight", ["over two hosts", alone]),
  },
  {
    what: "p50 of a call over two hosts, 1 in flight",
    goal: { atMost: 1.5 },
    ...times("cluster-calls", "1 in flight", ["over two hosts", alone], "p50Us"),
  },
  {
    what: "p50 of an agent's first call, three NATS servers",
    against: "–",
    goal: { atMost: 3_000 },
    unit: "µs",
    benchmark: "cluster-agents",
    measured: () => figureOf("cluster-agents", "three NATS servers", "1 in flight", "p50Us"),
  },
  {
    what: "new agents/s, three NATS servers, 256 in flight",
    against: "–",
    goal: { atLeast: 4_000 },
    unit: "/s",
    benchmark: "cluster-agents",
    measured: () => figureOf("cluster-agents", "three NATS servers", "256 in flight"),
  },
  {
    what: "8 workers of a killed host, until all answer at another one",
    against: "–",
    goal: { atMost: 500 },
    unit: "ms",
    benchmark: "cluster-losses",
    measured: () => figureOf("cluster-losses", "three NATS servers", "8 workers of a host", "ms"),
  },
  {
    what: "1,000 agents of a killed worker, until all answer at another host",
    against: "–",
    goal: { atMost: 4_000 },
    unit: "ms",
    benchmark: "cluster-losses",
    measured: () => figureOf("cluster-losses", "three NATS servers", "1,000 agents of a worker", "ms"),
  },
  {
    what: "memory of a claim at a host of a cluster",
    against: "–",
    goal: { atMost: 150 },
    unit: "B",
    benchmark: "cluster-memory",
    measured: () => figureOf("cluster-memory", "a claim", "50,000 agents", "bytes"),
  },
  {
    what: "told messages handled/s at a host alone, SQLite full, 64 in flight",
    goal: { atLeast: 5 },
    ...times("durable-alone", "64 in flight", ["SQLite, full", "JetStream, sync_interval: always"]),
  },
  {
    what: "told messages handled/s over two hosts, three NATS servers, 64 in flight",
    goal: { atLeast: 0.8 },
    ...times("durable-cluster", "64 in flight", ["cluster", "bare JetStream loop"]),
  },
];

/**
 * The figures that Troupe must meet. Ratios compare contenders that ran in turn in the same minutes on the same
 * machine.
 */
export const goals: readonly Goal[] = [
  { what: `calls/s, ${calls}`, goal: { atLeast: 20 }, ...times("rpc", calls, ["Troupe", python]) },
  {
    what: "p50 of a call, 100 B, 1 in flight",
    goal: { atMost: 1 / 5 },
    ...times("rpc", "100 B, 1 in flight", ["Troupe", python], "p50Us"),
  },
  { what: `calls/s, ${calls}`, goal: { atLeast: 1.5 }, ...times("rpc", calls, ["Troupe", nats]) },
  {
    what: "calls/s, 1 MB, 16 in flight",
    goal: { atLeast: 6 },
    ...times("rpc", "1 MB, 16 in flight", ["Troupe", python]),
  },
  {
    what: "events delivered/s, 32 agents on 1 worker",
    goal: { atLeast: 15 },
    ...times("events", "32 agents on 1 worker", ["Troupe", python]),
  },
  {
    what: "events delivered/s, 8 agents on 8 workers",
    goal: { atLeast: 30 },
    ...times("events", "8 agents on 8 workers", ["Troupe", python]),
  },
  {
    what: "the host alone, calls of 100 B, 64 in flight",
    goal: { atLeast: 0.9 },
    ...times("host-alone", "calls, 64 in flight", ["Troupe's host", "plain TCP relay"]),
  },
  {
    what: `Python's workers, calls/s, ${calls}: Troupe's host`,
    goal: { atLeast: 1.3 },
    ...times("rpc", calls, [pythonOnOurs, python]),
  },
  {
    what: `Python's workers, p50, ${calls}: Troupe's host`,
    goal: { atMost: 1 },
    ...times("rpc", calls, [pythonOnOurs, python], "p50Us"),
  },
  {
    what: "in process, sends/s, 64 in flight",
    goal: { atLeast: 30 },
    ...times("in-process", "sends, 64 in flight", ["Troupe", python]),
  },
  {
    what: "calls/s with 1,000 sessions and 10,000 types",
    against: "10 sessions and 10 types",
    goal: { atLeast: 0.8 },
    unit: "×",
    benchmark: "scale",
    measured: () => growthOf("scale", "sessions and types", ["1000", "10"]),
  },
  {
    what: "memory of an idle live agent beyond the user's own fields",
    goal: { atMost: 600 },
    ...own("memory", "200,000 live agents", "bytes", "B"),
  },
  { what: "host, idle: resident memory", goal: { atMost: 90 }, ...own("start", "host: idle", "rssMiB", "MiB") },
  {
    what: "host with 1,000 idle sessions: resident memory",
    goal: { atMost: 150 },
    ...own("start", "host: 1,000 idle sessions", "rssMiB", "MiB"),
  },
  {
    what: "`troupe host` to its ready line",
    goal: { atMost: 400 },
    ...own("start", "host: spawn to ready", "ms", "ms"),
  },
  {
    what: "how much longer the longest honest call takes under the worst flood",
    against: "–",
    goal: { atMost: 250 },
    unit: "ms",
    benchmark: "hostile",
    measured: worstFloodMs,
  },
  ...stateGoals,
  ...clusterGoals,
];

/** Returns a goal with its measured figure as the cells of a row. */
export function goalRow({ what, against, goal, unit, benchmark, measured }: Goal): readonly string[] {
  const value = measured();
  const isMost = "atMost" in goal;
  const wanted = `${isMost ? "≤" : "≥"} ${amount(isMost ? goal.atMost : goal.atLeast, unit)}`;
  if (value === undefined) return [what, against, wanted, "not measured", "", benchmark];
  const isMet = isMost ? value <= goal.atMost : value >= goal.atLeast;
  return [what, against, wanted, amount(value, unit), isMet ? "yes" : "**no**", benchmark];
}

/** Prints the goals of one benchmark with its latest figures. Prints nothing for one without goals. */
export function printGoals(benchmark: string): void {
  const rows = goals.filter((goal) => goal.benchmark === benchmark).map(goalRow);
  if (rows.length > 0) console.log(`\n${formatTable(goalHeader, rows)}`);
}

export const goalHeader = ["what", "against", "goal", "measured", "met", "benchmark"] as const;

function amount(value: number, unit: string): string {
  return `${value < 10 ? value.toFixed(2) : formatNumber(value)} ${unit}`;
}
