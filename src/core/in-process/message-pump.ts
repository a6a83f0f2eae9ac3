import { type Clock, nextTurn, realClock, type Timer } from "../clock.ts";
import type { PendingCall } from "../delivery/calls/pending-call.ts";
import { errorText, TroupeError, UndeliverableException } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { untilAborted } from "../wait-options.ts";
import type { CallPlace, Envelope } from "./envelope.ts";
import { EnvelopeQueue } from "./envelope-queue.ts";
import type { EnvelopeRouter } from "./envelope-router.ts";
import { reportWhileBusy } from "./idle-report.ts";
import { UnansweredWatch } from "./unanswered-watch.ts";

type PumpState =
  /** Never started. Envelopes wait in the queue, unless you step by hand. */
  | { readonly at: "idle" }
  /** The same as idle, after a run. */
  | { readonly at: "stopped" }
  /** Each envelope is taken in its turn. */
  | { readonly at: "running" }
  /** Takes no envelope until it is started again. */
  | { readonly at: "closed" };

/** The clock is read after this number of envelopes. */
const envelopesPerRound = 256;
/** Timers and sockets get a turn after this time, or after this number of envelopes if the clock stands still. */
const turnMs = 10;
const envelopesPerTurn = 64 * envelopesPerRound;

/** A runtime that does not run warns after this time that messages wait. */
const idleWarningMs = 1_000;
const idleText = "The runtime is not started: call start(), or step with processNext().";

// The first sentence is Python's: protocol.md §5.8.
const notStartedText = "Runtime is not started. This SingleThreadedAgentRuntime does not run: call start() first.";

/** `stopWhen` checks again after this real time, for conditions that do not depend on messages. It is not a time limit. */
const checkEveryMs = 100;

/**
 * The life cycle of a runtime. It takes envelopes from the queue, one after the other, and gives them to the router. It takes each
 * in the async context of its sender.
 */
export class MessagePump implements CallPlace {
  readonly #router: EnvelopeRouter;
  readonly #clock: Clock;
  #queue = this.#createQueue();
  /** Steps by hand that have been allowed and not taken yet. */
  #steps: ((routed: void | Promise<void>) => void)[] = [];
  #taken = 0;
  #turnBeganMs = 0;
  #state: PumpState = { at: "idle" };
  /** The failure of an event's handler that the runtime must report. The next step or stop rejects with it. */
  #failure: { readonly error: unknown } | undefined;

  /** Set while messages wait in a runtime that does not run. */
  #idleWatch: Timer | undefined;
  /** Set once the user steps by hand, or the warning was logged: then there is nothing to warn of until the next run ends. */
  #isWarned = false;
  readonly #logger: Logger;
  readonly #unanswered: UnansweredWatch;

  constructor(router: EnvelopeRouter, clock: Clock, logger: Logger) {
    this.#router = router;
    this.#clock = clock;
    this.#logger = logger;
    this.#unanswered = new UnansweredWatch(clock, logger);
  }

  /** Says why a message waits if the runtime does not run; else undefined. */
  get whyIdle(): string | undefined {
    return this.#state.at === "running" ? undefined : idleText;
  }

  get isRunning(): boolean {
    return this.#state.at === "running";
  }

