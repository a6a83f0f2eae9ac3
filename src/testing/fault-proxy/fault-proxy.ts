import { connect, createServer, type Server, type Socket } from "node:net";
import {
  assertArgument,
  assertObject,
  assertOptions,
  assertText,
  type Clock,
  clock,
  errorText,
  listOf,
  number,
  optionShape,
  options as optionsOf,
  systemClock,
  type Timer,
  TroupeError,
  text,
} from "../../core/internal.ts";
import { seededRandom } from "../seeded-random.ts";
import { type Fault, type FaultKind, type FaultStep, isLasting, type LastingFault } from "./fault.ts";
import { assertApplyOptions, assertFault, assertFaultKind, faultStep } from "./fault-check.ts";
import { ProxiedConnection } from "./proxied-connection.ts";
import { type FaultProxyCounters, ProxyCounters } from "./proxy-counters.ts";
import { type RandomFaultsOptions, randomFaults, randomFaultsKinds } from "./random-faults.ts";

/** Options of `startFaultProxy`. */
export interface FaultProxyOptions {
  /** `host:port` of the server behind the proxy. */
  readonly target: string;
  /** Address to listen on. Default: `127.0.0.1:0`, a free port. */
  readonly address?: string | undefined;
  readonly script?: readonly FaultStep[] | undefined;
  /** Seed of random faults for every connection; the same seed gives the same faults. Default: no random faults. */
  readonly seed?: number | undefined;
  /** Limits of the random faults. */
  readonly randomFaults?: RandomFaultsOptions | undefined;
  /** Clock for delays, throttles and the script. Default: the system's. */
  readonly clock?: Clock | undefined;
}

const anyNumber = number({ from: Number.NEGATIVE_INFINITY });

const shape = optionShape<FaultProxyOptions>({
  target: text,
  address: text,
  script: listOf(faultStep),
  seed: anyNumber,
  randomFaults: optionsOf<RandomFaultsOptions>(randomFaultsKinds),
  clock,
});

type Refusal = Extract<Fault, { kind: "refuse" }>;

/**
 * Starts a TCP proxy that injects faults, for tests of programs that must survive a bad network.
 *
 * @example
 * ```ts
 * await using proxy = await startFaultProxy({ target: host.address });
 * const worker = new GrpcWorkerAgentRuntime(proxy.address);
 * await worker.start();
 * proxy.apply({ kind: "reset" });
 * ```
 */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  assertObject(options, "The options of startFaultProxy, { target },");
  assertOptions(options, shape, "startFaultProxy");
  const server = createServer({ allowHalfOpen: true });
  const { target, address = "127.0.0.1:0" } = options;
  assertTarget(target);
  const { host, port } = hostAndPort(address);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => {
      const text = `The proxy can't listen on ${address}: ${errorText(cause)}`;
      reject(new TroupeError("invalid-argument", text, { cause }));
    });
    server.listen(port, host, resolve);
  });
  return new FaultProxy(server, options);
}

/** A running proxy, created by `startFaultProxy`. Disposing it closes it. */
export class FaultProxy implements AsyncDisposable {
  /** `host:port` to dial instead of the target. */
  readonly address: string;
  readonly #server: Server;
  readonly #options: FaultProxyOptions;
  readonly #clock: Clock;
  readonly #counters = new ProxyCounters();
  readonly #open = new Set<ProxiedConnection>();
  /** Lasting faults of the whole proxy, which apply to new connections too. */
  readonly #lasting = new Set<LastingFault | Refusal>();
  readonly #timers = new Set<Timer>();
  readonly #jitter: () => number;
  #target: string;
  #seed: number | undefined;

