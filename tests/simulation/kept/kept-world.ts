import { AgentId } from "../../../src/core/index.ts";
import { SimulatedStateStore } from "../../../src/testing/index.ts";
import type { HostSeat } from "../host-seat.ts";
import type { WorkerSeat } from "../worker-seat.ts";
import type { WorldParts } from "../world-parts.ts";
import { keptType, topicOfTells } from "./kept-agent.ts";
import { Note } from "./messages.ts";
import type { KeptFault, KeptWork, PlannedTell, WorkOnAgent } from "./plan.ts";
import { stockSave } from "./stock-client.ts";

export interface KeptWorldParts extends WorldParts {
  readonly host: () => HostSeat;
  readonly seats: () => readonly WorkerSeat[];
}

/** The store of a world, the work on persistent agents, and the faults that concern them. */
export class KeptWorld {
  readonly store: SimulatedStateStore;
  readonly #parts: KeptWorldParts;
  /** Seats whose worker is killed when the store has written for one of its agents. */
  readonly #doomed = new Set<{ readonly seat: WorkerSeat; readonly killed: () => void }>();
  /** Faults of the store that last, and how often the last of them has ended. */
  #faults = 0;
  #mends = 0;

  constructor(parts: KeptWorldParts) {
    const { simulation, ledger } = parts;
    this.#parts = parts;
    this.store = new SimulatedStateStore({
      clock: simulation.clock,
      dice: simulation.dice.fork("store"),
      onCommitted: (commit, outcome) => ledger.kept.write(commit, outcome),
    });
    ledger.kept.onWritten = ({ agent }) => this.#killDoomed(agent);
  }

  async work(action: KeptWork): Promise<void> {
    const seat = this.#seat(action.seat);
    if (action.do === "tell") return this.#tell(seat, action.tell);
    return this.#onAgent(action, seat);
  }