  isUndecided(call: PendingCall<unknown>): boolean {
    return this.#router.isUndecided(call);
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** Queues an envelope. After the end it throws `UndeliverableException` (code `shutting-down`) and rejects the call. */
  push(envelope: Envelope): void {
    if (this.#queue.push(envelope)) {
      if (this.#state.at !== "running" && !this.#isWarned) this.#watchIdle();
      return;
    }
    const error = this.#refusal(true);
    const call = callOf(envelope);
    if (envelope.kind === "timer") return envelope.onDropped?.();
    if (call === undefined) throw error;
    call.reject(error);
  }

  /** Keeps the queue from being idle until the returned function is called. */
  hold(): () => void {
    const queue = this.#queue;
    queue.hold();
    return () => queue.done();
  }

  start(): void {
    if (this.#state.at === "running") throw new TroupeError("wrong-state", "Runtime is already started");
    if (this.#queue.isClosed) this.#queue = this.#createQueue();
    this.#failure = undefined;
    this.#endIdleWatch();
    this.#isWarned = false;
    this.#state = { at: "running" };
    this.#queue.allow(Number.POSITIVE_INFINITY);
  }

  /** Throws `wrong-state` when it was never started. */
  async stop(): Promise<void> {
    if (this.#state.at === "idle") this.#assertRunning();
    await this.#end(this.#queue);
  }

  /** Stops when the queue is idle. An aborted signal ends the wait, and the run continues; the same holds for `stopWhen`. */
  async stopWhenIdle(signal: AbortSignal | undefined): Promise<void> {
    this.#assertRunning();
    const queue = this.#queue;
    const stopReports = this.#reportWhileBusy(queue, "stopWhenIdle()");
    try {
      await untilAborted(queue.idle(), { signal }, "Waiting until all is handled");
    } finally {
      stopReports();
    }
    await this.#end(queue);
  }

  async stopWhen(condition: () => boolean, signal: AbortSignal | undefined): Promise<void> {
    this.#assertRunning();
    const queue = this.#queue;
    const isOver = () => signal?.aborted === true || condition();
    await untilAborted(until(isOver, queue), { signal }, "Waiting for the condition");
    await this.#end(queue);
  }

  async processNext(signal: AbortSignal | undefined): Promise<void> {
    this.#throwFailure();
    this.#isWarned = true;
    this.#endIdleWatch();
    const queue = this.#queue;
    await untilAborted(queue.arrival(), { signal }, "Waiting for the next message");
    this.#throwFailure();
    if (this.#state.at !== "running") {
      if (queue.length <= this.#steps.length) return;
      await new Promise<void>((resolve) => {
        this.#steps.push(resolve);
        queue.allow(1);
      });
    }
    await nextTurn();
  }

  /** Ends processing after an event that failed, and refuses the waiting envelopes. The first failure is the one that is thrown. */
  fail(error: unknown): void {
    if (this.#failure !== undefined || this.#queue.isClosed) return;
    this.#failure = { error };
    this.#discard(this.#queue);
  }

  /** Waits until all is handled, for at most `timeoutMs`. Returns at once when the runtime is not running. */
  async drain(timeoutMs: number): Promise<void> {
    if (this.#state.at !== "running") return;
    const queue = this.#queue;
    const stopReports = this.#reportWhileBusy(queue, "The disposal of the runtime");
    await new Promise<void>((resolve) => {
      const timer = this.#clock.setTimer(timeoutMs, resolve, { keepAlive: true });
      void queue.idle().then(() => {
        timer.cancel();
        resolve();
      });
    });
    stopReports();
  }

  async close(): Promise<void> {
    try {
      if (this.#state.at === "running") await this.#end(this.#queue);
    } finally {
      this.#state = { at: "closed" };
      this.#endIdleWatch();
      this.#unanswered.end();
      this.#discard(this.#queue);
      this.#router.abandon(() => this.#refusal(false));
    }
  }

  #reportWhileBusy(queue: EnvelopeQueue, what: string): () => void {
    if (queue.isIdle) return () => undefined;
    return reportWhileBusy({ clock: this.#clock, logger: this.#logger, what, running: () => this.#router.running() });
  }

  /**
   * Logs a warning, once until the runtime runs, if it does not run a second later. The timer keeps the process alive: one
   * without other work would end first, and its user would not learn why.
   */
  #watchIdle(): void {
    if (this.#idleWatch !== undefined) return;
    const warn = () => {
      this.#idleWatch = undefined;
      if (this.#state.at === "running" || this.#queue.length === 0) return;
      this.#isWarned = true;
      this.#logger.warn(`A message waits in a runtime that does not run. ${idleText}`, { waiting: this.#queue.length });
    };
    this.#idleWatch = this.#clock.setTimer(idleWarningMs, warn, { keepAlive: true });
  }

  #endIdleWatch(): void {
    this.#idleWatch?.cancel();
    this.#idleWatch = undefined;
  }

  #createQueue(): EnvelopeQueue {
    return new EnvelopeQueue((queue) => this.#step(queue));
  }

  /**
   * Takes one envelope, and the answers after it that have no turn. Returns a promise when timers and sockets must have a turn
   * before the next step.
   */
  #step(queue: EnvelopeQueue): void | Promise<void> {
    const envelope = queue.take();
    const routed = envelope === undefined ? undefined : this.#route(envelope, queue);
    if (this.#steps.length > 0) this.#steps.shift()?.(routed);
    for (let answer = queue.takeWithoutTurn(); answer !== undefined; answer = queue.takeWithoutTurn()) {
      void this.#route(answer, queue);
    }
    this.#taken += 1;
    return this.#taken % envelopesPerRound === 0 && this.#isTurnOver() ? this.#endTurn() : undefined;
  }

  #route(envelope: Envelope, queue: EnvelopeQueue): void | Promise<void> {
    try {
      return this.#router.route(envelope, queue);
    } catch (error) {
      // An extension is broken, such as a tracer that throws. The process hears of it, and other messages go on.
      void Promise.reject(error);
      return undefined;
    }
  }

  #isTurnOver(): boolean {
    return this.#taken >= envelopesPerTurn || this.#clock.now() - this.#turnBeganMs >= turnMs;
  }

  async #endTurn(): Promise<void> {
    await nextTurn();
    this.#taken = 0;
    this.#turnBeganMs = this.#clock.now();
  }

  /** Ends the run that uses this queue, unless it has ended already. Throws the failure that no step has reported yet. */
  async #end(queue: EnvelopeQueue): Promise<void> {
    if (this.#queue !== queue || this.#state.at !== "running") return;
    this.#discard(queue);
    this.#queue = this.#createQueue();
    this.#state = { at: "stopped" };
    this.#unanswered.watch(this.#router.unanswered());
    this.#throwFailure();
  }

  #discard(queue: EnvelopeQueue): void {
    if (queue.isClosed) return;
    const left = queue.close();
    for (const envelope of left) {
      // The handler of an answer has done its work, so the caller still gets it.
      if (envelope.kind === "timer") envelope.onDropped?.();
      else if (envelope.kind !== "response") callOf(envelope)?.reject(this.#refusal(true));
      else void this.#router.route(envelope, queue);
    }
    this.#router.refuseUndecided(queue, (notHandled) => this.#refusal(notHandled));
  }

  #refusal(notHandled: boolean): UndeliverableException {
    if (this.#failure !== undefined) {
      const text = `Runtime stopped: an event's handler failed (${errorText(this.#failure.error)}).`;
      return new UndeliverableException(text, { code: "shutting-down", cause: this.#failure.error, notHandled });
    }
    const text = "Runtime stopped before the message was delivered or answered.";
    return new UndeliverableException(text, { code: "shutting-down", notHandled });
  }

  #throwFailure(): void {
    const failure = this.#failure;
    if (failure === undefined) return;
    this.#failure = undefined;
    throw failure.error;
  }

  #assertRunning(): void {
    if (this.#state.at !== "running") throw new TroupeError("wrong-state", notStartedText);
  }
}

/** The call of an envelope; an event and a timer have none. */
function callOf(envelope: Envelope): PendingCall<unknown> | undefined {
  switch (envelope.kind) {
    case "send":
      return envelope.call;
    case "kept":
      return envelope.send.call;
    case "response":
      return envelope.to.call;
    case "publish":
    case "timer":
      return undefined;
  }
}

/**
 * Resolves when `condition` holds, or the queue is closed. It checks at once and after each envelope. Rejects when `condition`
 * throws.
 */
async function until(condition: () => boolean, queue: EnvelopeQueue): Promise<void> {
  while (!queue.isClosed && !condition()) {
    await nextChange(queue);
    // Code that awaits an answer continues a few turns after the envelope is done.
    await nextTurn();
  }
}

function nextChange(queue: EnvelopeQueue): Promise<void> {
  return new Promise((resolve) => {
    let timer: Timer | undefined;
    const change = () => {
      stopListening();
      timer?.cancel();
      resolve();
    };
    const stopListening = queue.onDone(change);
    timer = realClock.setTimer(checkEveryMs, change, { keepAlive: true });
  });
}
