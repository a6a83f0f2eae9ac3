import {
  assertOptions,
  callable,
  flag,
  handlerTable,
  listOf,
  type MessageContext,
  number,
  optionShape,
  persistentAgent,
  quoted,
  TroupeError,
} from "../core/internal.ts";
import { type ChatMessage, RunTeam, Said, StopTeam, TakeTurn, TeamResult, TurnTaken, UiPart } from "./messages.ts";
import { type Next, type Participant, speakersOf, type Turn } from "./next.ts";
import { type TurnOutcome, takeTurns } from "./take-turns.ts";
import { assertFitsThread, bytesOf, fromOutside, type Spoken, teamState } from "./thread.ts";
import { beginCheck, type Check, pingPong, type Until } from "./until.ts";

/** A participant's turn that failed. */
export interface FailedTurn {
  /** Name of the participant. */
  readonly participant: string;
  readonly error: TroupeError;
}

/** Options of a `Team`. */
export interface TeamOptions {
  /** Participants, each with a name of its own. `user` and `team` name others. */
  readonly participants: readonly Participant[];
  /** Chooses who speaks next: `roundRobin()`, `selector(ask)`, `handoffs()` or a function. */
  readonly next: Next;
  /** When a run stops besides its other ends. It sees the task, and then the messages of each turn. Default: never. */
  readonly until?: Until | undefined;
  /** Turns of a run; participants that speak at once have one together. Default: 50. */
  readonly maxTurns?: number | undefined;
  /** Milliseconds that a turn may take. Default: 120 000. */
  readonly turnTimeoutMs?: number | undefined;
  /**
   * Says what becomes of a turn that fails. `fail`: the run fails with that error. `skip`: the thread has a note, and the run continues. A function
   * returns the message that the thread has in its place. A run that was cancelled or found in a loop always fails. Default: `fail`.
   */
  readonly whenTurnFails?: "fail" | "skip" | ((failure: FailedTurn) => ChatMessage) | undefined;
  /** Whether the chunks of the participants are among those of the run. Default: false. */
  readonly shareChunks?: boolean | undefined;
  /** Text by which other teams choose this one. Default: `A team`. */
  readonly description?: string | undefined;
}

const shape = optionShape<TeamOptions>({
  participants: listOf({
    expected: 'a participant, such as participant("writer", "writes the draft")',
    accepts: (value) => typeof value === "object" && value !== null && "name" in value && "agent" in value,
  }),
  next: callable,
  until: {
    expected: "a condition, such as maxMessages(20), or a function",
    accepts: (value) =>
      typeof value === "function" || (typeof value === "object" && value !== null && "begin" in value),
  },
  maxTurns: number({ from: 1 }),
  turnTimeoutMs: number({ from: 1 }),
  whenTurnFails: {
    expected: '"fail", "skip" or a function',
    accepts: (value) => value === "fail" || value === "skip" || typeof value === "function",
  },
  shareChunks: flag,
  description: { expected: "a text", accepts: (value) => typeof value === "string" },
});

/** The result of a run, with what each message told. */
interface RunOutcome {
  readonly said: readonly Spoken[];
  readonly reason: string;
}

/** Codes of errors that end a run whatever `whenTurnFails` says. */
const endsRun: ReadonlySet<string> = new Set([
  "cancelled",
  "caller-gone",
  "shutting-down",
  "loop-detected",
  "deadlock",
]);

/**
 * A team: its participants take turns in one thread, until a condition holds. Each key is a team with its own thread, which is saved after each
 * turn where states are kept. `RunTeam` gives it a task, `StopTeam` ends a run early. It handles `TakeTurn`, so that it can take part
 * in another team. A second run fails as `wrong-state` while one is under way.
 *
 * @example
 * ```ts
 * await Team.register(runtime, "newsroom", () => new Team({
 *   participants: [participant("writer", "writes the draft"), participant("critic", "finds mistakes")],
 *   next: roundRobin(),
 *   until: any(mention("APPROVE"), maxMessages(20)),
 * }));
 * const { messages } = await runtime.sendMessage(RunTeam({ task: "A haiku about rain" }), new AgentId("newsroom", "haiku-1"));
 * ```
 */
export class Team extends persistentAgent(teamState) {
  static override readonly concurrency = "interleaved";

  static override readonly handlers = handlerTable<Team>()
    .rpc(RunTeam, async function* ({ task }, context) {
      const given = task === "" ? [] : [{ source: "user", content: task }];
      const { said, reason } = yield* this.#runAlone(given, context);
      const messages = said.map(({ source, content }) => ({ source, content }));
      return TeamResult({ messages, stop_reason: reason, ...tokensOf(said) });
    })
    .rpc(TakeTurn, async function* ({ messages, note }, context) {
      const run = this.#runAlone(note === "" ? messages : [...messages, { source: "team", content: note }], context);
      let step = await run.next();
      for (; step.done !== true; step = await run.next()) {
        const { source, content, part } = step.value;
        yield UiPart({ type: "data-said", data: { source, content, part } });
      }
      const { said } = step.value;
      const last = said.findLast(({ participant }) => participant !== "");
      return TurnTaken({ content: last?.content ?? "", ...tokensOf(said) });
    })
    .message(StopTeam, function ({ reason }) {
      this.#stopReason = reason;
    });

  readonly #options: TeamOptions;
  #isRunning = false;
  #stopReason: string | undefined;
  #bytes = 0;

  constructor(options: TeamOptions) {
    assertOptions(options, shape, "A Team");
    assertParticipants(options.participants);
    if (options.next === undefined)
      throw new TroupeError("invalid-argument", "A Team needs the option next, such as roundRobin().");
    super(options.description ?? "A team");
    this.#options = options;
  }