  async #onAgent(action: WorkOnAgent, { present }: WorkerSeat): Promise<void> {
    if (present === undefined) return;
    const { process, worker } = present;
    const { ledger, simulation } = this.#parts;
    const id = new AgentId(keptType(action.type), action.key);
    const name = `${process.name} ${action.do} ${id}`;
    switch (action.do) {
      case "deactivate":
        return ledger.follow(name, process, worker.deactivateAgent(id)).catch(() => undefined);
      case "destroy": {
        const destroy = ledger.kept.openDestroy(id.toString());
        const destroyed = worker.destroyAgent(id).finally(() => ledger.kept.closeDestroy(destroy));
        return ledger.follow(name, process, destroyed).catch(() => undefined);
      }
      case "stock-save": {
        const saved = stockSave({
          dialer: process.dialer,
          address: this.#parts.host().address,
          id,
          ledger,
          simulation,
        });
        return ledger.follow(name, process, saved).catch(() => undefined);
      }
    }
  }

  async break(fault: KeptFault): Promise<void> {
    const { ledger } = this.#parts;
    switch (fault.do) {
      case "slow-store":
      case "full-store":
      case "lost-store":
        ledger.disturb("store");
        this.#faults += 1;
        this.store.break(fault.do === "slow-store" ? "slow" : fault.do === "full-store" ? "full" : "lost");
        await this.#sleep(fault.forMs);
        this.#faults -= 1;
        if (this.#faults > 0) return;
        this.store.mend();
        this.#mends += 1;
        return this.#recoverStore(this.#mends);
      case "power-loss": {
        const seats = this.#parts.seats();
        const down = this.#parts.host().kill();
        for (const seat of seats) seat.kill();
        await down;
        await this.#sleep(fault.downMs);
        await this.#parts.host().start();
        for (const seat of seats) if (seat.present === undefined) await seat.occupy();
        return;
      }
      case "second-host":
        return this.#parts.host().replace(fault.ends, async () => {
          for (const index of fault.cuts) {
            const seat = this.#seat(index);
            seat.disturb();
            seat.line.cut();
          }
          await this.#sleep(fault.overlapMs);
        });
      case "stale-worker": {
        const seat = this.#seat(fault.seat);
        seat.loseBehind(fault.lateMs);
        await this.#sleep(fault.lateMs);
        return seat.notice();
      }
      case "drain-worker":
        return this.#drain(this.#seat(fault.seat), fault.graceMs);
      case "change-connection":
        return this.#seat(fault.seat).changeConnection();
      case "late-host": {
        const [seat, host] = [this.#seat(fault.seat), this.#parts.host()];
        seat.disturb();
        host.hearLate(fault.lateMs);
        seat.line.cut();
        await this.#sleep(fault.lateMs);
        host.hearLate(0);
        // The last loss that it hears of late.
        await this.#sleep(fault.lateMs);
        return seat.disturb();
      }
      case "crash-at-commit":
        return this.#crashAtCommit(this.#seat(fault.seat), fault.downMs);
    }
  }

  /** The store is well when what it was asked before is answered. After another fault meanwhile that takes its time again. */
  async #recoverStore(mend: number): Promise<void> {
    await this.#sleep(2_000);
    if (this.#faults === 0 && this.#mends === mend) this.#parts.ledger.recover("store");
  }

  /** Asks the store what is left to be delivered. */
  async leftToDeliver(): Promise<number> {
    const { mail, reminders } = await this.store.data.stats();
    return mail + reminders;
  }

  /** Writes down which messages became dead letters. */
  async readDeadLetters(): Promise<void> {
    const { letters } = (await this.store.data.log?.deadLetters({ limit: 1_000 })) ?? { letters: [] };
    const { deadLetters } = this.#parts.ledger.kept;
    for (const { mailbox, why, frame } of letters) {
      const [, name = "unknown"] = /"(?:told|reminder)": ?"(\w+)"/.exec(Buffer.from(frame).toString("latin1")) ?? [];
      deadLetters.push(`${name} to ${mailbox.type}/${mailbox.key}: ${why.code} ${why.text}`);
    }
  }

  async #tell(seat: WorkerSeat, plan: PlannedTell): Promise<void> {
    if (seat.present === undefined) return;
    const { process, worker } = seat.present;
    const { ledger } = this.#parts;
    const recipient = new AgentId(keptType(plan.type), plan.key);
    const record = ledger.kept.openTell({ plan, agent: recipient.toString(), turn: undefined });
    // A host keeps messages for the agents of its workers only.
    const [note, sender] = [Note({ told: record.name }), seat.id("news")];
    const told = ledger.kept.durableTypes.has(recipient.type)
      ? worker.publishMessage(note, topicOfTells(recipient), { sender, delivery: "durable" })
      : worker.tell(note, recipient, { sender });
    await ledger.follow(`${process.name} tells ${record.name}`, process, told).then(
      () => {
        record.outcome = "kept";
      },
      () => {
        record.outcome = "unsure";
      },
    );
  }

  async #drain(seat: WorkerSeat, graceMs: number): Promise<void> {
    if (seat.present === undefined) return;
    const { process } = seat.present;
    const { ledger, simulation } = this.#parts;
    seat.disturbOwn();
    const host = this.#parts.host();
    const record = ledger.kept.openDrain({ seat: seat.index, process, host: host.process, graceMs });
    const outcome = await host.drainWorker(seat.agentType, graceMs);
    if (outcome !== undefined) ledger.kept.closeDrain(record, outcome);
    // Calls of those that are taken from their worker fail there.
    if (outcome?.at === "drained" && outcome.revokedAgents > 0) seat.disturb();
    // So do calls of a worker that holds agents when its time is over. It keeps to the time that it has heard of first.
    const nowMs = simulation.clock.now();
    const isOver = ledger.kept.drains.some((one) => one.process === process && one.beganMs + one.graceMs <= nowMs);
    if (outcome?.at === "gone" && isOver) seat.disturb();
  }

  async #crashAtCommit(seat: WorkerSeat, downMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const entry = { seat, killed: resolve };
      this.#doomed.add(entry);
      this.#parts.simulation.clock.setTimer(2_000, () => {
        this.#doomed.delete(entry);
        resolve();
      });
    });
    if (seat.present !== undefined) return;
    await this.#sleep(downMs);
    if (seat.present === undefined) await seat.occupy();
  }

  #killDoomed(agent: string): void {
    for (const entry of this.#doomed) {
      const { seat, killed } = entry;
      const serves = this.#parts.plan.kept.some(
        ({ seats }, index) => seats.includes(seat.index) && agent.startsWith(`${keptType(index)}/`),
      );
      if (!serves || seat.present === undefined) continue;
      this.#doomed.delete(entry);
      seat.kill();
      killed();
    }
  }

  #seat(index: number): WorkerSeat {
    const seat = this.#parts.seats()[index];
    if (seat === undefined) throw new Error(`There is no seat ${index}.`);
    return seat;
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#parts.simulation.clock.setTimer(ms, resolve));
  }
}
