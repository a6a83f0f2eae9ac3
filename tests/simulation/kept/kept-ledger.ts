import type { DeactivationReason } from "../../../src/core/index.ts";
import type { Commit, Epoch } from "../../../src/core/internal.ts";
import type { DrainOutcome } from "../../../src/host/index.ts";
import type { CommittedOutcome, SimulatedProcess } from "../../../src/testing/index.ts";
import type { CallRecord } from "../ledger.ts";
import type { PlannedTell } from "./plan.ts";

/** One activation of a persistent agent. Its moments: when `onActivate` ended, and when `onDeactivate` began. */
export interface Activation {
  readonly name: string;
  readonly process: SimulatedProcess;
  readonly madeAt: number;
  agent: string;
  activatedAt: number | undefined;
  deactivatedAt: number | undefined;
  reason: DeactivationReason | undefined;
}

/** One run of a handler of a persistent agent. */
export interface Turn {
  /** What it handles: a call, an event, a told message or a tick, by name. */
  readonly cause: string;
  /** What it writes into the state: the cause, and which run it is. */
  readonly token: string;
  readonly agent: string;
  readonly activation: Activation;
  readonly call: CallRecord | undefined;
  readonly isReading: boolean;
  readonly begunAt: number;
  readonly begunMs: number;
  endedAt: number;
  endedMs: number;
  ended: "well" | "badly" | undefined;
  /** It has asked to be saved in the middle. */
  hasSaved: boolean;
  /** Events, told messages and reminders by name. */
  readonly effects: string[];
  /** Places whose reminders it cancels, and when. */
  readonly cancels: { readonly place: string; readonly at: number }[];
  destroys: boolean;
}

/** A told message. */
export interface TellRecord {
  readonly name: string;
  readonly plan: PlannedTell;
  readonly agent: string;
  /** The turn that told it; undefined: a program did. */
  readonly turn: Turn | undefined;
  readonly toldAt: number;
  /** `kept`: it was kept for certain; of an effect that depends on its turn. */
  outcome: "kept" | "unsure" | undefined;
  failed: number;
}

/** A reminder that a turn has set. */
export interface ReminderRecord {
  readonly name: string;
  readonly agent: string;
  readonly place: string;
  readonly turn: Turn;
  readonly setAt: number;
  readonly dueMs: number;
  readonly everyMs: number | undefined;
}

/** An operator drains a worker. */
export interface DrainRecord {
  readonly name: string;
  readonly seat: number;
  readonly process: SimulatedProcess;
  /** The host that was asked. Undefined: none was there. */
  readonly host: SimulatedProcess | undefined;
  readonly graceMs: number;
  readonly beganAt: number;
  readonly beganMs: number;
  outcome: DrainOutcome | undefined;
  endedAt: number;
  endedMs: number;
}

/** A program destroys an agent. */
export interface DestroyRecord {
  readonly agent: string;
  readonly askedAt: number;
  endedAt: number;
}

/** One commit that has happened, as the store knows it. */
export interface Written {
  readonly agent: string;
  readonly at: number;
  readonly ms: number;
  readonly write: "put" | "delete" | "keep";
  readonly eTag: string;
  readonly revision: number;
  readonly epoch: Epoch | undefined;
  /** The list of a state that was put. */
  readonly list: readonly string[];
  readonly isStock: boolean;
}

export interface KeptLedgerParts {
  readonly moment: () => number;
  readonly now: () => number;
  readonly note: (text: string) => void;
}

/** What happens to persistent agents, in the moments of the world's ledger. */
export class KeptLedger {
  readonly activations: Activation[] = [];
  readonly turns: Turn[] = [];
  readonly tells: TellRecord[] = [];
  readonly reminders: ReminderRecord[] = [];
  /** All commits by agent. */
  readonly written = new Map<string, Written[]>();
  /** Lines that stock clients have saved, and whether they know it. */
  readonly stockSaves: { readonly agent: string; readonly line: string; isSaved: boolean }[] = [];
  readonly drains: DrainRecord[] = [];
  readonly destroys: DestroyRecord[] = [];
  /** When the worker of a process began a run. */
  readonly starts: { readonly process: SimulatedProcess; readonly at: number }[] = [];
  /** Told messages that became dead letters, with the reason. */
  readonly deadLetters: string[] = [];
  /** Agent types whose durable subscription a host has confirmed. */
  readonly durableTypes = new Set<string>();
  /** Called when a commit has happened. */
  onWritten: (written: Written) => void = () => undefined;
  readonly #parts: KeptLedgerParts;
  readonly #tellsByName = new Map<string, TellRecord>();
  readonly #remindersByName = new Map<string, ReminderRecord>();

  constructor(parts: KeptLedgerParts) {
    this.#parts = parts;
  }

