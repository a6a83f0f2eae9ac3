import type { AgentId } from "../agents/agent-id.ts";
import type { Clock, MakeId, Timer } from "../clock.ts";
import type { OwnOutcome, TimerMessage } from "../delivery/activations/activation-timers.ts";
import type { AgentCatalog } from "../delivery/activations/agent-catalog.ts";
import { assertAnswer } from "../delivery/assert-answer.ts";
import { HandlerContext } from "../delivery/handler-context.ts";
import type { Delivery } from "../delivery/layers.ts";
import type { AgentRunKeeper } from "../delivery/states/agent-runs.ts";
import { CancelledError, TimedOutError, TroupeError, UndeliverableException } from "../errors.ts";
import { followAbort } from "../follow-abort.ts";
import { deadlineAfter } from "../scope/deadline.ts";
import type { CodecRegistry } from "../serialization/codec-registry.ts";
import type { AgentName } from "../state/agent-name.ts";
import { pour } from "../streaming/pour.ts";
import { quoted } from "../validation/option-values.ts";
import { decodeText, type EncodedText, encodeText } from "./encoded-text.ts";
import { accountOf, type KeptBeginning, KeptRuns, type KeptRunsParts } from "./kept-runs.ts";
import { endOf } from "./run-end.ts";
import type { RunLog, RunStart } from "./run-log.ts";
import {
  CancelRun,
  ContinueRuns,
  GetRun,
  isRunMessage,
  ListRuns,
  ReadRun,
  type RunList,
  RunList as RunListMessage,
  type RunMessage,
  type RunStatusFields,
  RunStatusMessage,
  StartRun,
} from "./run-messages.ts";
import { RunReading, statusOf } from "./run-reading.ts";
import { assertStart, type Beginning, type Begun, belongsTo, RunChunks, sameRun } from "./run-start.ts";
import { RunTable } from "./run-table.ts";
import type { RunBounds } from "./runs-options.ts";

export interface RunDeskParts {
  readonly catalog: AgentCatalog;
  readonly codecs: CodecRegistry;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly bounds: RunBounds;
  /** A run whose handler would have more handlers behind it is refused. */
  readonly maxDepth: number;
  /** Keeps the runs of persistent agents. */
  readonly keeper: AgentRunKeeper;
  /** Whether the runtime stops, so that no run continues here. Default: it does not stop before it ends. */
  readonly isStopping?: (() => boolean) | undefined;
  /** The reminder that asks an agent for its unfinished runs. Undefined: nothing here fires reminders. */
  readonly reminderOf: KeptRunsParts["reminderOf"];
  /** Gives the message of a run to its agent. */
  readonly deliver: (message: TimerMessage) => void;
}

/** A message about one run that is there. */
type RunRequest = ReadRun | CancelRun | GetRun;

/** Most runs of one list. */
const longestList = 1_000;

// protocol.md §11.23
/** Keeps the runs of a runtime's agents, and answers the messages about them in place of these agents. */
export class RunDesk {
  readonly #parts: RunDeskParts;
  readonly #table: RunTable;
  readonly #reading: RunReading;
  readonly #kept: KeptRuns;

