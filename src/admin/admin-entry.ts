import type { CoordinationReport } from "../cluster/internal.ts";
import { errorText, type Logger, TroupeError } from "../core/internal.ts";
import { HttpProblem, type HttpRoute, HttpServer, isLoopbackName } from "../http/internal.ts";
import type { AdminHost } from "./admin-host.ts";
import { agentRoutes } from "./routes/agent-routes.ts";
import { clusterRoutes } from "./routes/cluster-routes.ts";
import { deadLetterRoutes } from "./routes/dead-letter-routes.ts";
import { probeRoutes } from "./routes/probe-routes.ts";
import { reminderRoutes } from "./routes/reminder-routes.ts";
import { stateRoutes } from "./routes/state-routes.ts";
import { subscriptionRoutes } from "./routes/subscription-routes.ts";
import { workerRoutes } from "./routes/worker-routes.ts";

/** The facts that the admin entry tells of its host. */
export interface HostFacts {
  /** The name by which an operator picks this host. */
  readonly name: string;
  readonly version: string;
  readonly pid: number;
  /** The address that workers dial. */
  readonly address: string;
  /** The state store, without what is secret in its address. */
  readonly state: string;
}

export interface AdminEntryOptions {
  readonly host: AdminHost;
  /** Read for each request. */
  readonly facts: HostFacts;
  /** An address of this machine alone. */
  readonly address: { readonly host: string; readonly port: number };
  readonly token: string;
  readonly logger: Logger | undefined;
  /** Asks the servers of the cluster's coordination store. Undefined: the host is alone, or its store can't be asked. */
  readonly inspectStore?: (() => Promise<CoordinationReport>) | undefined;
  /** Writes the metrics for Prometheus. Undefined: there are none. */
  readonly metricsText?: (() => Promise<string>) | undefined;
}

/** The entry by which an operator looks at a host and changes what it keeps: JSON over HTTP, on loopback, with a token. */
export class AdminEntry {
  readonly #server: HttpServer;
  /** `http://HOST:PORT`. */
  readonly url: string;

  private constructor(server: HttpServer) {
    this.#server = server;
    const { host, port } = server.address;
    this.url = `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  /**
   * Listens. Rejects with `already-exists` for an address in use, and with `invalid-argument` for one that other machines reach, or
   * that is not this machine's.
   */
  static async open({ host, facts, address, token, logger, ...options }: AdminEntryOptions): Promise<AdminEntry> {
    if (!isLoopbackName(address.host)) throw beyondLoopback(address.host);
    const ofOperator: readonly HttpRoute[] = [
      { method: "GET", path: "/v1/host", parameters: [], handle: async () => facts },
      ...[
        ...workerRoutes(host),
        ...clusterRoutes(host, options.inspectStore),
        ...agentRoutes(host),
        ...reminderRoutes(host),
        ...deadLetterRoutes(host),
        ...subscriptionRoutes(host),
        ...stateRoutes(host),
      ],
    ];
    const routes = [...probeRoutes(host, options.metricsText), ...ofOperator.map((route) => whenStarted(host, route))];
    const { clock } = host;
    const openAccount = (giveWay: () => void) => host.openAccount(giveWay);
    const server = await listening({ ...address, token, routes, openAccount, clock, logger });
    if (isLoopbackName(server.address.host)) return new AdminEntry(server);
    // The name stands for another address here.
    await server.close(0);
    throw beyondLoopback(address.host);
  }

  /** Ends what is under way within `graceMs`. You may call it twice. */
  close(graceMs: number): Promise<void> {
    return this.#server.close(graceMs);
  }
}

/** A host that starts answers probes alone. */
function whenStarted(host: AdminHost, route: HttpRoute): HttpRoute {
  return {
    ...route,
    handle: async (request) => {
      if (host.health !== "starting") return await route.handle(request);
      throw new HttpProblem(503, "wrong-state", "The host starts. Ask again when it serves, as `/readyz` says.");
    },
  };
}

async function listening(options: Parameters<typeof HttpServer.open>[0]): Promise<HttpServer> {
  try {
    return await HttpServer.open(options);
  } catch (cause) {
    const isTaken = cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
    const where = `${options.host}:${options.port}`;
    throw new TroupeError(
      isTaken ? "already-exists" : "invalid-argument",
      `The admin entry can't listen on ${where}: ${errorText(cause)}. Name another address with --admin HOST:PORT; port 0 takes a free one.`,
      { cause },
    );
  }
}

function beyondLoopback(host: string): TroupeError {
  const text = `The admin entry has no TLS and no accounts yet, so that it listens on this machine alone, not on ${host}. Write --admin 127.0.0.1:PORT.`;
  return new TroupeError("invalid-argument", text);
}