  async *#runAlone(
    given: readonly ChatMessage[],
    context: MessageContext,
  ): AsyncGenerator<Said, RunOutcome, undefined> {
    if (this.#isRunning) {
      const text = `The team ${this.id} is running. Wait for its answer, or give the task to a team with another key.`;
      throw new TroupeError("wrong-state", text);
    }
    this.#isRunning = true;
    this.#stopReason = undefined;
    try {
      return yield* this.#run(given.map(fromOutside), context);
    } finally {
      this.#isRunning = false;
    }
  }

  async *#run(given: readonly Spoken[], { signal }: MessageContext): AsyncGenerator<Said, RunOutcome, undefined> {
    const { next, until, maxTurns = 50 } = this.#options;
    const { state } = this;
    const startedMs = performance.now();
    const check: Check = until === undefined ? () => undefined : beginCheck(until);
    const said: Spoken[] = [];
    let turns = 0;
    const turn = (): Turn => ({
      ...{ thread: state.thread, participants: this.#options.participants, last: state.last, turns, signal },
      elapsedMs: performance.now() - startedMs,
    });
    this.#bytes = state.thread.reduce((sum, message) => sum + bytesOf(message), 0);
    yield* this.#add(given, said);
    await this.saveNow();
    let reason = given.length === 0 ? undefined : await check(turn(), given);
    while (reason === undefined) {
      const speakers = speakersOf(`${this.id}`, await next(turn()), this.#options.participants);
      if (speakers.length === 0) return { said, reason: "No participant was chosen to speak." };
      const delta = yield* this.#step(yield* this.#take(speakers, signal), said);
      turns += 1;
      reason = (await check(turn(), delta)) ?? pingPong(said) ?? this.#stopReason;
      if (turns >= maxTurns) reason ??= `Maximum number of turns ${maxTurns} reached.`;
    }
    return { said, reason };
  }

  async *#take(speakers: Parameters<typeof takeTurns>[0], signal: AbortSignal) {
    const { turnTimeoutMs: timeoutMs = 120_000, shareChunks: sharesChunks = false } = this.#options;
    const { state } = this;
    const length = state.thread.length;
    const outcomes = yield* takeTurns(speakers, { team: this, state, signal, timeoutMs, sharesChunks });
    for (const { at, chosen } of outcomes) if (at === "taken") state.seen[chosen.member.name] = length;
    state.last = speakers.at(-1)?.member.name ?? "";
    state.turns += 1;
    return outcomes;
  }

  /** Adds the messages of a turn to the thread and saves it. Throws the error of a participant that ends the run. */
  async *#step(outcomes: readonly TurnOutcome[], said: Spoken[]): AsyncGenerator<Said, readonly Spoken[], undefined> {
    const failed = outcomes.map((outcome) => (outcome.at === "failed" ? this.#failed(outcome) : undefined));
    const delta = outcomes.flatMap((outcome, at) => {
      if (outcome.at === "taken") return [outcome.said];
      const message = failed[at]?.message;
      return message === undefined ? [] : [message];
    });
    yield* this.#add(delta, said);
    await this.saveNow();
    for (const outcome of failed) if (outcome !== undefined && outcome.message === undefined) throw outcome.error;
    return delta;
  }

  /** Returns the error of a turn, and the message that the thread has in its place. Without one the run fails. */
  #failed({ chosen, error: thrown }: TurnOutcome & { readonly at: "failed" }) {
    const { whenTurnFails = "fail" } = this.#options;
    const cause = TroupeError.from(thrown);
    const { name } = chosen.member;
    const error = new TroupeError(
      cause.code,
      `The turn of ${quoted(name)} in the team ${this.id} failed: ${cause.message}`,
      { cause },
    );
    if (whenTurnFails === "fail" || endsRun.has(cause.code)) return { error, message: undefined };
    if (whenTurnFails === "skip") {
      return {
        error,
        message: fromOutside({ source: "team", content: `${name} did not take its turn (${cause.code}).` }),
      };
    }
    return { error, message: fromOutside(whenTurnFails({ participant: name, error: cause })) };
  }

  async *#add(messages: readonly Spoken[], said: Spoken[]): AsyncGenerator<Said, void, undefined> {
    const { thread } = this.state;
    const bytes = messages.reduce((sum, message) => sum + bytesOf(message), this.#bytes);
    assertFitsThread(`${this.id}`, thread.length + messages.length, bytes);
    this.#bytes = bytes;
    thread.push(...messages);
    said.push(...messages);
    for (const { source, content } of messages) yield Said({ source, content });
  }
}

function tokensOf(said: readonly Spoken[]): { readonly prompt_tokens: number; readonly completion_tokens: number } {
  let [prompt_tokens, completion_tokens] = [0, 0];
  for (const message of said) {
    prompt_tokens += message.prompt_tokens;
    completion_tokens += message.completion_tokens;
  }
  return { prompt_tokens, completion_tokens };
}

/** Sources in a thread that are no participants. */
const otherSources = ["user", "team"];

function assertParticipants(participants: readonly Participant[] | undefined): void {
  if (participants === undefined || participants.length === 0) {
    throw new TroupeError("invalid-argument", "A Team needs at least one participant in its option participants.");
  }
  const names = new Set<string>();
  for (const { name } of participants) {
    if (otherSources.includes(name)) {
      throw new TroupeError(
        "invalid-argument",
        `A participant can't be named ${name}: the thread has other messages of this source.`,
      );
    }
    if (names.has(name))
      throw new TroupeError("invalid-argument", `A Team has two participants with the name ${quoted(name)}.`);
    names.add(name);
  }
}
