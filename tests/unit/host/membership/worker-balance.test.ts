import { describe, expect, it } from "vitest";
import { WorkerBalance } from "../../../../src/host/membership/worker-balance.ts";
import type { Peer } from "../../../../src/host/sessions/peer.ts";
import { Dice, ManualClock } from "../../../../src/testing/index.ts";

interface Worker {
  readonly id: string;
  readonly kind: "troupe" | "stock";
  host: string;
  load: number;
  moves: number;
  isLeaving: boolean;
  isDraining: boolean;
  /** Goes where its host sends it. */
  obeys: boolean;
}

/** Hosts that balance their workers. A worker that is asked has moved a while later. */
class World {
  readonly clock = new ManualClock();
  readonly dice = new Dice(7);
  readonly workers: Worker[] = [];
  readonly hosts = new Set<string>();
  readonly balances = new Map<string, WorkerBalance>();
  readonly asked: string[] = [];
  /** The most workers that were on their way from one host. */
  mostMoving = 0;
  isServing = true;
  readonly #channels = new Map<string, Peer>();

  host(name: string, count = 0, kind: Worker["kind"] = "troupe"): void {
    this.hosts.add(name);
    for (let at = 0; at < count; at += 1) this.worker(name, kind);
    const balance = new WorkerBalance({
      clock: this.clock,
      random: () => this.dice.next(),
      hosts: () =>
        this.isServing
          ? {
              own: name,
              all: [...this.hosts].map((hostId) => ({ hostId, workerAddress: hostId, workers: this.countAt(hostId) })),
            }
          : undefined,
      joins: this.#joinsOf(name),
      isHere: (channel) => this.#workerOf(channel).host === name,
      isDraining: (workerId) => this.workers.find(({ id }) => id === workerId)?.isDraining === true,
      loadOf: (channel) => this.#workerOf(channel).load,
      ask: (channel, addresses) => this.#ask(name, this.#workerOf(channel), addresses),
    });
    this.balances.set(name, balance);
    balance.start();
  }

  worker(host: string, kind: Worker["kind"] = "troupe"): Worker {
    const id = `w${this.workers.length}`;
    const worker = { ...{ id, kind, host, load: 0, moves: 0 }, isLeaving: false, isDraining: false, obeys: true };
    this.workers.push(worker);
    return worker;
  }

  gone(host: string): void {
    this.hosts.delete(host);
    this.balances.get(host)?.stop();
    const left = [...this.hosts];
    for (const worker of this.workers.filter((one) => one.host === host)) worker.host = this.dice.pick(left);
  }

  countAt(host: string): number {
    return this.workers.filter((worker) => worker.host === host).length;
  }

  get counts(): readonly number[] {
    return [...this.hosts].map((host) => this.countAt(host));
  }

  pass(seconds: number): void {
    for (let at = 0; at < 5 * seconds; at += 1) this.clock.advance(200);
  }

  #joinsOf(name: string) {
    const world = this;
    return {
      get open() {
        return world.workers
          .filter(({ host }) => host === name)
          .map((worker) => ({ channel: world.#channelOf(worker), worker: { kind: worker.kind } }));
      },
      isLeaving: (channel: Peer) => this.#workerOf(channel).isLeaving,
    };
  }

  #channelOf({ id, host, kind }: Worker): Peer {
    const key = `${id} ${host}`;
    const capabilities = new Set(kind === "stock" ? [] : ["lease"]);
    // The balance reads nothing else of a channel.
    const channel = this.#channels.get(key) ?? ({ worker: { id }, isOpen: true, traits: { capabilities } } as never);
    this.#channels.set(key, channel);
    return channel;
  }

  #workerOf(channel: Peer): Worker {
    const worker = this.workers.find(({ id }) => id === channel.worker.id);
    if (worker === undefined) throw new Error("no such worker");
    return worker;
  }

