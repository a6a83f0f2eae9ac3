import {
  type AgentName,
  type AgentRunQuery,
  type Commit,
  type Epoch,
  type KeptCommit,
  type KeptOutcome,
  onlySends,
  type RememberedMessage,
  type ReminderChange,
  type RunChange,
  type RunList,
  type RunName,
  type RunPage,
  type RunPageQuery,
  type StateKeeper,
  type StateRecord,
  type StoredReminder,
  TroupeError,
  UndeliverableException,
} from "../../core/internal.ts";
import type { HostedOutcome, StateFailure, WireMail } from "../../protocol/internal.ts";
import type { HostAnswer, HostAsk } from "../connection/streams/state-stream.ts";

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
  /** Whether the present host keeps runs. Undefined: that is not known. */
  readonly hostKeepsRuns: () => boolean | undefined;
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

  commit(commit: KeptCommit<Hosted>): Promise<KeptOutcome> {
    const { out } = commit;
    const [first] = out;
    return out.length === 1 && first !== undefined && isAnswer(first)
      ? this.#commitWithAnswer(commit, first)
      : this.#commitWithAll(commit);
  }

  /** The usual commit: an answer leaves with it, and nothing else. It makes no lists. */
  async #commitWithAnswer(commit: KeptCommit<Hosted>, answer: HostedAnswer): Promise<KeptOutcome> {
    if (onlySends(commit)) return sentAlone;
    if (answer.isLost) return { at: "failed", error: lostCall(commit.agent) };
    const { way } = answer;
    const answers = way === undefined ? noBytes : [answer.bytes];
    const outcome = await this.#commit(way, commit, { answers, events: noBytes });
    if (outcome.at !== "committed") return outcome;
    if (way !== undefined) answer.left();
    this.#tellReminders(commit);
    return outcome;
  }

  async #commitWithAll(commit: KeptCommit<Hosted>): Promise<KeptOutcome> {
    const riding = commit.out.filter(isAnswer);
    const events = commit.out.flatMap(bytesOfEvent);
    const isDurable = commit.out.some((one) => one instanceof HostedEvent);
    if (!isDurable && onlySends(commit)) {
      for (const event of events) this.#options.sendEvent(event);
      return sentAlone;
    }
    if (riding.some(({ isLost }) => isLost)) return { at: "failed", error: lostCall(commit.agent) };
    const way = riding.map((answer) => answer.way).find((found) => found !== undefined);
    // Of an answer without a connection no caller is left. One of another connection follows by that one.
    const sent = way === undefined ? [] : riding.filter((answer) => answer.way === way);
    const answers = sent.map(({ bytes }) => bytes);
    const outcome = await this.#commit(way, commit, { answers, events });
    if (outcome.at !== "committed") return outcome;
    for (const answer of sent) answer.left();
    this.#tellReminders(commit);
    return outcome;
  }

  #tellReminders({ agent, reminders }: Commit): void {
    if (reminders.length > 0) this.#options.remindersChanged(agent, reminders);
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

  // protocol.md §11.24
  get keepsRuns(): boolean {
    return this.#options.hostKeepsRuns() !== false;
  }

  async readRun(
    { agent, id }: RunName,
    { from = 0, message = false, maxBytes = 0 }: RunPageQuery,
  ): Promise<RunPage | undefined> {
    const answer = await this.#runsHost().ask({ kind: "run", agent, id, from, message, maxBytes });
    if (answer.kind !== "run") throw foreign(answer);
    const { outcome } = answer;
    if (outcome.at === "failed") throw errorOf(outcome);
    if (outcome.at === "nothing") return undefined;
    const { run, message: start, from: first, chunks, outcome: end } = outcome;
    return { run: { agent, ...run }, message: start, from: first, chunks, outcome: end };
  }

  async listRuns({ agent, status, after = "", limit = 0 }: AgentRunQuery): Promise<RunList> {
    const answer = await this.#runsHost().ask({ kind: "runs", agent, status, after, limit });
    if (answer.kind !== "runs") throw foreign(answer);
    const { outcome } = answer;
    if (outcome.at === "failed") throw errorOf(outcome);
    return { runs: outcome.runs.map((run) => ({ agent, ...run })), isLast: outcome.isLast };
  }

  /** A host that knows nothing of runs would not see what a commit says of them. */
  #runsHost(): HostStates {
    if (this.#options.hostKeepsRuns() === true) return this.#host();
    const text = "The worker has no host now that has said that it keeps runs. Try again when it has one.";
    throw new UndeliverableException(text, { code: "disconnected", notHandled: true });
  }

  /** Never rejects. */
  #commit(
    way: HostStates | undefined,
    commit: Commit,
    { answers, events }: { readonly answers: readonly Uint8Array[]; readonly events: readonly Uint8Array[] },
  ): Promise<KeptOutcome> {
    const { agent, epoch, expected, write, reminders, remembered, runs = noRuns } = commit;
    const mail = commit.mail.length === 0 ? noMail : commit.mail.map(({ id, frame }) => ({ id, message: frame }));
    let host: HostStates;
    try {
      host = way ?? (runs.length === 0 ? this.#host() : this.#runsHost());
    } catch (error) {
      return Promise.resolve(failedOutcome(error));
    }
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
      runs,
    };
    return host.ask(ask).then(outcomeOf, failedOutcome);
  }

  #host(): HostStates {
    const host = this.#options.host();
    if (host !== undefined) return host;
    const text =
      "The worker has no host now, which keeps the states of its agents. Start the worker, or try again when it has a host.";
    throw new UndeliverableException(text, { code: "disconnected", notHandled: true });
  }
}

const noBytes: readonly Uint8Array[] = [];
const noMail: readonly WireMail[] = [];
const noRuns: readonly RunChange[] = [];
/** Nothing was to be written: the messages are on their way, or the runtime sends them. */
const sentAlone: KeptOutcome = { at: "committed", eTag: "", revision: 0 };

function isAnswer(one: Hosted): one is HostedAnswer {
  return !(one instanceof Uint8Array) && !(one instanceof HostedEvent);
}

function bytesOfEvent(one: Hosted): readonly Uint8Array[] {
  if (one instanceof Uint8Array) return [one];
  return one instanceof HostedEvent ? [one.bytes] : noBytes;
}

function outcomeOf(answer: HostAnswer): KeptOutcome {
  return answer.kind === "committed" ? keptOutcome(answer.outcome) : failedOutcome(foreign(answer));
}

function failedOutcome(thrown: unknown): KeptOutcome {
  const error = TroupeError.from(thrown);
  return { at: error.code === "state-unknown" ? "unknown" : "failed", error };
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
