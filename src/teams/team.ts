import {
  assertOptions,
  callable,
  flag,
  handlerTable,
  type KeptRunTurn,
  keptRunOf,
  listOf,
  type MessageContext,
  number,
  optionShape,
  persistentAgent,
  quoted,
  randomId,
  slotOf,
  TroupeError,
  type UnfinishedRun,
} from "../core/internal.ts";
import {
  type ChatMessage,
  RunTeam,
  Said,
  StopTeam,
  TakeTurn,
  TeamResult,
  type TokenCounts,
  TurnTaken,
  UiPart,
} from "./messages.ts";
import { assertParticipants, type Next, type Participant, speakersOf, type Turn } from "./next.ts";
import { checkAgain, saidIn, savedRun, untold } from "./run-progress.ts";
import { type KeptTurn, type TurnOutcome, takeTurns } from "./take-turns.ts";
import { assertFitsThread, bytesOf, fromOutside, type Spoken, type TeamRun, teamState } from "./thread.ts";
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
    .rpc(RunTeam, function (task, context) {
      return this.#answerTask(task, context);
    })
    .rpc(TakeTurn, function (turn, context) {
      return this.#answerTurn(turn, context);
    })
    .message(StopTeam, async function ({ reason }) {
      this.#stopReason = reason;
      const { run } = this.state;
      if (!this.#isRunning || run === null) return;
      this.state.run = { ...run, stop: reason };
      await this.saveNow();
    });

  readonly #options: TeamOptions;
  #isRunning = false;
  #stopReason: string | undefined;
  #bytes = 0;
  /** Chunks of the present run so far, also those of earlier workers. */
  #toldChunks = 0;

  constructor(options: TeamOptions) {
    assertOptions(options, shape, "A Team");
    assertParticipants(options.participants);
    if (options.next === undefined)
      throw new TroupeError("invalid-argument", "A Team needs the option next, such as roundRobin().");
    super(options.description ?? "A team");
    this.#options = options;
  }

  /** Continues a run whose worker was lost, from the last save. Called by runtimes. */
  async *continueRun(
    run: UnfinishedRun,
    context: MessageContext,
  ): AsyncGenerator<Said | UiPart, TeamResult | TurnTaken, undefined> {
    const { message } = run;
    if (RunTeam.is(message)) return yield* this.#answerTask(message, context, run);
    if (TakeTurn.is(message)) return yield* this.#answerTurn(message, context, run);
    const text = `${this.id} can't continue run "${run.id}": it began with a message of another type than RunTeam and TakeTurn.`;
    throw new TroupeError("invalid-message", `${text} Override continueRun for it.`);
  }

  async *#answerTask(
    { task }: RunTeam,
    context: MessageContext,
    unfinished?: UnfinishedRun,
  ): AsyncGenerator<Said, TeamResult, undefined> {
    const given = task === "" ? [] : [{ source: "user", content: task }];
    const { said, reason } = yield* this.#runAlone(given, context, unfinished);
    const messages = said.map(({ source, content }) => ({ source, content }));
    return TeamResult({ messages, stop_reason: reason, ...tokensOf(said) });
  }

  async *#answerTurn(
    { messages, note }: TakeTurn,
    context: MessageContext,
    unfinished?: UnfinishedRun,
  ): AsyncGenerator<UiPart, TurnTaken, undefined> {
    const given = note === "" ? messages : [...messages, { source: "team", content: note }];
    const run = this.#runAlone(given, context, unfinished && saidIn(unfinished));
    let step = await run.next();
    for (; step.done !== true; step = await run.next()) {
      const { source, content, part } = step.value;
      yield UiPart({ type: "data-said", data: { source, content, part } });
    }
    const { said } = step.value;
    const last = said.findLast(({ participant }) => participant !== "");
    return TurnTaken({ content: last?.content ?? "", ...tokensOf(said) });
  }

  async *#runAlone(
    given: readonly ChatMessage[],
    context: MessageContext,
    unfinished: UnfinishedRun | undefined,
  ): AsyncGenerator<Said, RunOutcome, undefined> {
    if (this.#isRunning) {
      const text = `The team ${this.id} is running. Wait for its answer, or give the task to a team with another key.`;
      throw new TroupeError("wrong-state", text);
    }
    this.#isRunning = true;
    this.#stopReason = undefined;
    this.#toldChunks = unfinished?.next ?? 0;
    const run = this.#run(given.map(fromOutside), context, unfinished);
    try {
      for (;;) {
        const step = await run.next();
        if (step.done === true) return step.value;
        this.#toldChunks += 1;
        yield step.value;
      }
    } finally {
      // After the end `return` changes nothing.
      await run.return(undefined as never);
      this.#isRunning = false;
    }
  }

  async *#run(
    given: readonly Spoken[],
    context: MessageContext,
    unfinished: UnfinishedRun | undefined,
  ): AsyncGenerator<Said, RunOutcome, undefined> {
    const { next, until, maxTurns = 50, participants } = this.#options;
    const { state } = this;
    const { signal } = context;
    const kept = keptRunOf(context);
    const saved = unfinished && savedRun(`${this.id}`, state.run, unfinished);
    const startedMs = performance.now() - (saved?.elapsedMs ?? 0);
    const check: Check = until === undefined ? () => undefined : beginCheck(until);
    const from = saved?.from ?? state.thread.length;
    const said: Spoken[] = state.thread.slice(from);
    const sizes: number[] = [...(saved?.sizes ?? [])];
    const turn = (): Turn => ({
      ...{ thread: state.thread, participants, last: state.last, turns: Math.max(0, sizes.length - 1), signal },
      elapsedMs: performance.now() - startedMs,
    });
    const reasonAfter = async (checked: string | undefined) => {
      const reason = checked ?? pingPong(said) ?? this.#stopReason;
      return reason ?? (turn().turns >= maxTurns ? `Maximum number of turns ${maxTurns} reached.` : undefined);
    };
    const save = async (told: number, asked: TeamRun["asked"] = []) => {
      if (kept === undefined) {
        state.run = null;
        return this.saveNow();
      }
      const stop = this.#stopReason ?? "";
      const elapsedMs = Math.round(performance.now() - startedMs);
      state.run = { id: kept.id, from, sizes: [...sizes], elapsedMs, chunks: this.#toldChunks, told, asked, stop };
      await (slotOf(this)?.saveNow(kept) ?? this.saveNow());
    };
    if (state.id === "") state.id = randomId();
    this.#bytes = state.thread.reduce((sum, message) => sum + bytesOf(message), 0);
    let reason: string | undefined;
    let again: TeamRun["asked"] = [];
    let told: ReadonlyMap<string, number> = new Map();
    if (saved !== undefined && unfinished !== undefined) {
      if (saved.stop !== "") this.#stopReason = saved.stop;
      const missing = untold(saved, said, unfinished);
      told = missing.told;
      for (const message of missing.messages) yield saidOf(message);
      again = saved.asked;
      const checked = await checkAgain(check, saved, turn());
      reason =
        sizes.length > 1 && again.length === 0 ? await reasonAfter(checked) : again.length > 0 ? undefined : checked;
    } else {
      sizes.push(given.length);
      yield* this.#add(given, said, kept && (() => save(0)));
      if (kept === undefined) await save(0);
      reason = given.length === 0 ? undefined : await check(turn(), given);
    }
    while (reason === undefined) {
      const chosen = again.length > 0 ? again : await next(turn());
      const speakers = speakersOf(`${this.id}`, chosen, participants);
      if (speakers.length === 0) return { said, reason: "No participant was chosen to speak." };
      const isAgain = again.length > 0;
      again = [];
      if (kept !== undefined && !isAgain)
        await save(
          said.length,
          speakers.map(({ member: { name }, note }) => ({ name, note })),
        );
      const { scope } = context;
      const keptTurn = kept && { run: kept.id, number: sizes.length, scope, isAgain, told };
      const outcomes = yield* this.#take(speakers, signal, keptTurn);
      if (kept !== undefined) assertGoesOnHere(signal);
      const before = said.length;
      sizes.push(0);
      const saving = async () => {
        sizes[sizes.length - 1] = said.length - before;
        await save(kept === undefined ? 0 : before);
      };
      const delta = yield* this.#step(outcomes, said, { saving, isKept: kept !== undefined });
      reason = await reasonAfter(await check(turn(), delta));
      if (reason === undefined && kept?.isLeaving === true) leave(kept, signal);
    }
    return { said, reason };
  }

  async *#take(speakers: Parameters<typeof takeTurns>[0], signal: AbortSignal, kept: KeptTurn | undefined) {
    const { turnTimeoutMs: timeoutMs = 120_000, shareChunks: sharesChunks = false } = this.#options;
    const { state } = this;
    return yield* takeTurns(speakers, { team: this, state, signal, timeoutMs, sharesChunks, kept });
  }

  /** Adds the messages of a turn to the thread and saves it. Throws the error of a participant that ends the run. */
  async *#step(
    outcomes: readonly TurnOutcome[],
    said: Spoken[],
    { saving, isKept }: { readonly saving: () => Promise<void>; readonly isKept: boolean },
  ): AsyncGenerator<Said, readonly Spoken[], undefined> {
    const failed = outcomes.map((outcome) => (outcome.at === "failed" ? this.#failed(outcome) : undefined));
    const delta = outcomes.flatMap((outcome, at) => {
      if (outcome.at === "taken") return [outcome.said];
      const message = failed[at]?.message;
      return message === undefined ? [] : [message];
    });
    // A participant whose failure ends the run has not had its turn: the next run asks it again.
    const last = outcomes.findLast((_, at) => failed[at] === undefined || failed[at].message !== undefined);
    const lastName = last?.chosen.member.name ?? this.state.last;
    const { length } = this.state.thread;
    for (const { at, chosen } of outcomes) if (at === "taken") this.state.seen[chosen.member.name] = length;
    this.state.turns += 1;
    if (isKept) this.state.last = lastName;
    yield* this.#add(delta, said, isKept ? saving : undefined);
    if (!isKept) {
      this.state.last = lastName;
      await saving();
    }
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

  /** `saving`: of a kept run, whose readers see messages when they are saved. */
  async *#add(
    messages: readonly Spoken[],
    said: Spoken[],
    saving?: () => Promise<void>,
  ): AsyncGenerator<Said, void, undefined> {
    const { thread } = this.state;
    const bytes = messages.reduce((sum, message) => sum + bytesOf(message), this.#bytes);
    assertFitsThread(`${this.id}`, thread.length + messages.length, bytes);
    this.#bytes = bytes;
    thread.push(...messages);
    said.push(...messages);
    await saving?.();
    for (const message of messages) yield saidOf(message);
  }
}

function saidOf({ source, content }: Spoken): Said {
  return Said({ source, content });
}

/** A run that continues at another worker must not save what its end here has done to a turn. */
function assertGoesOnHere({ aborted, reason }: AbortSignal): void {
  if (aborted && TroupeError.from(reason).code === "shutting-down") throw reason;
}

/** Leaves the run to the next worker. */
function leave(run: KeptRunTurn, signal: AbortSignal): void {
  run.close();
  signal.throwIfAborted();
}

function tokensOf(said: readonly Spoken[]): TokenCounts {
  let [prompt_tokens, completion_tokens] = [0, 0];
  for (const message of said) {
    prompt_tokens += message.prompt_tokens;
    completion_tokens += message.completion_tokens;
  }
  return { prompt_tokens, completion_tokens };
}
