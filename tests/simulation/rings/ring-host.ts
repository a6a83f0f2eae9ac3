import { BatchRunner } from "../../../src/host/batch-runner.ts";
import { CallRings } from "../../../src/host/calls/rings/call-rings.ts";
import { ClusterRings } from "../../../src/host/calls/rings/cluster-rings.ts";
import { ringMethod } from "../../../src/host/calls/rings/ring-messages.ts";
import { createHostCounters } from "../../../src/host/counters.ts";
import { HostCaller } from "../../../src/host/peers/host-caller.ts";
import type { LinkQueue } from "../../../src/host/peers/links/link-queue.ts";
import { noOthers, type OtherHosts, type OthersSeat } from "../../../src/host/peers/other-hosts.ts";
import type { Peer } from "../../../src/host/sessions/peer.ts";
import type { PendingCall } from "../../../src/host/sessions/pending-call.ts";
import { createUncountedAccount, RpcError, StatusCode } from "../../../src/transport/internal.ts";
import type { RingWorld } from "./ring-world.ts";

/** A link that one host has dialled to another. What is sent on it arrives in order, or not at all. */
export class RingLink {
  readonly to: RingHost;
  /** The host that has dialled, as the other one knows it. */
  readonly caller: HostCaller;
  isOpen = true;
  readonly onCut = new Set<() => void>();
  readonly #world: RingWorld;
  #lastMs = 0;
  #lastBackMs = 0;

  constructor(world: RingWorld, from: RingHost, to: RingHost) {
    this.#world = world;
    this.to = to;
    this.caller = new HostCaller({
      ...{ hostId: from.hostId, passesChunks: true, number: 1, account: createUncountedAccount() },
      ...{ tell: () => undefined, tellIfRoom: () => true },
      // The world carries the answers, so that nothing is ever sent by it.
      queue: {} as LinkQueue,
    });
  }

  send(arrive: () => void): void {
    this.#lastMs = this.#deliver(this.#lastMs, arrive);
  }

  sendBack(arrive: () => void): void {
    this.#lastBackMs = this.#deliver(this.#lastBackMs, arrive);
  }

  sendWaiting(notice: Uint8Array): void {
    this.send(() => this.to.rings.waitingCame(this.caller, notice));
  }

  cut(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    for (const onCut of [...this.onCut]) onCut();
  }

  #deliver(lastMs: number, arrive: () => void): number {
    const { clock, dice } = this.#world;
    const latencyMs = dice.chance(0.9) ? dice.between(0, 4) : dice.between(5, 600);
    // Two at the same moment would run in any order.
    const atMs = Math.max(lastMs + 0.001, clock.now() + latencyMs);
    clock.setTimer(atMs - clock.now(), () => {
      if (this.isOpen) arrive();
    });
    return atMs;
  }
}

/** A host with the real search for rings. Its calls and links are the world's. */
export class RingHost {
  readonly hostId: string;
  readonly counters = createHostCounters();
  /** The workers of this host, as one. */
  readonly workers: Peer;
  readonly rings: ClusterRings;
  readonly local: CallRings;
  /** The links to other hosts that are up, as this one knows them. Undefined: there is none now. */
  readonly links = new Map<RingHost, RingLink | undefined>();
  isUp = true;
  /** When this host asked others the last time whether rings are true. */
  askedMs = Number.NEGATIVE_INFINITY;
  readonly #world: RingWorld;
  readonly #pending = new Map<string, PendingCall>();
  readonly #ids = new Map<PendingCall, string>();
  #count = 0;

  constructor(world: RingWorld, hostId: string) {
    this.#world = world;
    this.hostId = hostId;
    const account = createUncountedAccount();
    // The search asks for nothing else of a worker.
    this.workers = { id: "workers", account, traits: { isAnnounced: true } } as unknown as Peer;
    const { clock } = world;
    const batches = new BatchRunner(clock);
    const calls = {
      named: (id: string) => this.#pending.get(id),
      isOver: (id: string) => this.isOwn(id) && !this.#pending.has(id),
      idTextOf: (call: PendingCall) => this.#ids.get(call) ?? "",
    };
    this.rings = new ClusterRings({
      ...{ clock, batches, counters: this.counters, calls, others: this.#seat() },
      onRing: (call, ring) => this.local.breakRing(call, ring),
    });
    this.local = new CallRings({
      ...{ counters: this.counters, batches, cluster: this.rings, callNamed: calls.named },
      ...{ isOver: calls.isOver, isOwn: (id) => this.isOwn(id) },
      onRing: (call) => world.broken(this, call),
    });
  }

  isOwn(id: string): boolean {
    return id.startsWith(`${this.hostId}-`);
  }

  /** Whether a call is pending, as far as this host knows. */
  has(id: string): boolean {
    return this.#pending.has(id);
  }

  /** Opens a call. `callerId`: its id at the host of the caller. */
  open(caller: Peer, callerId: string, target: Peer | undefined): string {
    this.#count += 1;
    const id = `${this.hostId}-${this.#count}`;
    // The search asks for nothing else of a call.
    const call = {
      ...{ caller, callerId: Buffer.from(callerId), target, reportBytes: 0, reporter: undefined, commits: 0 },
    } as unknown as PendingCall;
    this.#pending.set(id, call);
    this.#ids.set(call, id);
    return id;
  }

  /** Takes a call out. False: it was out already. */
  take(id: string): boolean {
    const call = this.#pending.get(id);
    if (call === undefined) return false;
    this.#pending.delete(id);
    this.local.forget(call);
    return true;
  }

  /** The host that this one tells. */
  get searching(): RingHost {
    return [...this.links.keys()].reduce<RingHost>((one, other) => (other.hostId < one.hostId ? other : one), this);
  }

  idOf(call: PendingCall): string {
    return this.#ids.get(call) ?? "";
  }

  report(id: string, path: string, behind: readonly string[]): void {
    this.local.report(this.workers, { kind: "stuck", requestId: id, path, behind });
  }

  withdraw(id: string): void {
    this.local.withdraw(this.workers, { kind: "unstuck", requestId: id });
  }

  #seat(): OthersSeat {
    const ask = (hostId: string, call: Parameters<OtherHosts["askHost"]>[1], timeoutMs: number) =>
      this.#ask(hostId, call, timeoutMs);
    const { hostId, links } = this;
    return {
      now: {
        ...noOthers,
        ...{ areThere: true, hostId, askHost: ask },
        get ringHosts() {
          return [...links].map(([host, link]) => ({ hostId: host.hostId, link }));
        },
      },
    };
  }

  #ask(hostId: string, { method, request }: Parameters<OtherHosts["askHost"]>[1], timeoutMs: number) {
    if (method === ringMethod.check) this.askedMs = this.#world.clock.now();
    const link = [...this.links.values()].find((one) => one?.to.hostId === hostId);
    if (link === undefined) return undefined;
    return new Promise<Uint8Array | RpcError>((resolve) => {
      const fail = (): void => resolve(new RpcError(StatusCode.unavailable, "no answer"));
      this.#world.clock.setTimer(timeoutMs, fail);
      link.onCut.add(fail);
      link.send(() => {
        const ask = { kind: "unary", number: 1, method, clientId: "", principal: undefined, request, metadata: {} };
        const answer = link.to.rings.answer({ ...ask, kind: "unary" }, this.hostId);
        if (answer !== undefined) link.sendBack(() => resolve(answer));
      });
    });
  }
}
