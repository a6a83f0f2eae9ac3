import {
  type AgentCatalog,
  type CatalogEnd,
  type Clock,
  errorText,
  type LimitedLog,
  loggableError,
  loggableText,
  UndeliverableException,
} from "../core/internal.ts";
import { atMost } from "./connection/time-limits.ts";
import type { InFlight } from "./inbound/in-flight.ts";
import type { Inbox } from "./inbound/inbox.ts";
import { closeOutgoing, type Outgoing } from "./outbound/outgoing.ts";

export interface WorkerDrainOptions extends Outgoing {
  readonly settings: {
    readonly clock: Clock;
    readonly logger: LimitedLog;
    readonly drainTimeoutMs: number;
    readonly deactivationTimeoutMs: number;
  };
  readonly catalog: AgentCatalog;
  readonly inFlight: InFlight;
  readonly inbox: Inbox;
  /** Aborts when the stop must not wait any longer. */
  readonly hurry: AbortSignal;
  /** Whether the worker searches for a host that takes its last messages. */
  readonly isSeeking: () => boolean;
  /** Resolves when the worker has no host and searches for none: nothing can be sent. */
  readonly outOfReach: () => Promise<void>;
  /** Leaves every host. Never rejects. */
  readonly leave: (signal: AbortSignal) => Promise<void>;
}

/** Least milliseconds that a stop gives queued messages to leave. */
const flushTimeoutMs = 5_000;
/** Least milliseconds that a stop gives agents to close. */
const closeTimeoutMs = 5_000;
/** Milliseconds that a hurried stop still gives: callers get their last answers, and agents that close at once have closed. */
const hurriedMs = 500;
/** Milliseconds until the log says what a stop waits for, and between two such lines. */
const firstReportMs = 1_000;
const nextReportMs = 30_000;
/** Agents that a line of the log names. */
const mostNamed = 10;

/** Lets handlers finish while the worker still takes answers, and fails the rest. Then leaves the host and closes the agents. */
// protocol.md W14
export async function drainWorker(options: WorkerDrainOptions): Promise<void> {
  const { settings, catalog, inFlight, inbox, events, sendQueue, hurry: signal } = options;
  const { clock, drainTimeoutMs, logger } = settings;
  const endMs = clock.now() + drainTimeoutMs;
  const soon = soonAfter(signal, clock);
  const stopReports = reportWaits(options);
  try {
    await inFlight.idle(drainTimeoutMs, clock, signal);
    await atMost(events.decided(), Math.max(0, endMs - clock.now()), clock, signal);
    const leftMs = Math.max(endMs - clock.now(), options.isSeeking() ? 0 : flushTimeoutMs);
    await atMost(Promise.race([sendQueue.emptied(), options.outOfReach()]), leftMs, clock, signal);
    if (inFlight.size > 0) logger.warn(`The worker stops. It gives up ${handlersOf(inFlight)}.`);
    inbox.giveUp(new UndeliverableException("The worker is shutting down.", { code: "shutting-down" }));
    const end = catalog.beginClose();
    if (end.lastWords !== undefined) await lastWordsHaveLeft(end.lastWords, options, soon.signal);
    const lost = closeOutgoing(options, { code: "shutting-down", text: "The worker has stopped." });
    if (lost > 0) logger.error(`The worker stops; ${lost} queued events are lost.`);
    await options.leave(soon.signal);
    // The worker cannot end a factory or a `close` that hangs, so the stop does not wait for it.
    await atMost(closeAgents(end, options), Math.max(endMs - clock.now(), closeTimeoutMs), clock, soon.signal);
    reportUnended(options);
  } finally {
    soon.stop();
    stopReports();
    logger.flush();
  }
}

/** Waits until the messages and states of agents that end have left by the same connection. */
async function lastWordsHaveLeft(words: Promise<unknown>, options: WorkerDrainOptions, signal: AbortSignal) {
  const { settings, sendQueue } = options;
  const { clock, deactivationTimeoutMs } = settings;
  const waitedBefore = sendQueue.waitingCount;
  await atMost(words, deactivationTimeoutMs, clock, signal);
  if (sendQueue.waitingCount <= waitedBefore) return;
  await atMost(Promise.race([sendQueue.emptied(), options.outOfReach()]), flushTimeoutMs, clock, signal);
}

/** Ends the agents of a worker that does not run. Never rejects. */
export async function endAgents(options: Pick<WorkerDrainOptions, "catalog" | "settings">): Promise<void> {
  const { catalog, settings } = options;
  await atMost(closeAgents(catalog.beginClose(), options), closeTimeoutMs, settings.clock);
  reportUnended(options);
}

/** Never rejects. */
async function closeAgents(end: CatalogEnd, { settings }: Pick<WorkerDrainOptions, "settings">): Promise<void> {
  try {
    await end.close();
  } catch (error) {
    settings.logger.error(`An agent failed to close: ${errorText(error)}`, { error: loggableError(error) });
  }
}

function reportUnended({ catalog, settings }: Pick<WorkerDrainOptions, "catalog" | "settings">): void {
  const { unended } = catalog;
  if (unended.length === 0) return;
  const named = listOf(unended.map(({ id, at }) => `${id} (${at})`));
  settings.logger.error(
    `Agents had not ended when the worker stopped: ${named}. An agent that is being made is closed when its factory ends.`,
  );
}

/** Logs what the stop waits for: after a second, and rarely after that. Returns a function that ends it. */
function reportWaits(options: WorkerDrainOptions): () => void {
  const { clock, logger } = options.settings;
  const report = () => {
    const waits = waitsOf(options);
    if (waits.length > 0) logger.info(`The worker stops. It waits for ${waits.join(", for ")}.`);
    timer = clock.setTimer(nextReportMs, report);
  };
  let timer = clock.setTimer(firstReportMs, report);
  return () => timer.cancel();
}

function waitsOf({ inFlight, events, sendQueue, catalog }: WorkerDrainOptions): string[] {
  const waits: string[] = [];
  if (inFlight.size > 0) waits.push(handlersOf(inFlight));
  if (events.undecidedCount > 0)
    waits.push(`an intervention that decides about ${counted(events.undecidedCount, "event")}`);
  if (sendQueue.waitingCount > 0) waits.push(`${counted(sendQueue.waitingCount, "message")} to be sent`);
  const { unended } = catalog;
  if (unended.length > 0)
    waits.push(`${counted(unended.length, "agent")}: ${listOf(unended.map(({ id, at }) => `${id} (${at})`))}`);
  return waits;
}

function handlersOf(inFlight: InFlight): string {
  return `${counted(inFlight.size, "handler")}: ${listOf(inFlight.names(mostNamed), inFlight.size)}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function listOf(names: readonly string[], count = names.length): string {
  const shown = names.slice(0, mostNamed).map(loggableText);
  return count > shown.length ? `${shown.join(", ")} and ${count - shown.length} more` : shown.join(", ");
}

/** A signal that aborts a little after the other. `stop` cancels its timer. */
function soonAfter(hurry: AbortSignal, clock: Clock): { readonly signal: AbortSignal; readonly stop: () => void } {
  const soon = new AbortController();
  let cancel = () => {};
  const onHurry = () => {
    const timer = clock.setTimer(hurriedMs, () => soon.abort(), { keepAlive: true });
    cancel = () => timer.cancel();
  };
  hurry.addEventListener("abort", onHurry, { once: true });
  if (hurry.aborted) onHurry();
  const stop = () => {
    hurry.removeEventListener("abort", onHurry);
    cancel();
  };
  return { signal: soon.signal, stop };
}