  #ask(from: string, worker: Worker, [to = ""]: readonly string[]): void {
    expect(worker.kind).toBe("troupe");
    expect(worker.host).toBe(from);
    this.asked.push(worker.id);
    if (!worker.obeys) return;
    worker.isLeaving = true;
    const moving = this.workers.filter((one) => one.host === from && one.isLeaving).length;
    this.mostMoving = Math.max(this.mostMoving, moving);
    this.clock.setTimer(1_500, () => {
      worker.isLeaving = false;
      worker.host = this.hosts.has(to) ? to : from;
      worker.moves += 1;
    });
  }
}

describe("the workers of a cluster", () => {
  it("go to a host that has come, as many as it lacks, and each moves once", () => {
    const world = new World();
    world.host("a", 12);
    world.host("b", 12);
    world.pass(60);
    expect(world.asked).toEqual([]);
    world.host("c");
    world.pass(120);
    expect(world.counts).toEqual([8, 8, 8]);
    expect(world.workers.filter(({ moves }) => moves > 1)).toEqual([]);
    expect(world.asked.length).toBe(8);
    expect([...world.balances.values()].reduce((sum, { asked }) => sum + asked, 0)).toBe(8);
    world.pass(3_600);
    expect(world.asked.length).toBe(8);
  });

  it("stay when the difference is small", () => {
    const world = new World();
    world.host("a", 2);
    world.host("b", 0);
    world.pass(600);
    const larger = new World();
    larger.host("a", 23);
    larger.host("b", 15);
    larger.pass(600);
    expect([...world.asked, ...larger.asked]).toEqual([]);
  });

  it("move few at once, those with the least agents and calls first", () => {
    const world = new World();
    world.host("a", 100);
    for (const [at, worker] of world.workers.entries()) worker.load = at;
    world.host("b");
    world.pass(40);
    expect(world.asked.slice(0, 4)).toEqual(["w0", "w1", "w2", "w3"]);
    world.pass(200);
    expect(world.mostMoving).toBe(4);
    expect(world.counts).toEqual([50, 50]);
  });

  it("stay when they are stock ones, stop, or are on their way", () => {
    const world = new World();
    world.host("a", 20, "stock");
    world.worker("a").isDraining = true;
    world.worker("a").isLeaving = true;
    world.host("b");
    world.pass(600);
    expect(world.asked).toEqual([]);
  });

  it("stay while a host is away for a moment, and while their host has lost touch with its cluster", () => {
    const world = new World();
    world.host("a", 6);
    world.host("b", 6);
    world.pass(60);
    world.gone("b");
    world.pass(30);
    world.host("b");
    world.pass(5);
    world.gone("b");
    world.pass(30);
    expect(world.asked).toEqual([]);
    world.isServing = false;
    world.host("b");
    world.pass(60);
    expect(world.asked).toEqual([]);
    world.isServing = true;
    world.pass(120);
    expect(world.counts).toEqual([6, 6]);
  });

  it("that do not move are left alone, and others go in their place", () => {
    const world = new World();
    world.host("a", 10);
    world.host("b");
    for (const worker of world.workers.slice(0, 5)) worker.obeys = false;
    world.pass(300);
    expect(Math.max(...world.counts)).toBeLessThanOrEqual(6);
    for (const { id } of world.workers.slice(0, 5)) expect(world.asked.filter((one) => one === id).length).toBe(1);
  });

  it("are spread by hosts that balance at once, whatever they begin with, and none moves to and fro", () => {
    for (let seed = 0; seed < 12; seed += 1) {
      const world = new World();
      const dice = new Dice(seed);
      const count = dice.between(2, 6);
      for (let at = 0; at < count; at += 1) world.host(`h${at}`, dice.between(0, 30));
      world.pass(200);
      const mean = world.workers.length / count;
      expect(Math.max(...world.counts), String(seed)).toBeLessThanOrEqual(1.25 * mean + 1);
      expect(world.workers.filter(({ moves }) => moves > 1)).toEqual([]);
      const before = world.asked.length;
      world.pass(100);
      expect(world.asked.length, String(seed)).toBe(before);
    }
  });
});
