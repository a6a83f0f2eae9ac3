import type { Clock } from "../clock.ts";
import { loggableText } from "../delivery/loggable.ts";
import type { Logger } from "../logger.ts";
import { messageTypeText } from "../serialization/message-index.ts";
import type { Running } from "./envelope.ts";

/** The first line comes after this time, each further one after that time. */
const firstReportMs = 1_000;
const nextReportMs = 30_000;
/** Messages that a line names. */
const mostNamed = 10;

/** A message that an agent's handler handles. */
export type Handled = Pick<Running, "agentId" | "message">;

export interface IdleReportOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The method that waits, for the text. */
  readonly what: string;
  readonly running: () => readonly Handled[];
}

/**
 * Logs a warning with what a wait for the end of all work waits for: after a second, and every 30 s after that. It keeps the process
 * alive until the first line, because a process without other work would end first, and its user would not learn why. Returns a
 * function that ends it.
 */
export function reportWhileBusy({ clock, logger, what, running }: IdleReportOptions): () => void {
  const report = () => {
    const handled = running();
    const waits = handled.length === 0 ? "an intervention that decides about a message" : handlersText(handled);
    const advice = "A timeoutMs bounds a call; close() ends what runs. This wait does not keep the process alive.";
    logger.warn(`${what} still waits for ${waits}. ${advice}`);
    timer = clock.setTimer(nextReportMs, report);
  };
  let timer = clock.setTimer(firstReportMs, report, { keepAlive: true });
  return () => timer.cancel();
}

function handlersText(handled: readonly Handled[]): string {
  return `${handled.length} ${handled.length === 1 ? "handler" : "handlers"}: ${namesOf(handled)}`;
}

/** The first messages with their agents, and how many more there are. */
export function namesOf(handled: readonly Handled[]): string {
  const named = handled
    .slice(0, mostNamed)
    .map(({ agentId, message }) => loggableText(`${agentId} (${messageTypeText(message)})`));
  const more = handled.length > mostNamed ? ` and ${handled.length - mostNamed} more` : "";
  return `${named.join(", ")}${more}`;
}
