import {
  type Agent,
  AgentId,
  type AgentMetadata,
  type AgentRuntime,
  type AgentState,
  type MessageContext,
  TopicId,
} from "../../src/core/index.ts";
import type { SimulatedProcess } from "../../src/testing/index.ts";
import type { Turn } from "./kept/kept-ledger.ts";
import { Look } from "./kept/messages.ts";
import { type CallRecord, type Outcome, outcomeOf, type Run } from "./ledger.ts";
import { Done, News, Parts, Ping, Task } from "./messages.ts";
import type { PlannedCall } from "./plan.ts";
import { pourChunks, readStream } from "./streams.ts";
import type { WorldParts } from "./world-parts.ts";

export interface SimulatedAgentParts extends WorldParts {
  readonly seat: number;
  readonly process: SimulatedProcess;
}

/** Outcomes after which the same call is not made again. */
const finalCodes: ReadonlySet<string> = new Set(["handler-failed", "cancelled", "wrong-state"]);
const againMs = 700;
/**
 * So often is a call made that fails as `state-conflict`. A handler may give up a call that comes back to its agent, and go on beside the turn inside
 * it. If that fails, the handler fails, too, and each time that it does the same. A caller that tries again for ever would never end. Other
 * outcomes end with the fault that brings them about, or with the turn for which a ring waits.
 */
const mostConflicts = 20;

/** An agent that does for each call what the plan says, and writes down all that reaches it. */
export class SimulatedAgent implements Agent {
  readonly #parts: SimulatedAgentParts;
  #id: AgentId | undefined;
  #runtime: AgentRuntime | undefined;
  #runs = 0;
  /** What its handlers handle: a call, or an event. */
  readonly #running = new Set<{ readonly call: CallRecord | undefined }>();

  readonly #isSequential: boolean;

  /** `isSequential`: it takes one message after the other. */
  constructor(parts: SimulatedAgentParts, isSequential: boolean) {
    this.#parts = parts;
    this.#isSequential = isSequential;
  }

  get id(): AgentId {
    if (this.#id === undefined) throw new Error("not bound");
    return this.#id;
  }

  get metadata(): AgentMetadata {
    return { type: this.id.type, key: this.id.key, description: `of ${this.#parts.process.name}` };
  }

  bindIdAndRuntime(id: AgentId, runtime: AgentRuntime): void {
    this.#id = id;
    this.#runtime = runtime;
  }

  onMessage(message: unknown, context: MessageContext): unknown {
    if (message instanceof Parts) return this.#onParts(message.call, context);
    return this.#onWhole(message, context);
  }

  async *#onParts(name: string, context: MessageContext): AsyncGenerator<unknown, unknown, undefined> {
    const call = this.#parts.ledger.callNamed(name);
    if (call !== undefined) yield* pourChunks(this.#parts, call, this.id.toString());
    return this.#onTask(name, context);
  }

  async #onWhole(message: unknown, context: MessageContext): Promise<unknown> {
    if (message instanceof Task) return this.#onTask(message.call, context);
    if (message instanceof Ping) return undefined;
    if (message instanceof News) return this.#onNews(message.event, context);
    return this.#parts.ledger.breach("answers", `${this.id} was handed something that nobody sent`);
  }

  saveState(): AgentState {
    return { of: this.id.toString() };
  }

  loadState(): void {
    // It has none.
  }

  close(): void {
    // It holds nothing.
  }

