import { Host, type HostOptions } from "../../../src/host/index.ts";
import { Dice, SimulatedCoordination, type SimulatedProcess, Simulation } from "../../../src/testing/index.ts";
import type { Listener, Listening } from "../../../src/transport/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { type Breach, checkLedger } from "../checkers.ts";
import { Ledger } from "../ledger.ts";
import { Done, News, Part, Parts, Ping, Task } from "../messages.ts";
import type { Plan, PlannedCall, PlannedSeat } from "../plan.ts";
import { silentLogger } from "../silent-logger.ts";
import { makeCall, SimulatedAgent } from "../simulated-agent.ts";
import { drawStream } from "../streams.ts";
import { Trace } from "../trace.ts";
import { tapped } from "../wire-tap.ts";
import type { WorldParts } from "../world-parts.ts";

interface HostSeat {
  readonly name: string;
  readonly process: SimulatedProcess;
  readonly host: Host;
  readonly listenings: Listening[];
}

interface WorkerSeat {
  readonly name: string;
  readonly process: SimulatedProcess;
  readonly worker: WorkerRuntime;
}

export interface StreamWorldOptions {
  readonly keepsLines?: boolean | undefined;
}

export interface StreamWorldReport {
  readonly breaches: readonly Breach[];
  readonly lines: readonly string[];
  readonly figures: { streams: number; chunks: number; answered: number; failed: number; faults: number };
}

const spanMs = 8_000;
const restMs = 400_000;
const callTimeoutMs = 20_000;
const maxSteps = 400_000;

const anySeat: PlannedSeat = {
  ...{ topics: [], sequentialAgents: false, drainTimeoutMs: 200, makeMs: 0, reconnects: true },
  ...{ eventsWhileDisconnected: "queue", callsWhileDisconnected: "reject", keepAliveMs: 0 },
  maxConcurrentHandlers: Number.POSITIVE_INFINITY,
};

/** Real hosts of one cluster and real workers, whose agents stream to each other while links are cut and processes die. */
export class StreamWorld {
  readonly #dice: Dice;
  readonly #simulation: Simulation;
  readonly #ledger: Ledger;
  readonly #parts: WorldParts;
  readonly #coordination: SimulatedCoordination;
  readonly #hosts: HostSeat[] = [];
  readonly #workers: WorkerSeat[] = [];
  readonly #isCalm: boolean;
  #faults = 0;

