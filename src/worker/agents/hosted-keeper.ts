import {
  type AgentName,
  type Commit,
  type Epoch,
  type KeptCommit,
  type KeptOutcome,
  onlySends,
  type RememberedMessage,
  type ReminderChange,
  type StateKeeper,
  type StateRecord,
  type StoredReminder,
  TroupeError,
  UndeliverableException,
} from "../../core/internal.ts";
import type { HostedOutcome, StateFailure, WireMail } from "../../protocol/internal.ts";
import type { HostAnswer, HostAsk } from "../connection/state-stream.ts";

/** A way to a host that keeps states. */
export interface HostStates {
  ask(ask: HostAsk): Promise<HostAnswer>;
}

/** An answer of this worker that rides on a commit. */
export interface HostedAnswer {
  /** The encoded answer. */
  readonly bytes: Uint8Array;
  /** The way to the host that the answer must take. Undefined: its connection has ended, and no caller waits for it. */
  readonly way: HostStates | undefined;
  /** Whether the host fails the call, since its connection has ended: then nothing of its turn may be written. */
  readonly isLost: boolean;
  /** The host lets the answer go, so that the worker does not send it. */
  left(): void;
}

// protocol.md §11.18
/** A durable event of a turn: the host keeps it when it writes the commit. */
export class HostedEvent {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** An answer, a durable event, or the bytes of another event, that leaves with a commit. */
export type Hosted = HostedAnswer | HostedEvent | Uint8Array;

export interface HostedKeeperOptions {
  /** The way to the present host; undefined without a connection. */
  readonly host: () => HostStates | undefined;
  /** Sends an event that rides on no write. Must not throw. */
  readonly sendEvent: (frame: Uint8Array) => void;
  /** Called when reminders were set or cancelled, before those who wait for the commit. Must not throw. */
  readonly remindersChanged: (agent: AgentName, changes: readonly ReminderChange[]) => void;
}

// protocol.md §11.15
/** Keeps the persistent agents of a worker at its host. */
export class HostedKeeper implements StateKeeper<Hosted> {
  readonly #options: HostedKeeperOptions;

  constructor(options: HostedKeeperOptions) {
    this.#options = options;
  }

  async load(
    agent: AgentName,
    { epoch, unless }: { readonly epoch: Epoch | undefined; readonly unless?: string | undefined },
  ): Promise<StateRecord | "unchanged" | undefined> {
    const answer = await this.#host().ask({ kind: "load", agent, epoch, unless });
    if (answer.kind !== "loaded") throw foreign(answer);
    const { outcome } = answer;
    if (outcome.at === "failed") throw errorOf(outcome);
    if (outcome.at === "record") return outcome.record;
    return outcome.at === "unchanged" ? "unchanged" : undefined;
  }

  async commit(commit: KeptCommit<Hosted>): Promise<KeptOutcome> {
    const riding: HostedAnswer[] = [];
    const events: Uint8Array[] = [];
    let isDurable = false;
    for (const one of commit.out) {
      if (one instanceof Uint8Array) events.push(one);
      else if (one instanceof HostedEvent) {
        isDurable = true;
        events.push(one.bytes);
      } else riding.push(one);
    }
    if (!isDurable && onlySends(commit)) {
      for (const event of events) this.#options.sendEvent(event);
      return { at: "committed", eTag: "", revision: 0 };
    }
    if (riding.some(({ isLost }) => isLost)) return { at: "failed", error: lostCall(commit.agent) };
    const way = riding.map((answer) => answer.way).find((found) => found !== undefined);
    // Of an answer without a connection no caller is left. One of another connection follows by that one.
    const sent = way === undefined ? [] : riding.filter((answer) => answer.way === way);
    const outcome = await this.#commit(way, commit, { answers: sent.map(({ bytes }) => bytes), events });
    if (outcome.at !== "committed") return outcome;
    for (const answer of sent) answer.left();
    const { agent, reminders } = commit;
    if (reminders.length > 0) this.#options.remindersChanged(agent, reminders);
    return outcome;
  }

  async remembered(agent: AgentName, id: string, principal: string): Promise<RememberedMessage | undefined> {
    const answer = await this.#host().ask({ kind: "remembered", agent, id, principal });
    if (answer.kind !== "remembered") throw foreign(answer);
    const { outcome } = answer;
    if (outcome.at === "failed") throw errorOf(outcome);
    return outcome.at === "found" ? { id, principal, answer: outcome.answer } : undefined;
  }

  async reminders(agent: AgentName): Promise<readonly StoredReminder[]> {
    const answer = await this.#host().ask({ kind: "reminders", agent });
    if (answer.kind !== "reminders") throw foreign(answer);
    const { outcome } = answer;
    if (outcome.at === "failed") throw errorOf(outcome);
    return outcome.reminders.map((reminder) => ({ ...reminder, agent }));
  }

  async #commit(
    way: HostStates | undefined,
    commit: Commit,
    frames: { readonly answers: readonly Uint8Array[]; readonly events: readonly Uint8Array[] },
  ): Promise<KeptOutcome> {
    try {
      const { agent, epoch, expected, write, reminders, remembered } = commit;
      const mail = commit.mail.map(({ id, frame }): WireMail => ({ id, message: frame }));
      const host = way ?? this.#host();
      const { answers, events } = frames;
      // Field by field: to spread the commit costs more than everything else here.
      const ask: HostAsk = {
        kind: "commit",
        agent,
        epoch,
        expected,
        write,
        answers,
        events,
        mail,
        reminders,
        remembered,
      };
      const answer = await host.ask(ask);
      if (answer.kind !== "committed") throw foreign(answer);
      return keptOutcome(answer.outcome);
    } catch (thrown) {
      const error = TroupeError.from(thrown);
      return { at: error.code === "state-unknown" ? "unknown" : "failed", error };
    }
  }

  #host(): HostStates {
    const host = this.#options.host();
    if (host !== undefined) return host;
    const text = "The worker has no host now, which keeps the states of its agents.";
    throw new UndeliverableException(text, { code: "disconnected", notHandled: true });
  }
}

function keptOutcome(outcome: HostedOutcome): KeptOutcome {
  switch (outcome.at) {
    case "failed":
    case "unknown":
      return { at: outcome.at, error: errorOf(outcome) };
    case "committed":
    case "conflict":
    case "stale":
    case "refused":
      return outcome;
  }
}

function errorOf({ code, text }: Pick<StateFailure, "code" | "text">): TroupeError {
  return new TroupeError(code, text);
}

function lostCall({ type, key }: AgentName): UndeliverableException {
  const text = `The connection has ended by which the call to ${type}/${key} came. Its caller has an error, and nothing of its turn is written.`;
  return new UndeliverableException(text, { code: "disconnected" });
}

function foreign({ kind }: HostAnswer): TroupeError {
  return new TroupeError("invalid-message", `The host gave an answer of another kind: ${kind}.`);
}
