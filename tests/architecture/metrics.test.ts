import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { MetricTable } from "../../src/core/index.ts";
import { hostHistograms, hostMetrics } from "../../src/host/metrics/host-metric-table.ts";
import { eventLoopMetrics } from "../../src/telemetry/otel/event-loop-metrics.ts";
import { workerHistograms, workerMetrics } from "../../src/worker/metrics/worker-metric-table.ts";

const root = resolve(import.meta.dirname, "../..");
const read = (file: string): string => readFileSync(join(root, file), "utf8");
const known: MetricTable = {
  ...{ ...hostMetrics, ...hostHistograms, ...workerMetrics, ...workerHistograms, ...eventLoopMetrics },
};
const operations = read("docs/operations.md");

/** The names under which Prometheus has a metric. */
function prometheusNames([name, { kind }]: readonly [string, MetricTable[string]]): readonly string[] {
  const base = name.replaceAll(".", "_");
  switch (kind) {
    case "counter":
      return [`${base}_total`];
    case "gauge":
      return [base];
    case "histogram":
      return [`${base}_bucket`, `${base}_sum`, `${base}_count`];
  }
}

const inPrometheus = new Set(Object.entries(known).flatMap(prometheusNames));

function unknownNames(text: string): readonly string[] {
  const named = text.match(/\b(troupe|nodejs)_(host|worker|eventloop)_[a-z0-9_]+/g) ?? [];
  expect(named.length).toBeGreaterThan(5);
  return named.filter((name) => !inPrometheus.has(name));
}

interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[];
}

describe("the files for an operator", () => {
  test("name only metrics that exist: the dashboard", () => {
    const text = read("deploy/grafana/troupe.json");
    const { panels } = JSON.parse(text) as { readonly panels: readonly { readonly targets: readonly object[] }[] };
    expect(unknownNames(text)).toEqual([]);
    for (const { targets } of panels) expect(targets).not.toEqual([]);
  });

  test("name only metrics that exist: the alerts, each of which the documentation explains", () => {
    const { groups } = parse(read("deploy/prometheus/alerts.yml")) as Rules;
    const rules = groups.flatMap((group) => group.rules);
    expect(unknownNames(rules.map(({ expr }) => expr).join("\n"))).toEqual([]);
    const explained = [...operations.matchAll(/^\| `(Troupe[A-Za-z]+)` \|/gm)].map(([, name]) => name);
    expect(explained).toEqual(rules.map(({ alert }) => alert));
  });
});

test("docs/operations.md lists every metric with its kind and unit, and no other", () => {
  const rows = [...operations.matchAll(/^\| `((?:troupe|nodejs)\.[a-z0-9.]+)` \| (\w+) \| (\S+) \|/gm)];
  const listed = rows.map(([, name, kind, unit]) => `${name} ${kind} ${unit}`);
  expect(listed.sort()).toEqual(
    Object.entries(known)
      .map(([name, { kind, unit }]) => `${name} ${kind} ${unit}`)
      .sort(),
  );
});