  constructor(seed: number, { keepsLines = false }: StreamWorldOptions = {}) {
    this.#dice = new Dice(seed, 0x57);
    const dice = this.#dice;
    this.#isCalm = dice.chance(0.4);
    const windowBytes = dice.chance(0.5) ? dice.between(200, 3_000) : 4 * 1024 * 1024;
    const trace = new Trace(() => this.#simulation.clock.now(), keepsLines);
    const onTask = (line: string) => trace.tick(line);
    this.#simulation = new Simulation({ seed, windowBytes, onTask });
    const { clock } = this.#simulation;
    this.#coordination = new SimulatedCoordination({ clock, dice: dice.fork("coordination"), lostAnswers: 0 });
    this.#ledger = new Ledger(trace, () => clock.now());
    const seats = Array.from({ length: dice.between(2, 4) }, () => anySeat);
    const plan: Plan = {
      ...{ seed, seats, kept: [], windowBytes, highWaterBytes: 1024 * 1024, hostQueue: undefined },
      ...{ actions: [], lastToStop: "workers", callsAtStop: [] },
    };
    this.#parts = { plan, simulation: this.#simulation, ledger: this.#ledger, plant: undefined };
  }

  async run(): Promise<StreamWorldReport> {
    try {
      await this.#play();
    } catch (error) {
      this.#ledger.breach("crash", error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    const { calls, streams, trace } = this.#ledger;
    const answered = calls.filter(({ outcome }) => outcome?.at === "answered").length;
    return {
      breaches: checkLedger(this.#ledger),
      lines: trace.lines ?? [],
      figures: {
        ...{ streams: streams.read.length, chunks: streams.read.reduce((sum, { chunks }) => sum + chunks.length, 0) },
        ...{ answered, failed: calls.length - answered, faults: this.#faults },
      },
    };
  }

  async #play(): Promise<void> {
    const { plan } = this.#parts;
    const names = Array.from({ length: this.#dice.between(2, 3) }, (_, index) => `h${index}`);
    // All lines are there before the hosts listen.
    for (const name of [...names, ...plan.seats.map((_, index) => `w${index}`)]) this.#simulation.line(name).resume();
    for (const name of names) await this.#within("a host starts", this.#startHost(name));
    for (const index of plan.seats.keys()) await this.#within("a worker starts", this.#startWorker(index));
    if (!this.#isCalm) this.#ledger.disturb("host");
    const { clock } = this.#simulation;
    let left = 0;
    const at = (act: () => void): void => {
      left += 1;
      clock.setTimer(this.#dice.between(0, spanMs), () => {
        left -= 1;
        act();
      });
    };
    for (let calls = this.#dice.between(6, 24); calls > 0; calls -= 1) at(() => this.#call());
    if (!this.#isCalm) for (let faults = this.#dice.between(1, 5); faults > 0; faults -= 1) at(() => this.#break());
    await this.#until("all calls have ended", () => left === 0 && this.#ledger.openCalls === 0);
    await this.#sleep(callTimeoutMs + 5_000);
    await this.#until("nested calls have ended", () => this.#ledger.openCalls === 0);
    this.#checkRest();
    this.#ledger.endStory();
    await this.#within("the workers stop", Promise.all(this.#workers.map(({ worker }) => worker.stop())));
    await this.#within("the hosts stop", Promise.all(this.#hosts.map(({ host }) => host.stop({ graceMs: 100 }))));
  }

  async #startHost(name: string): Promise<void> {
    const process = this.#simulation.process(name, name);
    const listenings: Listening[] = [];
    const listener: Listener = {
      listen: async (address, services) => {
        const listening = await this.#simulation.listener.listen(address, services);
        listenings.push(listening);
        return listening;
      },
    };
    const { clock, makeId, dialer } = process;
    const dice = this.#simulation.dice.fork(name);
    const cluster: HostOptions["cluster"] = {
      ...{ store: this.#coordination.client(name, clock), peerAddress: `${name}:8000`, balanceWorkers: false },
      transport: { dialer, listener, isMutual: true },
    };
    const random = () => dice.next();
    const options = { clock, makeId, random, callTimeoutMs, logger: silentLogger, cluster };
    const host = new Host({ listener, address: `${name}:7000` }, options);
    this.#hosts.push({ name, process, host, listenings });
    await host.start();
  }

  async #startWorker(index: number): Promise<void> {
    const name = `w${index}`;
    const { ledger } = this.#parts;
    const process = this.#simulation.process(`${name}#1`, name);
    const addresses = this.#hosts.map((one) => `${one.name}:7000`);
    const first = index % addresses.length;
    const dice = this.#simulation.dice.fork(process.name);
    const { clock, makeId } = process;
    const worker = new WorkerRuntime({
      ...{ clock, makeId, logger: silentLogger, drainTimeoutMs: 200, startTimeoutMs: 30_000, halfCloseWaitMs: 300 },
      ...{ random: () => dice.next(), reconnect: { maxDelayMs: 1_000 }, defaultTimeoutMs: Number.POSITIVE_INFINITY },
      dialer: tapped(process.dialer, process.name, ledger),
      address: [...addresses.slice(first), ...addresses.slice(0, first)],
    });
    worker.addMessageSerializer([Task, Done, News, Parts, Part, Ping]);
    await worker.registerFactory(
      `type-${index}`,
      () => new SimulatedAgent({ ...this.#parts, seat: index, process }, false),
    );
    this.#workers.push({ name, process, worker });
    await worker.start();
  }

  #call(): void {
    const seat = this.#dice.between(0, this.#workers.length - 1);
    const one = this.#workers[seat];
    if (one === undefined || !one.process.isAlive) return;
    const parts = { ...this.#parts, seat, process: one.process };
    const origin = { sender: undefined, context: undefined, call: undefined, run: undefined };
    void makeCall(parts, one.worker, this.#drawCall(1), origin);
  }

  #drawCall(depth: number): PlannedCall {
    const dice = this.#dice;
    const nested = depth > 0 && dice.chance(0.3) ? [this.#drawCall(depth - 1)] : [];
    return {
      ...{ target: dice.between(0, this.#parts.plan.seats.length - 1), key: dice.pick(["a", "b"]) },
      timeoutMs: dice.chance(0.2) ? dice.between(1, 3_000) : undefined,
      abortAfterMs: dice.chance(0.15) ? dice.between(0, 1_000) : undefined,
      inheritsSignal: dice.chance(0.3),
      behaviour: {
        ...{ delayMs: dice.chance(0.7) ? 0 : dice.between(1, 500), nested, publishes: [] },
        ends: dice.chance(0.85) ? "answers" : "throws",
      },
      stream: dice.chance(0.85) ? drawStream(dice) : undefined,
    };
  }

  #break(): void {
    const dice = this.#dice;
    this.#faults += 1;
    const host = dice.pick(this.#hosts);
    const seat = dice.pick(this.#workers);
    const draw = dice.next();
    this.#ledger.trace.note(`-- a fault ${draw.toFixed(2)} at ${host.name} or ${seat.name}`);
    if (draw < 0.35) this.#simulation.line(host.name).cut();
    else if (draw < 0.55) this.#simulation.line(seat.name).cut();
    else if (draw < 0.75) this.#stall(draw < 0.65 ? host.name : seat.name);
    else if (draw < 0.9) this.#killWorker(seat);
    else this.#killHost(host);
  }

  #stall(name: string): void {
    const line = this.#simulation.line(name);
    line.stall();
    this.#simulation.clock.setTimer(this.#dice.between(50, 12_000), () => line.resume());
  }

  #killWorker({ name, process }: WorkerSeat): void {
    if (this.#workers.length === 1) return;
    this.#simulation.line(name).cut();
    process.kill();
    const index = this.#workers.findIndex((one) => one.name === name);
    this.#workers.splice(index, 1);
  }

  #killHost(seat: HostSeat): void {
    if (this.#hosts.length === 1) return;
    this.#hosts.splice(this.#hosts.indexOf(seat), 1);
    seat.process.kill();
    for (const line of this.#simulation.lines) line.network.cut(`${seat.name}:7000`);
    for (const line of this.#simulation.lines) line.network.cut(`${seat.name}:8000`);
    for (const listening of seat.listenings) void listening.close(0);
  }

  #checkRest(): void {
    for (const { process, worker } of this.#workers) {
      const { pendingCallsCount } = worker;
      if (pendingCallsCount > 0)
        this.#ledger.breach("leftovers", `${process.name} has ${pendingCallsCount} calls at rest`);
    }
    for (const { name, host } of this.#hosts) {
      const { pendingCalls } = host.counters();
      if (pendingCalls > 0) this.#ledger.breach("leftovers", `${name} has ${pendingCalls} pending calls at rest`);
    }
  }

  async #sleep(ms: number): Promise<void> {
    let isOver = false;
    this.#simulation.clock.setTimer(ms, () => {
      isOver = true;
    });
    await this.#until("a while has passed", () => isOver);
  }

  async #within(what: string, promise: Promise<unknown>): Promise<void> {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    promise.then(settle, settle);
    await this.#until(what, () => isSettled);
    await promise;
  }

  async #until(what: string, condition: () => boolean): Promise<void> {
    const { clock } = this.#simulation;
    const giveUpMs = clock.now() + restMs;
    await this.#simulation.settle();
    for (let steps = 0; !condition(); steps += 1) {
      const isStuck = !(await this.#simulation.step()) && !condition();
      if (isStuck || clock.now() > giveUpMs || steps > maxSteps) throw new Error(`It never came to pass: ${what}.`);
    }
  }
}
