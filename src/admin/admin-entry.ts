import type { CoordinationReport } from "../cluster/internal.ts";
import { errorText, LimitedLog, type Logger, randomId, TroupeError } from "../core/internal.ts";
import {
  BearerToken,
  HttpProblem,
  type HttpRoute,
  HttpServer,
  type HttpTls,
  isLoopbackName,
  principalAdmission,
  tokenAdmission,
} from "../http/internal.ts";
import type { AccessRules, Authenticator } from "../security/internal.ts";
import { partyOf } from "../transport/internal.ts";
import type { AdminHost } from "./admin-host.ts";
import { rightsOf } from "./admin-rights.ts";
import { type AdminRoute, guarded } from "./admin-route.ts";
import { LiveFeed } from "./feed/live-feed.ts";
import { ToldFeedsOfHost } from "./feed/told-feeds.ts";
import { Activity } from "./model/activity.ts";
import { HostModel } from "./model/host-model.ts";
import { TraceLog } from "./model/trace-log.ts";
import { describeRoutes } from "./openapi/document.ts";
import { readPage } from "./page-files.ts";
import { PayloadAudit } from "./payload-audit.ts";
import { activityRoutes } from "./routes/activity-routes.ts";
import { agentRoutes } from "./routes/agent-routes.ts";
import { callRoutes } from "./routes/call-routes.ts";
import { clusterRoutes } from "./routes/cluster-routes.ts";
import { deadLetterRoutes } from "./routes/dead-letter-routes.ts";
import { eventRoutes } from "./routes/event-routes.ts";
import { feedRoutes } from "./routes/feed-routes.ts";
import { type Configuration, hostRoutes } from "./routes/host-routes.ts";
import { messageRoutes } from "./routes/message-routes.ts";
import { probeRoutes } from "./routes/probe-routes.ts";
import { reminderRoutes } from "./routes/reminder-routes.ts";
import { runRoutes } from "./routes/run-routes.ts";
import { sessionRoutes } from "./routes/session-routes.ts";
import { stateRoutes } from "./routes/state-routes.ts";
import { subscriptionRoutes } from "./routes/subscription-routes.ts";
import { traceRoutes } from "./routes/trace-routes.ts";
import { workerRoutes } from "./routes/worker-routes.ts";
import { SealedCursors } from "./sealed-cursors.ts";

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
  /** When its process began, in the form of ISO 8601. */
  readonly startedAt: string;
}

/** An address that other machines reach, with what protects it. */
export interface OpenAddress {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly tls: HttpTls;
  /** Finds out who asks. */
  readonly authenticator: Authenticator;
  /** Say what each principal may see and do. */
  readonly rules: AccessRules;
}

export interface AdminEntryOptions {
  readonly host: AdminHost;
  /** Read for each request. */
  readonly facts: HostFacts;
  /** An address of this machine alone. */
  readonly address: { readonly host: string; readonly port: number };
  readonly token: string;
  readonly logger: Logger | undefined;
  /** Beside the address of this machine, one for principals. Default: none. */
  readonly open?: OpenAddress | undefined;
  /** The settings with which the host was started, without what is secret. Default: none. */
  readonly configuration?: Configuration | undefined;
  /** Asks the servers of the cluster's coordination store. Undefined: the host is alone, or its store can't be asked. */
  readonly inspectStore?: (() => Promise<CoordinationReport>) | undefined;
  /** Writes the metrics for Prometheus. Undefined: there are none. */
  readonly metricsText?: (() => Promise<string>) | undefined;
  /** The folder of the built page for operators. Undefined: the entry serves no page. */
  readonly pageFolder?: URL | undefined;
}

/** The parts that end with their entry. */
interface EntryParts {
  readonly model: HostModel;
  readonly feed: LiveFeed;
  readonly activity: Activity;
  readonly traces: TraceLog;
  readonly toldFeeds: ToldFeedsOfHost;
  /** End what other hosts are told. */
  readonly endTelling: () => void;
  readonly audit: PayloadAudit;
}

/**
 * The entry by which operators look at a host and change what it keeps: JSON over HTTP. On this machine it takes a token that may do everything. At an open
 * address it takes principals, who may do what the rules allow.
 */
export class AdminEntry {
  readonly #server: HttpServer;
  readonly #open: HttpServer | undefined;
  readonly #model: HostModel;
  readonly #feed: LiveFeed;
  readonly #activity: Activity;
  readonly #traces: TraceLog;
  readonly #toldFeeds: ToldFeedsOfHost;
  readonly #endTelling: () => void;
  readonly #audit: PayloadAudit;
  /** The address on this machine, `http://HOST:PORT`. */
  readonly url: string;
  /** The address for principals, `https://HOST:PORT`. */
  readonly openUrl: string | undefined;

  private constructor(server: HttpServer, open: HttpServer | undefined, parts: EntryParts) {
    const { model, feed, activity, traces } = parts;
    this.#server = server;
    this.#open = open;
    this.#model = model;
    this.#feed = feed;
    this.#activity = activity;
    this.#traces = traces;
    this.#toldFeeds = parts.toldFeeds;
    this.#endTelling = parts.endTelling;
    this.#audit = parts.audit;
    this.url = `http://${placeOf(server)}`;
    this.openUrl = open && `https://${placeOf(open)}`;
  }