  async #onTask(name: string, context: MessageContext): Promise<unknown> {
    const { ledger, process } = this.#parts;
    const call = ledger.callNamed(name);
    // The calls of a planted bug stand in no ledger.
    if (call === undefined) return undefined;
    const run: Run = {
      token: `${process.name}/${this.id}/${++this.#runs}`,
      agent: this.id.toString(),
      process: process.name,
      begunMs: this.#parts.simulation.clock.now(),
      ended: undefined,
      endedMs: Number.POSITIVE_INFINITY,
      told: undefined,
    };
    call.runs.push(run);
    ledger.trace.note(`${run.token} handles ${name}`);
    const answer = await this.#inTurn(call, () => this.#behave(call, context, run));
    run.ended = "answered";
    run.endedMs = this.#parts.simulation.clock.now();
    ledger.trace.note(`${run.token} answers ${name}`);
    return answer;
  }

  async #behave(call: CallRecord, context: MessageContext, run: Run): Promise<unknown> {
    const { delayMs, nested, publishes, ends } = call.plan.behaviour;
    if (delayMs > 0) await this.#sleep(delayMs);
    for (const topic of publishes) {
      const send: Send = (news, topicId) => this.#bound().publishMessage(news, topicId, { sender: this.id });
      await publish(this.#parts, send, { topic, sender: this.id }).catch(() => undefined);
    }
    for (const plan of nested)
      await makeCall(this.#parts, this.#bound(), plan, { sender: this.id, context, call, run });
    switch (ends) {
      case "answers":
        return Done({ call: call.name, by: this.id.toString(), token: run.token });
      case "throws":
        throw this.#fail(run, `${call.name} was thrown at`);
      case "never":
        return new Promise(() => undefined);
      case "patient":
        await aborted(context.signal);
        run.told = { code: outcomeOf(context.signal.reason).code, atMs: this.#parts.simulation.clock.now() };
        throw this.#fail(run, `${call.name} was given up`);
    }
  }

  #fail(run: Run, text: string): Error {
    run.ended = "threw";
    run.endedMs = this.#parts.simulation.clock.now();
    return new Error(text);
  }

  async #onNews(name: string, context: MessageContext): Promise<void> {
    const { ledger, process, seat } = this.#parts;
    const event = ledger.eventNamed(name);
    if (event === undefined) return ledger.breach("events", `${this.id} was handed an event that nobody published`);
    if (!process.isAlive) return;
    event.receipts.push({ seat, agent: this.id.toString(), process: process.name, at: ledger.moment() });
    ledger.trace.note(`${process.name} ${this.id} hears ${name}`);
    if (context.topicId?.type !== event.topic) ledger.breach("events", `${name} came under topic ${context.topicId}`);
    if (String(context.sender) !== String(event.sender)) ledger.breach("events", `${name} came from ${context.sender}`);
    await this.#inTurn(undefined, () => this.#sleep(3));
  }

  /** Writes down a turn that runs beside one that does not wait for it. */
  async #inTurn<T>(call: CallRecord | undefined, body: () => Promise<T>): Promise<T> {
    const { ledger } = this.#parts;
    if (this.#isSequential && hasExactPath(call)) {
      for (const other of this.#running) {
        if (isAbove(other.call, call)) continue;
        const beside = other.call?.name ?? "an event";
        ledger.breach("turns", `${this.id} handles ${call?.name ?? "an event"} beside ${beside}`);
      }
    }
    const own = { call };
    this.#running.add(own);
    try {
      return await body();
    } finally {
      this.#running.delete(own);
    }
  }

  #bound(): AgentRuntime {
    if (this.#runtime === undefined) throw new Error("not bound");
    return this.#runtime;
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#parts.simulation.clock.setTimer(ms, resolve));
  }
}

/** Whether one call waits for the other. */
export function isAbove(one: CallRecord | undefined, other: CallRecord | undefined): boolean {
  for (let above = other?.parent; above !== undefined; above = above.parent) if (above === one) return true;
  return false;
}

/** A call without its handler's signal may have the paths of other handlers of its agent, too. */
export function hasExactPath(call: CallRecord | undefined): boolean {
  for (let one = call; one?.parent !== undefined; one = one.parent) if (!one.plan.inheritsSignal) return false;
  return true;
}

export interface CallOrigin {
  readonly sender: AgentId | undefined;
  readonly context: MessageContext | undefined;
  /** The call in whose handler this one is made. */
  readonly call: CallRecord | undefined;
  readonly run: Run | undefined;
}