  /** For `startFaultProxy`: the server already listens. */
  constructor(server: Server, options: FaultProxyOptions) {
    const bound = server.address();
    if (bound === null || typeof bound === "string") throw new Error("A fault proxy listens on a TCP port.");
    this.address = bound.family === "IPv6" ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`;
    this.#server = server;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#target = options.target;
    this.#seed = options.seed;
    this.#jitter = seededRandom(options.seed ?? 0).next;
    server.on("connection", (client) => this.#accept(client));
    for (const step of options.script ?? []) this.#planForAll(step);
  }

  /** Leads new connections to another address, such as that of a restarted server. Throws `invalid-argument` for a text that is not an address. */
  retarget(target: string): void {
    assertTarget(target);
    this.#target = target;
  }

  /** Sets the seed of random faults for new connections; undefined turns them off. */
  reseed(seed: number | undefined): void {
    if (seed !== undefined) assertArgument(seed, "The seed of random faults", anyNumber);
    this.#seed = seed;
  }

  /**
   * Applies a fault to one connection or to all open ones. A lasting fault on all also applies to new connections,
   * until `heal` or for `forMs`. Throws `invalid-argument` for a value that is not a fault.
   */
  apply(given: Fault, options: { readonly connection?: number | undefined } = {}): void {
    assertFault(given, "The fault");
    assertApplyOptions(options);
    const { connection } = options;
    // A copy for each call, so that each ends by itself, independent of others of its kind.
    const fault = { ...given };
    if (fault.kind === "heal") this.#lasting.clear();
    else if (connection === undefined && (isLasting(fault) || fault.kind === "refuse")) this.#keep(fault);
    if (fault.kind === "refuse") return;
    for (const open of this.#open) if (connection === undefined || open.number === connection) open.apply(fault);
  }

  /** Ends every lasting fault. */
  heal(): void {
    this.apply({ kind: "heal" });
  }

  counters(): FaultProxyCounters {
    return this.#counters.snapshot(this.#open.size);
  }

  /** Resolves when the proxy has accepted `count` connections since its start. */
  accepted(count: number): Promise<void> {
    return this.#counters.until(() => this.#counters.connections >= count);
  }

  /** Resolves when `times` connections have had a fault of this kind since the start. */
  faulted(kind: FaultKind, times = 1): Promise<void> {
    assertFaultKind(kind);
    return this.#counters.until(() => this.counters().faults[kind] >= times);
  }

  /** Cuts all connections and stops listening. May be called twice. */
  async close(): Promise<void> {
    for (const timer of this.#timers) timer.cancel();
    this.#counters.close();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#open) connection.destroy();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #accept(client: Socket): void {
    const number = this.#counters.connections++;
    this.#counters.wake();
    const steps = [
      ...[...this.#lasting].map((fault) => ({ fault })),
      ...(this.#options.script ?? []).filter((step) => hits(step, number)),
      ...(this.#seed === undefined ? [] : randomFaults(this.#seed, number, this.#options.randomFaults)),
    ];
    const refused = steps.find(({ fault }) => fault.kind === "refuse");
    if (refused !== undefined) {
      client.on("error", () => {});
      client.resetAndDestroy();
      this.#counters.hit(refused.fault);
      return;
    }
    const connection = this.#connect(number, client);
    for (const step of steps) connection.plan(step);
  }

  #connect(number: number, client: Socket): ProxiedConnection {
    const target = connect({ ...hostAndPort(this.#target), allowHalfOpen: true });
    for (const socket of [client, target]) socket.setNoDelay(true);
    const connection = new ProxiedConnection({
      number,
      client,
      target,
      counters: this.#counters,
      clock: this.#clock,
      random: this.#jitter,
      onClosed: () => {
        this.#open.delete(connection);
        this.#counters.wake();
      },
    });
    this.#open.add(connection);
    return connection;
  }

  /** Plans a step that names neither a connection nor a byte: it applies to the whole proxy. */
  #planForAll({ fault, connection, afterMs, afterBytes }: FaultStep): void {
    if (connection !== undefined || afterBytes !== undefined) return;
    if (afterMs === undefined) this.apply(fault);
    else this.#after(afterMs, () => this.apply(fault));
  }

  #keep(fault: LastingFault | Refusal): void {
    this.#lasting.add(fault);
    if (fault.forMs === undefined) return;
    this.#after(fault.forMs, () => {
      this.#lasting.delete(fault);
      for (const open of this.#open) if (fault.kind !== "refuse") open.heal(fault);
    });
  }

  #after(delayMs: number, act: () => void): void {
    const timer = this.#clock.setTimer(delayMs, () => {
      this.#timers.delete(timer);
      act();
    });
    this.#timers.add(timer);
  }
}

function hits(step: FaultStep, connection: number): boolean {
  return step.connection === connection || (step.connection === undefined && step.afterBytes !== undefined);
}

/** A wrong target would fail at the first connection, where no caller hears of it. */
function assertTarget(target: unknown): void {
  assertText(target, "The target of a proxy, such as 127.0.0.1:50051,");
  hostAndPort(target);
}

function hostAndPort(address: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65_535) {
    throw new TroupeError("invalid-argument", `"${address}" is not an address: write host:port.`);
  }
  return { host, port: Number(port) };
}
