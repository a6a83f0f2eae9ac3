import {
  type ActivationContext,
  AgentId,
  type DeactivationReason,
  handlerTable,
  type MessageContext,
  persistentAgent,
  TopicId,
  type When,
} from "../../../src/core/index.ts";
import type { CallRecord, Run } from "../ledger.ts";
import { Done, News, type Part, Parts, Task } from "../messages.ts";
import { hasExactPath, isAbove, makeCall, publish, type SimulatedAgentParts } from "../simulated-agent.ts";
import { pourChunks } from "../streams.ts";
import type { Activation, Turn } from "./kept-ledger.ts";
import { Bell, Lines, Look, Note } from "./messages.ts";
import type { KeptBehaviour, PlannedReminder, PlannedTell } from "./plan.ts";

const periodicTicks = 3;

/** A persistent agent that does what the plan says, and keeps a line for each of its turns. */
export class KeptAgent extends persistentAgent(Lines) {
  static override readonly handlers = handlerTable<KeptAgent>()
    .rpc(Task, function ({ call }, context) {
      return this.call(call, context, false);
    })
    .rpc(Parts, async function* ({ call }, context) {
      yield* this.chunks(call);
      return await this.call(call, context, false);
    })
    .rpc(
      Look,
      function ({ call }, context) {
        return this.call(call, context, true);
      },
      { readOnly: true },
    )
    .rpc(Note, function ({ told }) {
      return this.told(told);
    })
    .rpc(Bell, function ({ reminder }, context) {
      return this.tick(reminder, context);
    })
    .event(Note, function ({ told }) {
      return this.told(told);
    })
    .event(News, function ({ event }, context) {
      return this.hear(event, context);
    });

  readonly #parts: SimulatedAgentParts;
  readonly #activation: Activation;
  readonly #running = new Set<Turn>();
  /** Calls whose handlers began with chunks: before what is written down as their turn. */
  readonly #poured = new Set<string>();

  constructor(parts: SimulatedAgentParts) {
    super("keeps a line for each turn");
    this.#parts = parts;
    this.#activation = parts.ledger.kept.openActivation(parts.process);
  }

  get seat(): number {
    return this.#parts.seat;
  }

  override onActivate(_context: ActivationContext): void {
    this.#activation.agent = this.id.toString();
    this.#activation.activatedAt = this.#parts.ledger.moment();
    this.#parts.ledger.trace.note(`${this.#activation.name} ${this.id} is active`);
  }

  override onDeactivate(reason: DeactivationReason): void {
    const { ledger, process } = this.#parts;
    const activation = this.#activation;
    if (!process.isAlive) return;
    const name = `${activation.name} ${this.id}`;
    if (activation.deactivatedAt !== undefined) ledger.breach("life", `${name} is deactivated twice`);
    activation.deactivatedAt = ledger.moment();
    activation.reason = reason;
    ledger.trace.note(`${name} ends: ${reason}`);
    const [running] = this.#running;
    if (running !== undefined && !endsTurns(reason))
      ledger.breach("life", `${name} is deactivated (${reason}) while it handles ${running.token}`);
  }

  async call(name: string, context: MessageContext, isReading: boolean) {
    const call = this.#parts.ledger.callNamed(name);
    if (call === undefined) throw new Error(`There is no call ${name}.`);
    return this.#turn({ cause: name, call, isReading }, (turn) => this.#handleCall(turn, call, context));
  }