/** Makes a call and writes down its outcome; never rejects. */
export async function makeCall(
  parts: SimulatedAgentParts,
  runtime: AgentRuntime,
  plan: PlannedCall,
  origin: CallOrigin,
): Promise<void> {
  const { ledger, process, seat, simulation } = parts;
  const target = new AgentId(targetType(plan), plan.key);
  const servers = plan.kept === undefined ? [plan.target ?? 0] : (parts.plan.kept[plan.kept.type]?.seats ?? []);
  const record = ledger.openCall({
    ...{ plan, target, callerSeat: seat, servers, process },
    ...{ parent: origin.call, parentRun: origin.run },
  });
  const { signal, stop } = bounds(
    plan,
    origin,
    () => {
      record.abortedMs ??= simulation.clock.now();
    },
    simulation.clock,
  );
  record.isBoundByCaller = plan.inheritsSignal && origin.context !== undefined;
  const isRepeated = plan.kept?.isRepeated === true;
  const send = async (timeoutMs: number | undefined): Promise<Outcome> => {
    try {
      const key = isRepeated ? { idempotencyKey: record.name } : {};
      const options = { sender: origin.sender, timeoutMs, signal, ...key };
      if (plan.stream !== undefined)
        return { at: "answered", value: await readStream(parts, runtime, { record, target, options }) };
      const message = plan.kept?.reads === true ? Look({ call: record.name }) : Task({ call: record.name });
      return { at: "answered", value: await runtime.sendMessage(message, target, options) };
    } catch (error) {
      return outcomeOf(error);
    }
  };
  let outcome = await send(plan.timeoutMs);
  let conflicts = 0;
  while (isRepeated && outcome.at === "failed" && !finalCodes.has(outcome.code)) {
    if (outcome.code === "state-conflict") conflicts += 1;
    if (conflicts === mostConflicts) break;
    ledger.trace.note(`${record.name} is called again after ${outcome.code} ${outcome.text}`);
    await new Promise<void>((resolve) => simulation.clock.setTimer(againMs, resolve));
    if (!process.isAlive || ledger.isRetired(process, ledger.moment())) break;
    outcome = await send(undefined);
  }
  stop();
  ledger.closeCall(record, outcome);
}

export type Send = (news: ReturnType<typeof News>, topicId: TopicId) => Promise<void>;

/** Publishes an event and writes down what came of it; rejects when it was refused. */
export async function publish(
  { ledger, process, seat }: SimulatedAgentParts,
  send: Send,
  {
    topic,
    sender,
    turn,
  }: { readonly topic: string; readonly sender: AgentId | undefined; readonly turn?: Turn | undefined },
): Promise<void> {
  const record = ledger.openEvent({ seat, process, topic, sender, turn });
  const message = News({ event: record.name });
  const topicId = new TopicId(topic, "news");
  try {
    await ledger.follow(`publishing ${record.name}`, process, send(message, topicId));
    record.outcome = "published";
  } catch (error) {
    record.outcome = "refused";
    throw error;
  }
}

function targetType({ kept, target }: PlannedCall): string {
  if (kept !== undefined) return `kept-${kept.type}`;
  return target === undefined ? "nobody" : `type-${target}`;
}

function bounds(
  { abortAfterMs, inheritsSignal }: PlannedCall,
  { context }: CallOrigin,
  onAbort: () => void,
  clock: WorldParts["simulation"]["clock"],
) {
  if (inheritsSignal && context !== undefined) {
    const { signal } = context;
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    return { signal, stop: () => signal.removeEventListener("abort", onAbort) };
  }
  if (abortAfterMs === undefined) return { signal: undefined, stop: () => undefined };
  const controller = new AbortController();
  const abort = () => {
    onAbort();
    controller.abort(new Error("not wanted any more"));
  };
  const timer = clock.setTimer(abortAfterMs, abort);
  return { signal: controller.signal, stop: () => timer.cancel() };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
