import type { Clock } from "../../clock.ts";
import { loggableText } from "../../delivery/loggable.ts";
import type { TroupeError } from "../../errors.ts";
import type { RuntimeLog } from "../../limited-log.ts";
import type { AgentName } from "../../state/agent-name.ts";
import type { DeadReason, KeptMessage } from "../../state/durable-log.ts";
import type { CourierObservers, MailOccurrence } from "../courier-occurrence.ts";

/** The parts of `MailReports`. */
export interface MailReportsParts {
  readonly clock: Clock;
  readonly logger: RuntimeLog;
  readonly observers: CourierObservers | undefined;
}

/** Says what becomes of messages in mailboxes, in the log and to observers. */
export class MailReports {
  readonly #parts: MailReportsParts;

  constructor(parts: MailReportsParts) {
    this.#parts = parts;
  }

  observe(message: KeptMessage, what: MailOccurrence["what"], code: string | undefined): void {
    const { observers, clock } = this.#parts;
    if (observers?.now === undefined) return;
    const ageMs = Math.max(0, clock.wallNow() - message.sentAtMs);
    const { type: agentType, key } = message.mailbox;
    observers.now({ at: "mail", what, agentType, key, code, ageMs });
  }

  /** Messages wait for an agent to which they can't be delivered. */
  waits({ type, key }: AgentName, error: TroupeError): void {
    this.#parts.logger.warn(
      loggableText(`Told messages wait for ${type}/${key}, to which they can't be delivered: ${error.message}`),
      undefined,
      "Told messages wait for an agent to which they can't be delivered",
    );
  }

  /** A message becomes a dead letter. */
  isDead({ mailbox: { type, key } }: KeptMessage, why: DeadReason): void {
    const attempts = why.attempts === 1 ? "1 attempt" : `${why.attempts} attempts`;
    const text = `A message to ${type}/${key} is a dead letter (${why.code}, ${attempts}): ${why.text}`;
    this.#parts.logger.error(loggableText(text), undefined, "A told message is a dead letter");
  }
}
