import { Simulation } from "../../src/testing/index.ts";
import { HostSeat } from "./host-seat.ts";
import { KeptWorld } from "./kept/kept-world.ts";
import { Ledger } from "./ledger.ts";
import { Ping } from "./messages.ts";
import { type Action, type Fault, isFault, type Plan, type PlannedCall, type Work } from "./plan.ts";
import { makeCall, publish, type Send } from "./simulated-agent.ts";
import { Trace } from "./trace.ts";
import { WorkerSeat } from "./worker-seat.ts";
import type { Plant, WorldParts } from "./world-parts.ts";

export interface WorldOptions {
  readonly plant?: Plant | undefined;
  readonly keepsLines: boolean;
}

/** One host, several workers, and all that the plan does to them. */
export class World {
  readonly plan: Plan;
  readonly simulation: Simulation;
  readonly ledger: Ledger;
  readonly host: HostSeat;
  readonly seats: readonly WorkerSeat[];
  /** Undefined: no agent of this world is persistent. */
  readonly kept: KeptWorld | undefined;
  readonly #parts: WorldParts;
  /** Faults that were in fact injected: one against an empty seat is none. */
  readonly faults = new Map<string, number>();

  constructor(plan: Plan, { plant, keepsLines }: WorldOptions) {
    const { windowBytes, highWaterBytes } = plan;
    const trace = new Trace(() => this.simulation.clock.now(), keepsLines);
    const onTask = (line: string) => trace.tick(line);
    this.plan = plan;
    this.simulation = new Simulation({ seed: plan.seed, windowBytes, highWaterBytes, onTask });
    this.ledger = new Ledger(trace, () => this.simulation.clock.now());
    this.#parts = { plan, simulation: this.simulation, ledger: this.ledger, plant };
    this.kept =
      plan.kept.length === 0
        ? undefined
        : new KeptWorld({ ...this.#parts, host: () => this.host, seats: () => this.seats });
    this.host = new HostSeat(this.#parts, this.kept?.store, () => {
      for (const seat of this.seats) seat.disturb();
    });
    this.ledger.serversOf = (type) => plan.kept[Number(type.slice("kept-".length))]?.seats ?? [];
    this.ledger.overflow = () => this.host.overflow();
    this.seats = plan.seats.map((seat, index) => new WorkerSeat(index, seat, this.#parts));
    // All lines are there before the host listens.
    for (const seat of this.seats) seat.line.resume();
  }

  /** Does one thing; resolves when it is done, never rejects. */
  act(action: Action): Promise<void> {
    this.ledger.trace.note(`-- ${JSON.stringify(action)}`);
    return isFault(action) ? this.#break(action) : this.#work(action);
  }

  async #work(action: Work): Promise<void> {
    switch (action.do) {
      case "call":
        return this.call(action.seat, action.call);
      case "publish":
        return this.publish(action.seat, action.topic, action.count, action.byAgent);
      case "subscribe":
        return this.#seat(action.seat).addSubscription(action.topic, action.isPrefix);
      case "unsubscribe":
        return this.#seat(action.seat).removeSubscription();
      case "register":
        return this.#seat(action.seat).registerMore(action.name);
      case "state":
        return this.#state(action.seat, action.target, action.what);
      case "tell":
      case "deactivate":
      case "destroy":
      case "stock-save":
        return this.kept?.work(action);
    }
  }

  async call(index: number, plan: PlannedCall): Promise<void> {
    const seat = this.#seat(index);
    if (seat.present === undefined) return;
    const { process, worker } = seat.present;
    const parts = { ...this.#parts, seat: index, process };
    if (this.#parts.plant?.ghostCalls) void worker.sendMessage(Ping({}), seat.id("ghost")).catch(() => undefined);
    await makeCall(parts, worker, plan, { sender: undefined, context: undefined, call: undefined, run: undefined });
  }

  async publish(index: number, topic: string, count: number, byAgent: boolean): Promise<void> {
    const seat = this.#seat(index);
    if (seat.present === undefined) return;
    const { process, worker } = seat.present;
    const sender = byAgent ? seat.id("news") : undefined;
    const parts = { ...this.#parts, seat: index, process };
    const send: Send = (news, topicId) => worker.publishMessage(news, topicId, { sender });
    const published = Array.from({ length: count }, () => publish(parts, send, { topic, sender }));
    await Promise.allSettled(published);
  }

  async #state(from: number, of: number, what: "save" | "load" | "describe"): Promise<void> {
    const { present } = this.#seat(from);
    if (present === undefined) return;
    const { process, worker } = present;
    const id = this.#seat(of).id("a");
    const name = `${process.name} ${what} ${id}`;
    const request = async () => {
      if (what === "load") return worker.agentLoadState(id, { of: id.toString() });
      const found = what === "save" ? (await worker.agentSaveState(id)).of : describe(await worker.agentMetadata(id));
      if (found !== id.toString()) this.ledger.breach("answers", `${name} gave that of ${found}`);
    };
    await this.ledger.follow(name, process, request()).catch(() => undefined);
  }

  async #break(fault: Fault): Promise<void> {
    const isThere = "seat" in fault ? this.#seat(fault.seat).present !== undefined : this.host.host !== undefined;
    if (!isThere) return;
    this.faults.set(fault.do, (this.faults.get(fault.do) ?? 0) + 1);
    switch (fault.do) {
      case "cut":
        return this.#cut(this.#seat(fault.seat));
      case "stall": {
        const seat = this.#seat(fault.seat);
        seat.disturb();
        seat.line.stall();
        await this.sleep(fault.forMs);
        if (fault.thenCut) this.#cut(seat);
        seat.line.resume();
        return seat.disturb();
      }
      case "slow-reader": {
        const seat = this.#seat(fault.seat);
        // With a bound on its queue the host drops what is too much, or the worker's channel.
        const suffers = this.plan.hostQueue !== undefined;
        if (suffers) seat.disturb();
        seat.slowDown(true);
        await this.sleep(fault.forMs);
        seat.slowDown(false);
        return suffers ? seat.disturb() : undefined;
      }
      case "kill-worker": {
        const seat = this.#seat(fault.seat);
        seat.kill();
        await this.sleep(fault.downMs);
        return seat.present === undefined ? seat.occupy() : undefined;
      }
      case "restart-worker": {
        const seat = this.#seat(fault.seat);
        await seat.stop();
        await this.sleep(fault.downMs);
        return seat.present === undefined ? seat.occupy() : undefined;
      }
      case "stop-and-start": {
        const seat = this.#seat(fault.seat);
        await seat.pauseWorker();
        await this.sleep(fault.downMs);
        return seat.resumeWorker();
      }
      case "kill-host":
        await this.host.kill();
        await this.sleep(fault.downMs);
        return this.host.start();
      case "restart-host":
        await this.host.stop(fault.graceMs);
        await this.sleep(fault.downMs);
        return this.host.start();
      default:
        return this.kept?.break(fault);
    }
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.simulation.clock.setTimer(ms, resolve));
  }

  #cut(seat: WorkerSeat): void {
    seat.disturb();
    seat.line.cut();
  }

  #seat(index: number): WorkerSeat {
    const seat = this.seats[index];
    if (seat === undefined) throw new Error(`There is no seat ${index}.`);
    return seat;
  }
}

function describe({ type, key }: { readonly type: string; readonly key: string }): string {
  return `${type}/${key}`;
}