  constructor(parts: RunDeskParts) {
    this.#parts = parts;
    this.#table = new RunTable(parts.clock, parts.bounds);
    this.#reading = new RunReading(parts.clock);
    this.#kept = new KeptRuns({
      ...{ keeper: parts.keeper, table: this.#table, clock: parts.clock, reminderOf: parts.reminderOf },
      isStopping: () => parts.isStopping?.() === true,
      encodeAnswer: (log, answer) => this.#encodeAnswer(log, answer),
      begin: (beginning) => this.#beginKept(beginning),
    });
  }

  /** Whether an agent has runs here, so that it is not idle. */
  keeps(agent: AgentName): boolean {
    return this.#table.has(agent);
  }

  /** The agent leaves this worker. Its runs go on until they end, and are not kept after that. */
  release(agent: AgentName): void {
    this.#table.release(agent);
  }

  /** The agent is destroyed: its runs end, and are not kept. `destroyed`: its end, if it is not decided yet. */
  destroy(agent: AgentId, destroyed?: Promise<void>): void {
    this.#kept.destroy(agent, destroyed);
  }

  /** Answers a message. Throws or rejects with the error for its caller. */
  answer(delivery: Delivery, message: RunMessage): unknown {
    const { agentId } = delivery;
    const { catalog } = this.#parts;
    if (!catalog.hasType(agentId.type)) {
      throw new UndeliverableException(`Agent with name ${agentId.type} not found. Register its type.`);
    }
    // A host may have placed the agent here for this message: its activation ends that some time. Or its class is not known yet.
    const isKnown = this.#parts.keeper.keeps(agentId.type) !== undefined;
    if (isKnown && catalog.sharingOf(agentId.type) === undefined) return this.#answer(delivery, message);
    const found = catalog.agentFor(agentId);
    return found instanceof Promise ? this.#answerLater(found, delivery, message) : this.#answer(delivery, message);
  }

  async #answerLater(found: Promise<unknown>, delivery: Delivery, message: RunMessage): Promise<unknown> {
    await found;
    // The message may have gone back to the host meanwhile, which gives it to another worker.
    delivery.context.signal.throwIfAborted();
    return this.#answer(delivery, message);
  }

  #answer(delivery: Delivery, message: RunMessage): unknown {
    const { context } = delivery;
    // From now on it goes back to no host.
    context.isAtAgent = true;
    context.hasBegun = true;
    const isKept = this.#parts.keeper.keeps(delivery.agentId.type) === true;
    if (StartRun.is(message)) return isKept ? this.#startKept(delivery, message) : this.#start(delivery, message);
    if (ListRuns.is(message)) return isKept ? this.#listKept(delivery, message) : this.#list(delivery, message);
    if (ContinueRuns.is(message)) return isKept ? this.#continue(delivery) : noRuns();
    const found = this.#table.get(delivery.agentId, message.run_id);
    if (found !== undefined || !isKept) return this.#answerFor(found, delivery, message);
    return this.#answerStored(delivery, message);
  }

  async #answerStored(delivery: Delivery, message: RunRequest): Promise<unknown> {
    return this.#answerFor(await this.#kept.find(delivery.agentId, message.run_id), delivery, message);
  }

  #answerFor(found: RunLog | undefined, delivery: Delivery, message: RunRequest): unknown {
    const { context } = delivery;
    const log = this.#owned(found, delivery, message);
    if (GetRun.is(message)) return RunStatusMessage(statusOf(log));
    if (CancelRun.is(message)) return this.#cancel(log, message.reason);
    if (!ReadRun.is(message)) throw new TroupeError("invalid-message", "This message is not one of runs.");
    if (!context.isStreamed || message.max_chunks === 0) return this.#reading.page(log, message, context.signal);
    return this.#stream(log, message, context);
  }

  /** A reader that takes nothing must not hold the agent here when it leaves: it ends when the run is dropped. */
  async #stream(log: RunLog, message: ReadRun, context: HandlerContext): Promise<unknown> {
    let stop = () => {};
    const dropped = new Promise<never>((_resolve, reject) => {
      stop = log.onDrop((error) => {
        reject(error);
        context.abort(error);
      });
    });
    try {
      return await Promise.race([dropped, pour(this.#reading.parts(log, message, context.signal), context)]);
    } finally {
      stop();
    }
  }

  /** A caller to whom the run does not belong hears no more than one who asks for a run that is not there. */
  #owned(log: RunLog | undefined, { agentId, context }: Delivery, { run_id: id, owner }: RunRequest): RunLog {
    if (log !== undefined && belongsTo(log, context.principal, owner)) return log;
    const text = `${agentId} has no run ${quoted(id)}. It was never started, its time is over, or its worker has ended.`;
    throw new TroupeError(
      "not-found",
      `${text} Start it again. Only who has started it finds it, with the same owner.`,
    );
  }

  #start(delivery: Delivery, given: StartRun): RunStatusMessage {
    assertStart(given);
    const before = this.#table.get(delivery.agentId, given.run_id);
    if (before !== undefined) return sameRun(before, delivery, given);
    const { message, start, stored, depth, leftMs } = this.#beginning(delivery, given);
    const log = this.#table.add(start);
    const type = this.#parts.codecs.typeOf(message);
    const sink = new RunChunks(log, { codecs: this.#parts.codecs, type, put: (chunk) => this.#put(log, chunk) });
    this.#deliver({ ...stored, log, depth, leftMs, sink, message, link: delivery.link }, (outcome) => {
      if (outcome === undefined) return this.#fail(log, notBegun());
      if ("error" in outcome) return this.#fail(log, outcome.error);
      try {
        this.#table.finish(log, { status: "completed", answer: this.#encodeAnswer(log, outcome.answer) });
      } catch (error) {
        this.#fail(log, error);
      }
    });
    return RunStatusMessage({ ...statusOf(log), is_new: true });
  }

  async #startKept(delivery: Delivery, given: StartRun): Promise<RunStatusMessage> {
    assertStart(given);
    const { clock } = this.#parts;
    const before = this.#table.get(delivery.agentId, given.run_id);
    if (before !== undefined) return sameRun(before, delivery, given);
    const { start, stored, depth, leftMs } = this.#beginning(delivery, given);
    const deadlineMs = leftMs === undefined ? undefined : Math.ceil(clock.wallNow() + leftMs);
    const created = await this.#kept.create({ ...start, isKept: true }, stored, { depth, deadlineMs });
    if (created !== undefined) return RunStatusMessage({ ...statusOf(created), is_new: true });
    const found = await this.#kept.find(delivery.agentId, given.run_id);
    if (found !== undefined) return sameRun(found, delivery, given);
    throw new TroupeError(
      "gone",
      `Run ${quoted(given.run_id)} of ${delivery.agentId} has just been dropped. Start it again.`,
    );
  }

  #beginning({ agentId, context: asked }: Delivery, given: StartRun): Beginning {
    const { codecs, clock, bounds, maxDepth } = this.#parts;
    const { run_id: id, keep_ms, timeout_ms, owner, message_type: typeName, content_type: contentType } = given;
    const encoded = { typeName, contentType, text: given.message };
    const depth = asked.depth + 1;
    if (depth > maxDepth) {
      const text = `The run was not started: more than ${maxDepth} handlers led to it. Do these agents start each other without end?`;
      throw new TroupeError("loop-detected", `${text} If not, raise the bound (the runtime's option guards).`);
    }
    const message = decodeText(codecs, encoded);
    // The runtime would answer it, and its own run would say nothing of what it started.
    if (isRunMessage(message)) throw new TroupeError("invalid-message", "A run can't begin with a message of runs.");
    const { principal, sender, metadata } = asked;
    const start: RunStart = {
      ...{ agentId, id, principal, owner, message: encoded, nowMs: clock.wallNow() },
      account: accountOf(principal, owner, sender),
      keepMs: keep_ms > 0 ? Math.min(keep_ms, bounds.keepMs) : bounds.keepMs,
    };
    const leftMs = timeout_ms > 0 ? timeout_ms : undefined;
    return { start, stored: { message: encoded, sender, metadata }, message, depth, leftMs };
  }

  /** Gives the message of a kept run to its agent: now, or at the next worker after one was lost. */
  #beginKept({ writer, takenOver, ...beginning }: KeptBeginning): void {
    const { log } = beginning;
    const { codecs } = this.#parts;
    let message: unknown;
    try {
      message = decodeText(codecs, beginning.message);
    } catch (error) {
      void writer.end(endOf(error));
      return;
    }
    if (takenOver !== undefined) {
      const { id, owner, next, takeovers } = takenOver;
      writer.unfinished = { id, message, owner, next, takeovers, chunks: () => this.#chunksOf(log) };
    }
    const type = codecs.typeOf(message);
    const sink = new RunChunks(log, { codecs, type, put: (chunk) => writer.put(chunk) }, writer);
    this.#deliver({ ...beginning, sink, message, link: undefined, keptRun: writer }, (outcome, context) => {
      // The runtime ends, or the host takes the agent back: the run goes on as it is stored.
      if (outcome === undefined || context.runEnded !== undefined) return writer.close();
      // Its turn has ended it, or another one has.
      if (!writer.isOpen) return;
      if ("error" in outcome) return void writer.end(endOf(outcome.error));
      try {
        void writer.end({ status: "completed", answer: this.#encodeAnswer(log, outcome.answer) });
      } catch (error) {
        void writer.end(endOf(error));
      }
    });
  }

  *#chunksOf(log: RunLog): Generator<{ readonly offset: number; readonly chunk: unknown }, void, undefined> {
    const { codecs } = this.#parts;
    const { chunk: type } = codecs.typeOf(decodeText(codecs, log.start.message)) ?? {};
    // A worker that has only answered such messages has not learnt the type.
    if (type !== undefined && !codecs.has(type.typeName, type.contentType)) codecs.add(type);
    for (const { offset, chunk } of log.kept()) yield { offset, chunk: decodeText(codecs, chunk) };
  }

  #deliver(begun: Begun, onEnd: (outcome: OwnOutcome | undefined, context: HandlerContext) => void): void {
    const { catalog, clock, makeId: messageId, deliver } = this.#parts;
    const { log, sender, metadata, depth, leftMs, sink, message, link, keptRun } = begun;
    const { agentId, principal } = log.start;
    const context = new HandlerContext({
      // As for a call: only types that ask for it hear who calls.
      principal: catalog.tellsPrincipal(agentId.type) ? principal : undefined,
      ...{ sender, topicId: undefined, isRpc: true, messageId, agentId },
      ...{ runtime: catalog.runtime, metadata, depth, isDeadlineWatched: true, chunks: sink },
      deadline: leftMs === undefined ? undefined : deadlineAfter(leftMs, clock),
    });
    if (keptRun !== undefined) {
      context.keptRun = keptRun;
      // The runtime ends: what is not written is not tried again.
      followAbort(context.signal, () => context.runEnded && keptRun.close());
    }
    const timer = leftMs === undefined ? undefined : this.#watch(log, leftMs);
    log.abort = (reason) => context.abort(reason);
    deliver({
      ...{ agentId, message, context, link },
      onDropped: () => onEnd(undefined, context),
      onEnd: (outcome) => {
        timer?.cancel();
        onEnd(outcome, context);
      },
    });
  }

  /** Throws the error with which a run fails whose answer can't be kept. */
  #encodeAnswer({ start }: RunLog, answer: unknown): EncodedText {
    const { codecs } = this.#parts;
    assertAnswer(answer, codecs.typeOf(decodeText(codecs, start.message))?.answer, start.agentId);
    return encodeText(codecs, answer);
  }

  #put(log: RunLog, chunk: EncodedText): undefined {
    this.#table.append(log, chunk);
  }

  async #continue({ agentId }: Delivery): Promise<RunList> {
    await this.#kept.continueAll(agentId);
    return noRuns();
  }

  async #listKept({ agentId, context }: Delivery, { status, owner, after, limit }: ListRuns): Promise<RunList> {
    const most = Math.min(Math.max(1, limit), longestList);
    const own = await this.#kept.list(
      agentId,
      (run) => run.principal === (context.principal ?? "") && run.owner === owner,
    );
    const from = after === "" ? 0 : own.findIndex(({ id }) => id === after) + 1;
    if (after !== "" && from === 0) throw listGone(after);
    const found = own.slice(from).filter((run) => status === "" || run.status === status);
    const runs: RunStatusFields[] = [];
    for (const run of found.slice(0, most)) runs.push(await this.#kept.statusOf(agentId, run));
    const last = runs.at(-1);
    return RunListMessage({ runs, after: found.length > most && last ? last.run_id : "" });
  }

  #watch(log: RunLog, timeoutMs: number): Timer | undefined {
    if (timeoutMs <= 0) return undefined;
    const onDue = () => {
      void this.#endNow(log, new TimedOutError(`The run took longer than its ${timeoutMs} ms.`));
    };
    return this.#parts.clock.setTimer(timeoutMs, onDue);
  }

  #cancel(log: RunLog, reason: string): RunStatusMessage | Promise<RunStatusMessage> {
    const error = new CancelledError(reason === "" ? "The run was cancelled." : `The run was cancelled: ${reason}`);
    const ended = this.#endNow(log, error);
    return ended === undefined ? RunStatusMessage(statusOf(log)) : ended.then(() => this.#answerCancelled(log));
  }

  /** Another worker may have the run by now. */
  #answerCancelled(log: RunLog): RunStatusMessage {
    if (this.#kept.writerOf(log)?.isClosed !== true) return RunStatusMessage(statusOf(log));
    const text = `Run ${quoted(log.start.id)} of ${log.start.agentId} was not cancelled: another worker has it. Cancel it again.`;
    throw new UndeliverableException(text, { code: "shutting-down" });
  }

  /** Ends the run now: its handler hears of it, and its outcome does not count. Returns a promise while the end is written. */
  #endNow(log: RunLog, error: TroupeError): Promise<void> | undefined {
    const { abort } = log;
    const writer = log.end === undefined ? this.#kept.writerOf(log) : undefined;
    if (writer === undefined) {
      this.#fail(log, error);
      abort?.(error);
      return undefined;
    }
    const ending = writer.end(endOf(error));
    abort?.(error);
    return ending;
  }

  #fail(log: RunLog, error: unknown): void {
    this.#table.finish(log, endOf(error));
  }

  #list({ agentId, context }: Delivery, { status, owner, after, limit }: ListRuns): RunList {
    const most = Math.min(Math.max(1, limit), longestList);
    const found: RunLog[] = [];
    let isBehind = after === "";
    for (const log of this.#table.of(agentId)) {
      if (!belongsTo(log, context.principal, owner)) continue;
      if (isBehind && (status === "" || log.status === status)) found.push(log);
      if (found.length > most) break;
      if (log.start.id === after) isBehind = true;
    }
    if (!isBehind) throw listGone(after);
    const runs = found.slice(0, most);
    const last = runs.at(-1);
    return RunListMessage({ runs: runs.map(statusOf), after: found.length > most && last ? last.start.id : "" });
  }
}

function noRuns(): RunList {
  return RunListMessage({ runs: [], after: "" });
}

function listGone(after: string): TroupeError {
  return new TroupeError("gone", `The list can't go on: run ${quoted(after)} is not kept any more. List again.`);
}

function notBegun(): UndeliverableException {
  const text = "The run did not begin, because its runtime ends. Start it again.";
  return new UndeliverableException(text, { code: "shutting-down", notHandled: true });
}