  chunks(name: string): AsyncGenerator<ReturnType<typeof Part>, void, undefined> {
    const call = this.#parts.ledger.callNamed(name);
    if (call === undefined) throw new Error(`There is no call ${name}.`);
    this.#poured.add(name);
    return pourChunks(this.#parts, call, this.id.toString());
  }

  async told(name: string): Promise<void> {
    const record = this.#parts.ledger.kept.tellNamed(name);
    if (record === undefined) throw new Error(`Nobody has told ${name}.`);
    await this.#turn({ cause: name, call: undefined, isReading: false }, async (turn) => {
      for (const tell of record.plan.tells) await this.#tell(turn, tell);
      if (record.failed < record.plan.failures) {
        record.failed += 1;
        throw new Error(`${name} fails`);
      }
    });
  }

  async tick(name: string, { reminder }: MessageContext): Promise<void> {
    const { ledger, simulation } = this.#parts;
    const record = ledger.kept.reminderNamed(name);
    if (record === undefined || reminder === undefined) throw new Error(`${name} is no reminder.`);
    const dueMs = reminder.dueAt.getTime();
    const isEarly = simulation.clock.now() < dueMs || dueMs < record.dueMs;
    if (isEarly) ledger.breach("reminders", `${name} of ${this.id} fires before its time, which is ${record.dueMs}`);
    await this.#turn({ cause: `${name}.${dueMs}`, call: undefined, isReading: false }, async (turn) => {
      if (record.everyMs === undefined || reminder.tick < periodicTicks) return;
      turn.cancels.push({ place: record.place, at: ledger.moment() });
      await this.cancelReminder(record.place);
    });
  }

  async hear(name: string, context: MessageContext): Promise<void> {
    const event = this.#parts.ledger.eventNamed(name);
    const { ledger } = this.#parts;
    if (event === undefined) return ledger.breach("events", `${this.id} was handed an event that nobody published`);
    if (context.topicId?.type !== event.topic) ledger.breach("events", `${name} came under topic ${context.topicId}`);
    event.keptReceipts.push(this.id.toString());
    await this.#turn({ cause: name, call: undefined, isReading: false }, () => this.#sleep(3));
  }

  async #handleCall(turn: Turn, call: CallRecord, context: MessageContext) {
    const { delayMs, nested, publishes, ends, kept } = call.plan.behaviour;
    const { simulation } = this.#parts;
    const run: Run = {
      ...{ token: turn.token, agent: turn.agent, process: turn.activation.process.name, begunMs: turn.begunMs },
      ...{ ended: undefined, endedMs: Number.POSITIVE_INFINITY, told: undefined },
    };
    call.runs.push(run);
    try {
      if (delayMs > 0) await this.#sleep(delayMs);
      for (const topic of publishes)
        await publish(this.#parts, (news, topicId) => this.publishMessage(news, topicId), {
          topic,
          sender: this.id,
          turn,
        });
      if (kept !== undefined) await this.#effects(turn, kept);
      for (const plan of nested)
        await makeCall(this.#parts, this.runtime, plan, { sender: this.id, context, call, run });
      if (ends === "throws") throw new Error(`${call.name} was thrown at`);
      run.ended = "answered";
      return Done({ call: call.name, by: this.id.toString(), token: turn.token });
    } catch (error) {
      run.ended = "threw";
      throw error;
    } finally {
      run.endedMs = simulation.clock.now();
    }
  }

  async #effects(turn: Turn, { saves, tells, reminders, cancels, destroys }: KeptBehaviour): Promise<void> {
    const { ledger, simulation } = this.#parts;
    if (saves) {
      turn.hasSaved = true;
      await this.saveNow();
    }
    for (const tell of tells) await this.#tell(turn, tell);
    for (const { place, afterMs, everyMs, cronSeconds } of reminders) {
      const nowMs = simulation.clock.now();
      const dueMs = cronSeconds === undefined ? nowMs + (everyMs ?? afterMs) : nextMs(nowMs, cronSeconds * 1_000);
      const { name } = ledger.kept.openReminder({ agent: this.id.toString(), place, turn, dueMs, everyMs });
      await this.remindMe(place, whenOf({ afterMs, everyMs, cronSeconds }), Bell({ reminder: name }));
    }
    for (const place of cancels) {
      turn.cancels.push({ place, at: ledger.moment() });
      await this.cancelReminder(place);
    }
    if (!destroys) return;
    turn.destroys = true;
    this.destroySelf();
  }

  async #tell(turn: Turn, plan: PlannedTell): Promise<void> {
    const recipient = new AgentId(keptType(plan.type), plan.key);
    const record = this.#parts.ledger.kept.openTell({ plan, agent: recipient.toString(), turn });
    const note = Note({ told: record.name });
    // An agent does not get its own events.
    const isByEvent = this.#parts.ledger.kept.durableTypes.has(recipient.type) && !recipient.equals(this.id);
    if (isByEvent) await this.publishMessage(note, topicOfTells(recipient), { delivery: "durable" });
    else await this.tell(note, recipient);
  }

  async #turn<T>(details: Pick<Turn, "cause" | "call" | "isReading">, body: (turn: Turn) => Promise<T>): Promise<T> {
    const { ledger } = this.#parts;
    const activation = this.#activation;
    const turn = ledger.kept.openTurn({ ...details, agent: this.id.toString(), activation });
    if (activation.activatedAt === undefined) ledger.breach("life", `${turn.token} begins before onActivate has ended`);
    const hasBegun = this.#poured.has(details.cause) && endsTurns(activation.reason);
    if (activation.deactivatedAt !== undefined && !hasBegun)
      ledger.breach("life", `${turn.token} begins after onDeactivate has begun`);
    this.#checkBeside(turn);
    this.#running.add(turn);
    try {
      if (!turn.isReading) this.state.list.push(turn.token);
      const answer = await body(turn);
      ledger.kept.closeTurn(turn, "well");
      return answer;
    } catch (error) {
      ledger.kept.closeTurn(turn, "badly");
      throw error;
    } finally {
      this.#running.delete(turn);
    }
  }

  /** Turns of one activation are nested, or only read. */
  #checkBeside(turn: Turn): void {
    if (!hasExactPath(turn.call)) return;
    for (const other of this.#running) {
      if ((other.isReading && turn.isReading) || (other.call !== undefined && isAbove(other.call, turn.call))) continue;
      this.#parts.ledger.breach("turns", `${this.id} handles ${turn.token} beside ${other.token}`);
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#parts.simulation.clock.setTimer(ms, resolve));
  }
}

function whenOf({ afterMs, everyMs, cronSeconds }: Omit<PlannedReminder, "place">): When {
  if (cronSeconds !== undefined) return { cron: `*/${cronSeconds} * * * * *`, timeZone: "UTC" };
  return everyMs === undefined ? { after: afterMs } : { every: everyMs };
}

/** The first multiple of the period after that time. */
function nextMs(nowMs: number, periodMs: number): number {
  return (Math.floor(nowMs / periodMs) + 1) * periodMs;
}

/** Whether an activation may end so while a handler still runs, which writes nothing any more. */
export function endsTurns(reason: DeactivationReason | undefined): boolean {
  return reason === "stale" || reason === "shutting-down" || reason === "draining" || reason === "moved";
}

/** The topic on which a type with a durable subscription hears what its agents are told. */
export function topicOfTells({ type, key }: AgentId): TopicId {
  return new TopicId(`told-${type}`, key);
}

export function keptType(index: number): string {
  return `kept-${index}`;
}
