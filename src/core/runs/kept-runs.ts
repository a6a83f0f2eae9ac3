import type { AgentId } from "../agents/agent-id.ts";
import type { Clock } from "../clock.ts";
import type { AgentRunKeeper, AgentRuns } from "../delivery/states/agent-runs.ts";
import { CancelledError, TimedOutError, TroupeError, UndeliverableException } from "../errors.ts";
import type { KeptOutcome } from "../state/state-keeper.ts";
import type { ReminderChange } from "../state/state-store.ts";
import type { RunCreation, RunPage as StoredPage, StoredRun } from "../state/stored-runs.ts";
import type { EncodedText } from "./encoded-text.ts";
import { endOf } from "./run-end.ts";
import type { RunLog, RunStart } from "./run-log.ts";
import type { RunStatusFields } from "./run-messages.ts";
import { statusOf } from "./run-reading.ts";
import type { RunTable } from "./run-table.ts";
import { RunWriter } from "./run-writer.ts";
import { decodeChunk, decodeOutcome, decodeStart, encodeStart, type StoredStart } from "./stored-form.ts";

/** A run that is to begin. */
export interface KeptBeginning extends StoredStart {
  readonly log: RunLog;
  readonly writer: RunWriter;
  readonly depth: number;
  /** Milliseconds that are left of its time. Undefined: it has no limit. */
  readonly leftMs: number | undefined;
  /** The run as it is stored, if its agent continues it. */
  readonly takenOver?: StoredRun | undefined;
}

export interface KeptRunsParts {
  readonly keeper: AgentRunKeeper;
  readonly table: RunTable;
  readonly clock: Clock;
  /** Whether the runtime stops: no run continues here. */
  readonly isStopping: () => boolean;
  /** The reminder that asks an agent for its unfinished runs. Undefined: nothing here fires reminders. */
  readonly reminderOf: (agent: AgentId, isSet: boolean) => ReminderChange | undefined;
  /** Checks the answer of a run and encodes it. */
  readonly encodeAnswer: (log: RunLog, answer: unknown) => EncodedText;
  /** Gives the message of a run to its agent. */
  readonly begin: (beginning: KeptBeginning) => void;
}

/** Workers in a row that continue a run. The one that began it comes before them. */
const mostTakeovers = 5;
/** Bytes of a page of a stored run. */
const pageBytes = 256 * 1024;

/** The runs of persistent agents: those that work here, and those that a store keeps for the next worker. */
export class KeptRuns {
  readonly #parts: KeptRunsParts;
  readonly #writers = new WeakMap<RunLog, RunWriter>();
  /** Runs that are created or read just now, by agent and id. */
  readonly #pending = new Map<string, Promise<RunLog | undefined>>();
  /** Agents that are being destroyed. */
  readonly #destroying = new Map<string, Promise<void>>();

  constructor(parts: KeptRunsParts) {
    this.#parts = parts;
  }

  writerOf(log: RunLog): RunWriter | undefined {
    return this.#writers.get(log);
  }

  /** Finds a run. If it works and no worker has it, it begins here, or it ends. */
  async find(agent: AgentId, id: string): Promise<RunLog | undefined> {
    return this.#parts.table.get(agent, id) ?? this.#once(agent, id, () => this.#load(agent, id));
  }

  /** Begins a run when it is kept. Undefined: its id is not free. */
  async create(
    start: RunStart,
    stored: StoredStart,
    limits: Pick<RunCreation, "depth" | "deadlineMs">,
  ): Promise<RunLog | undefined> {
    const { agentId, id } = start;
    let created: RunLog | undefined;
    const create = async () => {
      created = await this.#create(start, stored, limits);
      return created;
    };
    await this.#once(agentId, id, create);
    return created;
  }

