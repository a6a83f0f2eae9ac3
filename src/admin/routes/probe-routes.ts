import { HttpProblem, HttpText } from "../../http/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import type { AdminNeed, AdminRoute } from "../admin-route.ts";

/** The content type of Prometheus' text format. */
const prometheusType = "text/plain; version=0.0.4; charset=utf-8";

/**
 * Routes that programs on this machine ask without the token. `/healthz` says whether the process answers, `/readyz` whether the host takes
 * workers and keeps its promises. `/metrics` has the metrics.
 */
export function probeRoutes(
  host: Pick<AdminHost, "health">,
  metricsText: (() => Promise<string>) | undefined,
): readonly AdminRoute[] {
  const route = (path: string, handle: () => Promise<unknown>, need: AdminNeed = "nothing"): AdminRoute => ({
    ...{ method: "GET", path, parameters: [], isOpen: true, need, handle },
  });
  return [
    route("/healthz", async () => ({ status: host.health })),
    route("/readyz", async () => {
      const { health } = host;
      return new HttpText(health === "serving" ? 200 : 503, "application/json", JSON.stringify({ status: health }));
    }),
    route(
      "/metrics",
      async () => {
        if (metricsText === undefined) throw new HttpProblem(404, "not-found", "This host has no metrics.");
        return new HttpText(200, prometheusType, await metricsText());
      },
      "see-all",
    ),
  ];
}