  /**
   * Listens. Rejects with `already-exists` for an address in use, and with `invalid-argument` for one that other machines reach, or
   * that is not this machine's.
   */
  static async open({ host, facts, address, token, logger, ...options }: AdminEntryOptions): Promise<AdminEntry> {
    if (!isLoopbackName(address.host)) throw beyondLoopback(address.host);
    const model = new HostModel(host);
    try {
      return await AdminEntry.#listen(model, { host, facts, address, token, logger, ...options });
    } catch (error) {
      model.close();
      throw error;
    }
  }

  static async #listen(
    model: HostModel,
    { host, facts, address, token, logger, open, configuration = {}, ...options }: AdminEntryOptions,
  ): Promise<AdminEntry> {
    const audit = new PayloadAudit(logger && new LimitedLog(logger, host.clock), host.clock);
    const feed = new LiveFeed({
      ...{ clock: host.clock, payloads: host.payloads, makeId: randomId },
      onContents: (reader, count) => audit.note(reader, "messages", count),
      observe: (observer) => host.observe(observer),
      hosts: () => host.hosts(),
      rows: (...asked) => host.rows(...asked),
    });
    const toldFeeds = new ToldFeedsOfHost(host);
    const endFeeds = host.tellFeeds(toldFeeds);
    const activity = new Activity(host);
    const traces = new TraceLog(host);
    const endTraces = host.listTraces(traces);
    const endActivity = host.listActivity(activity);
    const endTelling = (): void => {
      endActivity();
      endFeeds();
      endTraces();
    };
    const parts = { model, feed, activity, traces, toldFeeds, endTelling, audit };
    const ofOperator: readonly AdminRoute[] = [
      ...activityRoutes(host, activity),
      ...traceRoutes(host),
      ...feedRoutes(feed),
      ...eventRoutes(host),
      ...callRoutes(host),
      ...hostRoutes(host, { facts, configuration }),
      ...sessionRoutes(host),
      ...messageRoutes(host),
      ...workerRoutes(host),
      ...clusterRoutes(host, options.inspectStore),
      ...agentRoutes(host),
      ...reminderRoutes(host),
      ...runRoutes(host, audit),
      ...deadLetterRoutes(host, audit),
      ...subscriptionRoutes(host),
      ...stateRoutes(host, audit),
    ];
    const described: AdminRoute = {
      ...{ method: "GET", path: "/openapi.json", parameters: [], need: "nothing" },
      handle: async () => describeRoutes(all, facts.version),
    };
    const all = [
      ...probeRoutes(host, options.metricsText),
      described,
      ...ofOperator.map((route) => whenStarted(host, route)),
    ];
    const cursors = new SealedCursors();
    const routes: readonly HttpRoute[] = all.map((route) =>
      guarded(route, { rightsOf: ({ caller }) => rightsOf(caller, open?.rules), cursors }),
    );
    const files = options.pageFolder === undefined ? new Map() : readPage(options.pageFolder);
    const common = {
      ...{ routes, files },
      clock: host.clock,
      logger,
    };
    const server = await listening({
      ...{ ...common, ...address, admission: tokenAdmission(new BearerToken(token)) },
      openAccount: (giveWay) => host.openAccount(giveWay),
    });
    if (!isLoopbackName(server.address.host)) {
      // The name stands for another address here.
      await server.close(0);
      throw beyondLoopback(address.host);
    }
    if (open === undefined) return new AdminEntry(server, undefined, parts);
    try {
      const { host: name, port, tls, authenticator } = open;
      const opened = await listening({
        ...{ ...common, host: name, port, tls, admission: principalAdmission(authenticator) },
        // What principals have the host keep is held against their addresses, as it is for workers.
        openAccount: (giveWay, from) => host.openAccount(giveWay, partyOf(from)),
      });
      return new AdminEntry(server, opened, parts);
    } catch (error) {
      await server.close(0);
      throw error;
    }
  }

  /** New connections to the open address get another certificate. Throws for one that can't be used. */
  reloadTls(tls: HttpTls): void {
    this.#open?.reloadTls(tls);
  }

  /** Ends what is under way within `graceMs`. You may call it twice. */
  async close(graceMs: number): Promise<void> {
    this.#model.close();
    this.#feed.close();
    this.#activity.close();
    this.#endTelling();
    this.#toldFeeds.close();
    this.#traces.close();
    await Promise.all([this.#server.close(graceMs), this.#open?.close(graceMs)]);
    this.#audit.close();
  }
}

function placeOf({ address: { host, port } }: HttpServer): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** A host that starts answers probes alone. */
function whenStarted(host: AdminHost, route: AdminRoute): AdminRoute {
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
  const text = `The token of the admin entry is for this machine alone, so that it does not listen on ${host}. Write --admin 127.0.0.1:PORT.`;
  return new TroupeError("invalid-argument", text);
}