  /** Begins or ends the unfinished runs of an agent that no worker has. If none is left, it is not asked for them again. */
  async continueAll(agent: AgentId): Promise<void> {
    const runs = this.#parts.keeper.of(agent);
    const here = [...this.#parts.table.of(agent)].filter((log) => this.#isOpen(log));
    const working = await this.#listed(runs, "working");
    this.#closeEnded(here, working);
    for (const { id } of working) await this.find(agent, id);
    const cancel = this.#parts.reminderOf(agent, false);
    if (working.length === 0 && cancel !== undefined && !this.#works(agent)) await runs.commit([], [cancel]);
  }

  /** Whether a run was created, works here, and nothing ends it yet. */
  #isOpen(log: RunLog): boolean {
    const { agentId, id } = log.start;
    return this.#writers.get(log)?.isOpen === true && !this.#pending.has(`${agentId.toString()} ${id}`);
  }

  /** Lets go of runs that work here, and have ended in the store: an operator has cancelled them. */
  #closeEnded(here: readonly RunLog[], working: readonly StoredRun[]): void {
    if (here.length === 0) return;
    const ids = new Set(working.map(({ id }) => id));
    for (const log of here) if (!ids.has(log.start.id) && this.#isOpen(log)) this.#writers.get(log)?.close();
  }

  /** Lists the runs of an agent, the oldest first. `isWanted`: which. */
  async list(agent: AgentId, isWanted: (run: StoredRun) => boolean): Promise<readonly StoredRun[]> {
    const all = await this.#listed(this.#parts.keeper.of(agent), undefined);
    return all.filter(isWanted).sort((a, b) => a.startedAtMs - b.startedAtMs || (a.id < b.id ? -1 : 1));
  }

  /** Returns the status of a listed run. One that works is told as its worker has it. */
  async statusOf(agent: AgentId, run: StoredRun): Promise<RunStatusFields> {
    const log =
      this.#parts.table.get(agent, run.id) ?? (run.status === "working" ? await this.find(agent, run.id) : undefined);
    if (log !== undefined) return statusOf(log);
    const { id, status, first, next, owner } = run;
    const times = { started_at: Math.floor(run.startedAtMs), updated_at: Math.floor(run.updatedAtMs) };
    const fields = { run_id: id, agent: agent.toString(), status, first, next, owner, ...times, is_new: false };
    if (status === "completed" || status === "working") return { ...fields, error_code: "", error: "" };
    const page = await this.#parts.keeper.of(agent).read(id, { from: next });
    const end = page?.outcome && decodeOutcome(status, page.outcome);
    const failure = end === undefined || end.status === "completed" ? { code: "", text: "" } : end;
    return { ...fields, error_code: failure.code, error: failure.text };
  }

  /** The agent is destroyed: its runs end, and are not kept. What is asked about them waits until it is `destroyed`. */
  destroy(agent: AgentId, destroyed?: Promise<void>): void {
    for (const log of [...this.#parts.table.of(agent)]) {
      const { abort } = log;
      log.isDestroyed = true;
      this.#writers.get(log)?.close();
      this.#parts.table.abandon(log);
      abort?.(new CancelledError(`${agent} was destroyed, and the run with it.`));
    }
    if (destroyed === undefined) return;
    const name = agent.toString();
    const ended = destroyed.then(nothing, nothing).then(() => {
      if (this.#destroying.get(name) === ended) this.#destroying.delete(name);
    });
    this.#destroying.set(name, ended);
  }

  /** Whether a run of the agent works here, or is being created. */
  #works(agent: AgentId): boolean {
    for (const log of this.#parts.table.of(agent)) if (log.end === undefined) return true;
    for (const key of this.#pending.keys()) if (key.startsWith(`${agent.toString()} `)) return true;
    return false;
  }

  /** One after the other: a run is created once, and begins once. */
  async #once(agent: AgentId, id: string, task: () => Promise<RunLog | undefined>): Promise<RunLog | undefined> {
    const name = agent.toString();
    const key = `${name} ${id}`;
    for (let ended = this.#destroying.get(name); ended !== undefined; ended = this.#destroying.get(name)) await ended;
    for (let before = this.#pending.get(key); before !== undefined; before = this.#pending.get(key)) {
      await before.catch(() => undefined);
      const log = this.#parts.table.get(agent, id);
      if (log !== undefined) return log;
    }
    const pending = task();
    this.#pending.set(key, pending);
    try {
      return await pending;
    } finally {
      this.#pending.delete(key);
    }
  }

  async #create(
    start: RunStart,
    stored: StoredStart,
    { depth, deadlineMs }: Pick<RunCreation, "depth" | "deadlineMs">,
  ): Promise<RunLog | undefined> {
    const { table, keeper, clock, reminderOf } = this.#parts;
    const { agentId, id, principal = "", owner, keepMs, nowMs: startedAtMs } = start;
    const log = table.add(start);
    const runs = keeper.of(agentId);
    const create: RunCreation = {
      ...{ at: "create", id, message: encodeStart(stored), principal, owner, depth },
      ...{ startedAtMs: Math.floor(startedAtMs), deadlineMs, keepMs: Math.ceil(keepMs) },
    };
    const reminder = reminderOf(agentId, true);
    const outcome = await runs.commit([create], reminder && [reminder]);
    if (outcome.at === "committed") {
      const leftMs = deadlineMs === undefined ? undefined : deadlineMs - clock.wallNow();
      this.#begin({ ...stored, log, writer: this.#writer(log, runs, { next: 0, takeovers: 0 }), depth, leftMs });
      return log;
    }
    log.isDestroyed = outcome.at === "conflict";
    table.abandon(log);
    if (outcome.at === "conflict") return undefined;
    throw notStarted(agentId, outcome);
  }

  #begin(beginning: KeptBeginning): void {
    if (this.#parts.table.get(beginning.log.start.agentId, beginning.log.start.id) !== beginning.log) return;
    this.#parts.begin(beginning);
  }

  #writer(log: RunLog, runs: AgentRuns, { next, takeovers }: Pick<StoredRun, "next" | "takeovers">): RunWriter {
    const { table, clock, isStopping, encodeAnswer } = this.#parts;
    const writer = new RunWriter({
      ...{ log, table, runs, clock, isStopping, next, takeovers },
      encodeAnswer: (answer) => encodeAnswer(log, answer),
    });
    this.#writers.set(log, writer);
    return writer;
  }

  async #load(agent: AgentId, id: string): Promise<RunLog | undefined> {
    const { keeper, table, clock } = this.#parts;
    const runs = keeper.of(agent);
    const found = await this.#readAll(runs, id);
    if (found === undefined) return undefined;
    const { page, chunks, first, outcome } = found;
    const { run, message } = page;
    if (message === undefined) return undefined;
    const stored = decodeStart(message);
    const principal = run.principal === "" ? undefined : run.principal;
    const start: RunStart = {
      ...{ agentId: agent, id, message: stored.message, principal, owner: run.owner, keepMs: run.keepMs },
      ...{ account: accountOf(principal, run.owner, stored.sender), nowMs: run.startedAtMs, isKept: true },
    };
    const kept = { first, chunks: chunks.map(decodeChunk), updatedMs: run.updatedAtMs };
    if (run.status !== "working") {
      const end = decodeOutcome(run.status, outcome ?? new Uint8Array(0));
      const keepMs = Math.max(0, run.updatedAtMs + run.keepMs - clock.wallNow());
      return table.restore(start, kept, { end, keepMs });
    }
    if (this.#parts.isStopping()) throw stopping(run);
    const log = table.restore(start, kept);
    const hasBegun = run.takeovers > 0;
    const goesOn = hasBegun && keeper.continues(agent.type);
    const writer = this.#writer(log, runs, run);
    const leftMs = run.deadlineMs === undefined ? undefined : run.deadlineMs - clock.wallNow();
    if (leftMs !== undefined && leftMs <= 0) await writer.end(endOf(overdue()));
    else if (hasBegun && !goesOn) await writer.end(endOf(lost(run)));
    else if (run.takeovers > mostTakeovers) await writer.end(endOf(lostTooOften(run)));
    else this.#begin({ ...stored, log, writer, depth: run.depth, leftMs, ...(hasBegun && { takenOver: run }) });
    return log;
  }

  async #readAll(
    runs: AgentRuns,
    id: string,
  ): Promise<
    { page: StoredPage; first: number; chunks: readonly Uint8Array[]; outcome: Uint8Array | undefined } | undefined
  > {
    const chunks: Uint8Array[] = [];
    let first: StoredPage | undefined;
    for (let from = 0; ; ) {
      const page = await runs.read(id, { from, maxBytes: pageBytes, message: first === undefined });
      if (page === undefined) return undefined;
      // Chunks may have been dropped meanwhile: those before them are not wanted.
      if (first !== undefined && page.from > from) chunks.length = 0;
      const isFirst = chunks.length === 0;
      first ??= page;
      const start = isFirst ? page.from : undefined;
      if (start !== undefined) first = { ...first, from: start };
      chunks.push(...page.chunks);
      from = page.from + page.chunks.length;
      if (from >= page.run.next || page.chunks.length === 0) {
        return { page: { ...first, run: page.run }, first: first.from, chunks, outcome: page.outcome };
      }
    }
  }

  async #listed(runs: AgentRuns, status: "working" | undefined): Promise<readonly StoredRun[]> {
    const all: StoredRun[] = [];
    for (let after: string | undefined; ; ) {
      const { runs: page, isLast } = await runs.list({ status, after });
      all.push(...page);
      after = page.at(-1)?.id;
      if (isLast || after === undefined) return all;
    }
  }
}