  openActivation(process: SimulatedProcess): Activation {
    const name = `${process.name}/${this.activations.length}`;
    const activation: Activation = {
      ...{ name, process, madeAt: this.#parts.moment(), agent: "" },
      ...{ activatedAt: undefined, deactivatedAt: undefined, reason: undefined },
    };
    this.activations.push(activation);
    return activation;
  }

  openTurn(details: Pick<Turn, "cause" | "agent" | "activation" | "call" | "isReading">): Turn {
    const token = `${details.cause}@${this.turns.length}`;
    const turn: Turn = {
      ...{ ...details, token, begunAt: this.#parts.moment(), begunMs: this.#parts.now() },
      ...{ endedAt: Number.POSITIVE_INFINITY, endedMs: Number.POSITIVE_INFINITY, ended: undefined, hasSaved: false },
      ...{ effects: [], cancels: [], destroys: false },
    };
    this.turns.push(turn);
    this.#parts.note(`${details.activation.name} ${turn.agent} handles ${token}`);
    return turn;
  }

  closeTurn(turn: Turn, ended: "well" | "badly"): void {
    turn.ended = ended;
    turn.endedAt = this.#parts.moment();
    turn.endedMs = this.#parts.now();
    this.#parts.note(`${turn.token} ends ${ended}`);
  }

  openTell(details: Pick<TellRecord, "plan" | "agent" | "turn">): TellRecord {
    const name = `t${this.tells.length}`;
    const record: TellRecord = { ...details, name, toldAt: this.#parts.moment(), outcome: undefined, failed: 0 };
    this.tells.push(record);
    this.#tellsByName.set(name, record);
    details.turn?.effects.push(name);
    this.#parts.note(`${details.turn?.token ?? "a program"} tells ${record.agent} ${name}`);
    return record;
  }

  openReminder(details: Omit<ReminderRecord, "name" | "setAt">): ReminderRecord {
    const record = { ...details, name: `r${this.reminders.length}`, setAt: this.#parts.moment() };
    this.reminders.push(record);
    this.#remindersByName.set(record.name, record);
    details.turn.effects.push(record.name);
    this.#parts.note(`${details.turn.token} sets ${record.name} in ${details.place} for ${details.dueMs}`);
    return record;
  }

  openDrain(details: Pick<DrainRecord, "seat" | "process" | "host" | "graceMs">): DrainRecord {
    const record: DrainRecord = {
      ...{ ...details, name: `the drain ${this.drains.length} of ${details.process.name}`, outcome: undefined },
      ...{ beganAt: this.#parts.moment(), beganMs: this.#parts.now() },
      ...{ endedAt: Number.POSITIVE_INFINITY, endedMs: Number.POSITIVE_INFINITY },
    };
    this.drains.push(record);
    return record;
  }

  closeDrain(record: DrainRecord, outcome: DrainOutcome): void {
    record.outcome = outcome;
    record.endedAt = this.#parts.moment();
    record.endedMs = this.#parts.now();
    this.#parts.note(`${record.name} ends: ${JSON.stringify(outcome)}`);
  }

  openDestroy(agent: string): DestroyRecord {
    const record: DestroyRecord = { agent, askedAt: this.#parts.moment(), endedAt: Number.POSITIVE_INFINITY };
    this.destroys.push(record);
    return record;
  }

  closeDestroy(record: DestroyRecord): void {
    record.endedAt = this.#parts.moment();
  }

  /** The worker of a process begins a run. */
  start(process: SimulatedProcess): void {
    this.starts.push({ process, at: this.#parts.moment() });
  }

  tellNamed(name: string): TellRecord | undefined {
    return this.#tellsByName.get(name);
  }

  reminderNamed(name: string): ReminderRecord | undefined {
    return this.#remindersByName.get(name);
  }

  /** Activations of a type that have begun and not ended in a process. */
  liveIn(process: SimulatedProcess | undefined, type: string): readonly Activation[] {
    return this.activations.filter((one) => {
      const hasBegun = one.process === process && one.activatedAt !== undefined && one.agent.startsWith(`${type}/`);
      return hasBegun && one.deactivatedAt === undefined;
    });
  }

  /** Whether a program other than the agent has written its state. */
  hasOtherWriters(agent: string): boolean {
    return this.written.get(agent)?.some(({ isStock, write }) => isStock || write === "delete") === true;
  }

  /**
   * Whether turns of an agent that were nested may have changed the state together, so that the call's turn had to fail: one of them failed
   * and took the changes of others along, or the turn asked to be saved meanwhile.
   */
  mayHaveMixed(call: CallRecord): boolean {
    const writing = this.turns.filter(({ isReading }) => !isReading);
    return writing.some((turn) => {
      if (turn.call !== call) return false;
      const others = writing.filter((one) => one !== turn && one.activation === turn.activation);
      const beside = others.filter(({ begunAt, endedAt }) => begunAt < call.endedAt && endedAt > turn.begunAt);
      const since = Math.min(...[turn, ...beside].map(({ begunAt }) => begunAt));
      const failed = others.some((one) => one.ended === "badly" && one.begunAt > since && one.begunAt < call.endedAt);
      return failed || (turn.hasSaved && beside.length > 0);
    });
  }

  /** Writes down a commit. */
  write({ agent: { type, key }, write, epoch }: Commit, { eTag, revision }: CommittedOutcome): void {
    const agent = `${type}/${key}`;
    const list = write.at === "put" ? listOf(write.data) : [];
    const isStock = write.at === "put" && epoch === undefined;
    const written: Written = {
      ...{
        agent,
        at: this.#parts.moment(),
        ms: this.#parts.now(),
        write: write.at,
        eTag,
        revision,
        epoch,
        list,
        isStock,
      },
    };
    this.written.set(agent, [...(this.written.get(agent) ?? []), written]);
    this.#parts.note(`store: ${write.at} ${agent} ${revision} [${list.slice(-3).join(" ")}]`);
    this.onWritten(written);
  }
}

/** The list in the bytes of a state. */
export function listOf(data: Uint8Array): readonly string[] {
  const state: unknown = JSON.parse(new TextDecoder().decode(data));
  if (typeof state !== "object" || state === null || !("list" in state) || !Array.isArray(state.list)) return [];
  return state.list.map(String);
}
