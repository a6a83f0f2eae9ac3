import type { HostFacts } from "../admin-entry.ts";
import type { AdminHost } from "../admin-host.ts";
import type { AdminRoute } from "../admin-route.ts";

/** A host, and its time when it was asked, in the form of ISO 8601. */
export interface HostAnswer extends HostFacts {
  readonly now: string;
  /** Its id in its cluster. Null: it is alone. */
  readonly hostId: string | null;
}

/** The settings with which a host was started. What is secret is not in them. */
export interface ConfigurationAnswer {
  readonly settings: Configuration;
}

/** Settings by name. A value that is secret is `hidden`. */
export type Configuration = Readonly<Record<string, string | number | boolean | readonly string[] | null>>;

/** The host itself: its name and settings. */
export function hostRoutes(
  host: AdminHost,
  { facts, configuration }: { readonly facts: HostFacts; readonly configuration: Configuration },
): readonly AdminRoute[] {
  return [
    {
      ...{ method: "GET", path: "/v1/host", parameters: [], need: "see-all" },
      handle: async (): Promise<HostAnswer> => ({
        ...{ ...facts, now: new Date(host.clock.wallNow()).toISOString() },
        hostId: host.cluster?.hostId ?? null,
      }),
    },
    {
      ...{ method: "GET", path: "/v1/configuration", parameters: [], need: "see-all" },
      handle: async (): Promise<ConfigurationAnswer> => ({ settings: configuration }),
    },
  ];
}
