import type { HostCounters } from "../../src/host/index.ts";
import { type Breach, checkLedger } from "./checkers.ts";
import { hostCallTimeoutMs } from "./host-seat.ts";
import { keptType } from "./kept/kept-agent.ts";
import type { Ledger } from "./ledger.ts";
import { isFault, type Plan, type PlannedCall } from "./plan.ts";
import { World } from "./world.ts";
import type { Plant } from "./world-parts.ts";

export interface RunOptions {
  readonly plant?: Plant | undefined;
  readonly keepsLines?: boolean;
}

/** What came of one run. */
export interface RunReport {
  readonly seed: number;
  readonly breaches: readonly Breach[];
  readonly hash: string;
  readonly lines: readonly string[];
  /** Faults injected, by kind; calls by their outcome. */
  readonly faults: ReadonlyMap<string, number>;
  readonly outcomes: ReadonlyMap<string, number>;
  readonly events: number;
  readonly receipts: number;
  /** Answers that came in parts, and the chunks that were read. */
  readonly streams: number;
  readonly chunks: number;
  /** Deliveries that others overtook. */
  readonly overtaken: number;
  readonly virtualMs: number;
}

/** How long a world may take to come to rest, in its own milliseconds and in steps. */
const restMs = 400_000;
/** How long hosts keep registrations of clients without a channel. */
const orphanMs = 31_000;
/** Turns are longer than their beginning, and a state takes its time. */
const restlessMs = 5_000;
const maxSteps = 200_000;

const probe: Omit<PlannedCall, "target"> = {
  key: "probe",
  timeoutMs: undefined,
  abortAfterMs: undefined,
  inheritsSignal: false,
  behaviour: { delayMs: 0, nested: [], publishes: [], ends: "answers" },
};

/** Plays a plan from the first start to the last stop and checks what Troupe promises. */
export async function runPlan(plan: Plan, { plant, keepsLines = false }: RunOptions = {}): Promise<RunReport> {
  const world = new World(plan, { plant, keepsLines });
  try {
    await new Play(world).run();
  } catch (error) {
    world.ledger.breach("crash", crashText(error));
  }
  const { ledger, simulation, faults } = world;
  const breaches = checkLedger(ledger);
  const outcomes = new Map<string, number>();
  for (const { outcome } of ledger.calls) {
    const name = outcome === undefined ? "died with its caller" : outcome.at === "answered" ? "answered" : outcome.code;
    outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
  }
  return {
    seed: plan.seed,
    breaches,
    hash: ledger.trace.hash,
    lines: ledger.trace.lines ?? [],
    faults,
    outcomes,
    events: ledger.events.length,
    receipts: ledger.events.reduce((sum, { receipts }) => sum + receipts.length, 0),
    streams: ledger.streams.read.length,
    chunks: ledger.streams.read.reduce((sum, { chunks }) => sum + chunks.length, 0),
    overtaken: simulation.overtaken,
    virtualMs: simulation.clock.now(),
  };
}

/** The world does not go on as it should; where that was noticed is of no interest. */
class StuckError extends Error {}

function hasRegistrations({ agentTypes, subscriptions }: HostCounters): boolean {
  return agentTypes + subscriptions > 0;
}

/** What becomes of calls when a channel is ended for its queue. */
function isOverflow(code: string): boolean {
  return code === "disconnected" || code === "overloaded" || code === "undeliverable";
}

function hasOverflown(ledger: Ledger): boolean {
  const { overflowedChannels, overloadedCalls } = ledger.overflow();
  return overflowedChannels + overloadedCalls > 0;
}

function crashText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error instanceof StuckError ? error.message : (error.stack ?? error.message);
}

class Play {
  readonly #world: World;
  readonly #underWay = new Set<Promise<void>>();
  #steps = 0;

  constructor(world: World) {
    this.#world = world;
  }

  async run(): Promise<void> {
    const { simulation, plan, ledger } = this.#world;
    await this.#begin();
    let played = 0;
    for (const { atMs, action } of plan.actions) {
      simulation.clock.setTimer(atMs, () => {
        played += 1;
        const act = this.#world.act(action);
        // Work for a process that is killed never ends; the ledger knows what has to.
        if (isFault(action)) this.#start(act);
        else act.catch((error: unknown) => ledger.breach("crash", crashText(error)));
      });
    }
    await this.#until("the plan is played", () => played === plan.actions.length && this.#underWay.size === 0);
    ledger.trace.note("-- all is healed");
    await this.#until("everybody has recovered", () => this.#isHealthy());
    await this.#probe();
    this.#checkRest();
    ledger.endStory();
    await this.#end();
    this.#checkNothingIsLeft();
  }

