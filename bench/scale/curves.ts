import type { GrowthPanel } from "../support/plot.ts";
import { GrowthPoint, type GrowthScene } from "./growth-point.ts";

/** A growing quantity, and the figures measured while it grows. */
export interface Curve {
  readonly name: string;
  readonly title: string;
  readonly axis: string;
  readonly panels: readonly GrowthPanel[];
  readonly points: readonly number[];
  readonly sceneOf: (point: number) => GrowthScene;
}

/** Default number of sessions: so few that messages to one session travel together. */
const sessions = 10;
const workers = 2;

const rate = (unit: string): GrowthPanel => ({ title: "Throughput", unit, figures: { perSecond: unit } });
const latency: GrowthPanel = { title: "Latency, 16 under way", unit: "µs", figures: { p50Us: "p50", p99Us: "p99" } };
const memory: GrowthPanel = { title: "Host memory", unit: "MiB", figures: { rssMiB: "RSS", heapMiB: "heap" } };

export const curves: readonly Curve[] = [
  {
    name: "sessions",
    title: "Sessions: calls among them all",
    axis: "sessions",
    panels: [sparseRate(), latency, memory],
    points: [10, 100, 1_000],
    sceneOf: (count) => callsAmong(count, count),
  },
  {
    name: "types",
    title: "Agent types on 10 sessions: calls to random ones",
    axis: "agent types",
    panels: [rate("calls/s"), latency, memory],
    points: [10, 100, 1_000, 10_000],
    sceneOf: (count) => callsAmong(sessions, count),
  },
  {
    name: "sessions and types",
    title: "Sessions and agent types together: calls to random ones",
    axis: "sessions: 10 with 10 types, 1,000 with 10,000",
    panels: [sparseRate(), latency, memory],
    // The goal: 1,000 sessions with 10,000 types beside 10 with 10.
    points: [10, 1_000],
    sceneOf: (count) => callsAmong(count, count === 10 ? 10 : count * 10),
  },
  {
    name: "agents",
    title: "Live agents in 2 workers: calls to random ones",
    axis: "live agents",
    panels: [
      rate("calls/s"),
      latency,
      { title: "Memory of a worker", unit: "MiB", figures: { workerRssMiB: "RSS" } },
      { title: "Memory of one agent", unit: "bytes", figures: { agentBytes: "heap" } },
    ],
    points: [1_000, 10_000, 100_000, 1_000_000],
    sceneOf: (count) => ({
      crowd: {
        gathering: { sessions, types: 0, subscriptions: 0 },
        traffic: { kind: "calls", agentType: "agent", types: workers, keys: count / workers },
      },
      workers,
      agentsPerWorker: count / workers,
    }),
  },
  {
    name: "subscriptions",
    title: "Subscriptions, each to a topic of its own: events to random ones",
    axis: "subscriptions",
    panels: [rate("events/s"), latency, memory],
    points: [10, 100, 1_000, 10_000, 100_000],
    sceneOf: (topics) => ({
      crowd: {
        gathering: { sessions, types: sessions, subscriptions: topics },
        traffic: { kind: "events", topics, seen: false },
      },
    }),
  },
  {
    name: "topics",
    title: "Topics seen, under 10 prefix subscriptions: events to random ones",
    axis: "distinct topics seen",
    panels: [rate("events/s"), latency, memory],
    points: [1_000, 10_000, 100_000, 1_000_000],
    sceneOf: (topics) => ({
      crowd: {
        gathering: { sessions, types: sessions, subscriptions: "prefixes" },
        traffic: { kind: "events", topics, seen: true },
      },
    }),
  },
];

export function pointsOf({ points, sceneOf }: Curve, most: number): readonly GrowthPoint[] {
  return points.filter((point) => point <= most).map((point) => new GrowthPoint(`${point}`, sceneOf(point)));
}

function callsAmong(count: number, types: number): GrowthScene {
  return {
    crowd: {
      gathering: { sessions: count, types, subscriptions: 0 },
      traffic: { kind: "calls", agentType: "crowd", types, keys: 10 },
    },
  };
}

function sparseRate(): GrowthPanel {
  return {
    title: "Throughput",
    unit: "calls/s",
    figures: { perSecond: "16 calls under way for each session", sparsePerSecond: "160 in all" },
  };
}
