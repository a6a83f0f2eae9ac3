import { HttpProblem, type HttpRoute, HttpText } from "../../http/internal.ts";
import type { AdminHost } from "../admin-host.ts";

/** The content type of Prometheus' text format. */
const prometheusType = "text/plain; version=0.0.4; charset=utf-8";

/**
 * Routes that programs on this machine ask without the token. `/healthz` says whether the process answers, `/readyz` whether the host takes
 * workers and keeps its promises. `/metrics` has the metrics.
 */
export function probeRoutes(
  host: Pick<AdminHost, "health">,
  metricsText: (() => Promise<string>) | undefined,
): readonly HttpRoute[] {
  const route = (path: string, handle: () => Promise<unknown>): HttpRoute => ({
    ...{ method: "GET", path, parameters: [], isOpen: true, handle },
  });
  return [
    route("/healthz", async () => ({ status: host.health })),
    route("/readyz", async () => {
      const { health } = host;
      return new HttpText(health === "serving" ? 200 : 503, "application/json", JSON.stringify({ status: health }));
    }),
    route("/metrics", async () => {
      if (metricsText === undefined) throw new HttpProblem(404, "not-found", "This host has no metrics.");
      return new HttpText(200, prometheusType, await metricsText());
    }),
  ];
}