  /** Something that goes on by itself. */
  #start(act: Promise<void>): void {
    const guarded = act.catch((error: unknown) => {
      this.#world.ledger.breach("crash", crashText(error));
    });
    this.#underWay.add(guarded);
    void guarded.then(() => this.#underWay.delete(guarded));
  }

  async #begin(): Promise<void> {
    const { host, seats } = this.#world;
    this.#start(host.start());
    for (const seat of seats) this.#start(seat.occupy());
    await this.#until("the world has begun", () => this.#underWay.size === 0 && this.#isHealthy());
  }

  /** Everybody can call everybody, and events find their way. */
  async #probe(): Promise<void> {
    const world = this.#world;
    const { ledger } = world;
    const first = ledger.calls.length;
    const { plan } = world;
    for (const caller of world.seats) {
      for (const target of world.seats) this.#start(world.call(caller.index, { ...probe, target: target.index }));
      for (const type of plan.kept.keys()) {
        const kept = { type, reads: false, isRepeated: false };
        this.#start(world.call(caller.index, { ...probe, target: undefined, kept }));
      }
      this.#start(world.publish(caller.index, "red", 1, false));
    }
    await this.#until("the probes have ended", () => this.#underWay.size === 0);
    for (const { name, outcome, target } of ledger.calls.slice(first)) {
      if (outcome?.at === "answered" || target.key !== probe.key) continue;
      if (outcome?.at === "failed" && isOverflow(outcome.code) && hasOverflown(ledger)) continue;
      const told = outcome === undefined ? "has no outcome" : `failed with ${outcome.code} (${outcome.text})`;
      ledger.breach("recovery", `after all had healed, ${name} to ${target} ${told}`);
    }
    // Calls that were given up may be on their way still, and their handlers may make others.
    for (let calls = 0; calls !== ledger.calls.length; await this.#sleep(hostCallTimeoutMs + 5_000)) {
      calls = ledger.calls.length;
      await this.#until("nobody waits for an answer", () => ledger.openCalls === 0);
    }
    await this.#untilDelivered();
    await this.#until("the lines are empty", () => this.#areLinesEmpty());
  }

  /** Told messages are handled and reminders over. */
  async #untilDelivered(): Promise<void> {
    const { kept, simulation, ledger } = this.#world;
    if (kept === undefined) return;
    const giveUpMs = simulation.clock.now() + restMs;
    while ((await kept.leftToDeliver()) > 0 && simulation.clock.now() < giveUpMs) await this.#sleep(1_000);
    const left = await kept.leftToDeliver();
    if (left > 0) ledger.breach("leftovers", `${left} told messages and reminders are in the store at rest`);
    await this.#until("nobody waits for an answer", () => ledger.openCalls === 0);
    await kept.readDeadLetters();
  }

  /** Nobody waits for anything: then nothing may be pending. */
  #checkRest(): void {
    const { ledger, host, seats } = this.#world;
    for (const { present } of seats) {
      const pending = present?.worker.pendingCallsCount ?? 0;
      if (pending > 0) ledger.breach("leftovers", `${present?.process.name} has ${pending} pending calls at rest`);
    }
    this.#checkLive();
    const pending = host.host?.counters().pendingCalls ?? 0;
    if (pending > 0) ledger.breach("leftovers", `the host has ${pending} pending calls at rest`);
  }

  /** Agents that had no turn for their idle time are gone, and no type has more than its cap. */
  #checkLive(): void {
    const { ledger, plan, simulation, seats } = this.#world;
    const lastMs = new Map<string, number>();
    for (const { activation, begunMs } of ledger.kept.turns) lastMs.set(activation.name, begunMs);
    for (const [
      index,
      { idleAfterMs = Number.POSITIVE_INFINITY, maxLive = Number.POSITIVE_INFINITY },
    ] of plan.kept.entries()) {
      for (const { present } of seats) {
        const live = ledger.kept.liveIn(present?.process, keptType(index));
        if (live.length > maxLive) {
          ledger.breach(
            "leftovers",
            `${live.length} agents of ${keptType(index)} are live in ${present?.process.name}, above ${maxLive}`,
          );
        }
        for (const { name, agent } of live) {
          const idleMs = simulation.clock.now() - (lastMs.get(name) ?? 0);
          if (idleMs > idleAfterMs + restlessMs)
            ledger.breach("leftovers", `${agent} (${name}) is live after ${idleMs} ms without a turn`);
        }
      }
    }
  }

  async #end(): Promise<void> {
    const { plan, seats, host, ledger } = this.#world;
    const { lastToStop, callsAtStop } = plan;
    for (const { seat, call } of callsAtStop) this.#start(this.#world.call(seat, call));
    for (const seat of seats) seat.retire();
    const stopWorkers = () => Promise.all(seats.map((seat) => seat.stop())).then(() => undefined);
    const last = host.host;
    if (lastToStop === "workers") {
      this.#start(host.stop(1_000));
      await this.#until("the host has stopped", () => host.host === undefined && last !== undefined);
      this.#start(stopWorkers());
      await this.#until("the workers have stopped", () => this.#underWay.size === 0);
    } else {
      this.#start(stopWorkers());
      await this.#until("the workers have stopped", () => this.#underWay.size === 0);
      await this.#until("the lines are empty", () => this.#areLinesEmpty());
      if (last !== undefined && hasRegistrations(last.counters())) {
        // A registration that came after its client had left is kept for a while, lest the client is only about to open its channel.
        await this.#sleep(orphanMs);
      }
      if (last !== undefined) this.#checkForgotten(last.counters());
      this.#start(host.stop(1_000));
      await this.#until("the host has stopped", () => this.#underWay.size === 0);
    }
    await this.#until("the lines are empty", () => this.#areLinesEmpty());
    // Whatever had been registered at a host that has stopped is gone with it.
    if (last !== undefined) this.#checkForgotten({ ...last.counters(), agentTypes: 0, subscriptions: 0 });
    for (const seat of seats) seat.retire();
    ledger.trace.note("-- all is over");
  }

  #checkForgotten(counters: HostCounters): void {
    for (const gauge of [
      "channels",
      "controlChannels",
      "pendingCalls",
      "claims",
      "agentTypes",
      "subscriptions",
      "reservedClients",
      "queuedFrames",
      "queuedBytes",
    ] as const) {
      const count = counters[gauge];
      if (count !== 0)
        this.#world.ledger.breach("leftovers", `the host still has ${count} ${gauge} when all have gone`);
    }
  }

  #checkNothingIsLeft(): void {
    const { ledger, host, seats } = this.#world;
    const processes = [...host.processes, ...seats.flatMap(({ occupants }) => occupants.map(({ process }) => process))];
    for (const { name, pendingTimers } of processes) {
      if (pendingTimers > 0) ledger.breach("leftovers", `${pendingTimers} timers of ${name} are left`);
    }
    for (const { process, worker } of seats.flatMap(({ occupants }) => occupants)) {
      if (process.isAlive && worker.pendingCallsCount > 0) {
        ledger.breach("leftovers", `${worker.pendingCallsCount} calls of ${process.name} are pending after its stop`);
      }
    }
  }

  #isHealthy(): boolean {
    const { ledger, seats, host } = this.#world;
    return host.host !== undefined && seats.every(({ name }) => !ledger.isDisturbed(name));
  }

  #areLinesEmpty(): boolean {
    return this.#world.simulation.lines.every(({ underWay }) => underWay === 0);
  }

  async #sleep(ms: number): Promise<void> {
    let isOver = false;
    this.#world.simulation.clock.setTimer(ms, () => {
      isOver = true;
    });
    await this.#until("a while has passed", () => isOver);
  }

  /** Lets things happen until the condition holds; that it never does is a breach, and ends the run. */
  async #until(what: string, condition: () => boolean): Promise<void> {
    const { simulation } = this.#world;
    const giveUpMs = simulation.clock.now() + restMs;
    await simulation.settle();
    while (!condition()) {
      this.#steps += 1;
      const isStuck = !(await simulation.step()) && !condition();
      if (isStuck || simulation.clock.now() > giveUpMs || this.#steps > maxSteps) {
        throw new StuckError(`It never came to pass that ${what}.`);
      }
    }
  }
}