/** The error of a start whose commit was not written, or may not have been. */
function notStarted(
  agent: AgentId,
  outcome: Exclude<KeptOutcome, { readonly at: "committed" | "conflict" }>,
): TroupeError {
  if (outcome.at === "failed" || outcome.at === "unknown") return outcome.error;
  const isFull = outcome.at === "refused";
  const text = isFull
    ? `The run was not started: the limit of the store is ${outcome.limit}.`
    : `${agent} is at another worker by now. Start the run again.`;
  return new UndeliverableException(text, { code: isFull ? "overloaded" : "shutting-down", notHandled: true });
}

function nothing(): void {}

/** Names the caller in whose part of the bounds a run counts. */
export function accountOf(principal: string | undefined, owner: string, sender: AgentId | undefined): string {
  if (principal !== undefined) return `principal ${principal}`;
  return owner === "" ? (sender?.type ?? "") : `owner ${owner}`;
}

function lost({ id, agent }: StoredRun): TroupeError {
  const text = `The worker on which run "${id}" of ${agent.type}/${agent.key} ran was lost, or has stopped. Its handler had begun`;
  return new UndeliverableException(`${text}, so that it does not begin again by itself. Start another run.`, {
    code: "disconnected",
  });
}

function stopping({ id, agent }: StoredRun): TroupeError {
  const text = `Run "${id}" of ${agent.type}/${agent.key} does not continue at this worker, which stops. The next one continues it.`;
  return new UndeliverableException(text, { code: "shutting-down" });
}

function lostTooOften({ id, agent, takeovers }: StoredRun): TroupeError {
  const text = `Run "${id}" of ${agent.type}/${agent.key} was lost with ${takeovers} workers in a row, and none of them saved a step of it`;
  const advice = "It may be what ends them. Look at their logs before you start another run";
  return new TroupeError("too-many-takeovers", `${text}. ${advice}.`);
}

function overdue(): TimedOutError {
  return new TimedOutError("The run took longer than its time, and its worker was lost meanwhile.");
}
