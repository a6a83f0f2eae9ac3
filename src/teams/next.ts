import {
  AgentId,
  assertKind,
  assertOptions,
  assertText,
  callable,
  flag,
  number,
  optionShape,
  quoted,
  TroupeError,
  text,
} from "../core/internal.ts";
import type { Spoken } from "./thread.ts";

/** A member of a team. `participant` makes it. */
export interface Participant {
  /** Its name in the team, which is the source of its messages. */
  readonly name: string;
  /** Text by which others choose it. */
  readonly description: string;
  /** Its agent, or the type of its agent; the agent of that type has the team's key. */
  readonly agent: AgentId | string;
  /** As the options of `participant`. Default: a call, which is repeatable. */
  readonly run?: boolean | undefined;
  readonly repeatable?: boolean | undefined;
}

/** Options of `participant`. */
export interface ParticipantOptions {
  /** An agent, or the type of an agent that has the team's key. Default: the participant's name is the type. */
  readonly agent?: AgentId | string | undefined;
  /**
   * Whether a kept run of the team asks it by a run of its own, named after the run and the number of the turn. When the team's worker is lost, the
   * next one finds that run again. The agent must be one of Troupe, and should keep a state. Default: false, a call.
   */
  readonly run?: boolean | undefined;
  /**
   * Whether a kept run of the team asks it again for a turn during which the team's worker was lost. If not, that turn fails, unless the run of
   * the participant is found again. Default: true.
   */
  readonly repeatable?: boolean | undefined;
}

const participantShape = optionShape<ParticipantOptions>({
  agent: {
    expected: 'an AgentId or an agent type, such as "writer"',
    accepts: (value) => value instanceof AgentId || (typeof value === "string" && value !== ""),
  },
  run: flag,
  repeatable: flag,
});

/**
 * Returns a participant of a team: an agent that handles `TakeTurn`. By default it is the agent `<name>/<key of the team>`, so that each team
 * has its own.
 */
export function participant(name: string, description: string, options: ParticipantOptions = {}): Participant {
  assertOptions(options, participantShape, "participant");
  assertText(name, "The name of a participant");
  assertText(description, "The description of a participant");
  const { agent = name, run = false, repeatable = true } = options;
  return { name, description, agent, run, repeatable };
}

/** A team between two turns. */
export interface Turn {
  /** All messages of the team, the oldest first. */
  readonly thread: readonly Spoken[];
  readonly participants: readonly Pick<Participant, "name" | "description">[];
  /** Name of the participant that took the last turn, in an earlier run too. Empty: none did. */
  readonly last: string;
  /** Turns of this run. Participants that speak at once have one turn together. */
  readonly turns: number;
  /** Milliseconds since the run began. */
  readonly elapsedMs: number;
  /** Aborts when the caller of the team does not want the result any more. */
  readonly signal: AbortSignal;
}

/** A participant whose turn it is, with a word for it alone. */
export interface Speaker {
  readonly name: string;
  /** Text that the participant gets as the note of its `TakeTurn`. Default: none. */
  readonly note?: string | undefined;
}

/** One participant or several, which speak at once. An empty list ends the run. */
export type Speakers = string | Speaker | readonly (string | Speaker)[];

/** Chooses who speaks next. */
export type Next = (turn: Turn) => Speakers | Promise<Speakers>;

/** Lets the participants speak in their order, one after the other; a later run begins behind the last one that spoke. */
export function roundRobin(): Next {
  return ({ participants, last }) => {
    const at = participants.findIndex(({ name }) => name === last);
    return participants[(at + 1) % participants.length]?.name ?? [];
  };
}

/** Options of `handoffs`. */
export interface HandoffOptions {
  /** Name of the participant that speaks until one hands over. Default: the first participant. */
  readonly first?: string | undefined;
}

const handoffShape = optionShape<HandoffOptions>({ first: text });

/**
 * Lets the participant speak to which the last one handed over; a participant that hands over to none speaks again. Another name, such as
 * `user`, stands for the outside. End the run with `handoffTo("user")`: the next task then goes to the participant that handed over.
 * Without such an end the run fails as `invalid-argument`.
 */
export function handoffs(options: HandoffOptions = {}): Next {
  assertOptions(options, handoffShape, "handoffs");
  const { first } = options;
  return ({ thread, participants }) => {
    let isAnswered = false;
    for (const { participant: speaker, handoff } of thread.toReversed()) {
      if (handoff !== "") {
        if (participants.some(({ name }) => name === handoff)) return handoff;
        if (isAnswered) return speaker;
        return handoff;
      }
      if (speaker === "") isAnswered = true;
    }
    return first ?? participants[0]?.name ?? [];
  };
}

/** Asks a model, or anything else, and resolves to its text. The first message is the question; answers that did not count follow, with the reason. */
export type Ask = (
  messages: readonly { readonly source: "user" | "selector"; readonly content: string }[],
  options: { readonly signal: AbortSignal },
) => string | Promise<string>;

/** Options of `selector`. */
export interface SelectorOptions {
  /** Returns the names among which the selector chooses. Default: all participants, without the last one. */
  readonly candidates?: ((turn: Turn) => readonly string[] | Promise<readonly string[]>) | undefined;
  /** Whether a participant may have two turns in a row. Default: false. */
  readonly allowRepeats?: boolean | undefined;
  /** Returns the question. Default: a text with the roles, the thread and the candidates. */
  readonly prompt?: ((turn: Turn, candidates: readonly string[]) => string) | undefined;
  /** Questions for one turn. Afterwards the last participant speaks again, or the first candidate. Default: 3. */
  readonly maxAttempts?: number | undefined;
}

const selectorShape = optionShape<SelectorOptions>({
  candidates: callable,
  allowRepeats: flag,
  prompt: callable,
  maxAttempts: number({ from: 1 }),
});

/** Lets a model choose who speaks. `ask` returns a text that names one participant. */
export function selector(ask: Ask, options: SelectorOptions = {}): Next {
  assertKind("ask", ask, callable);
  assertOptions(options, selectorShape, "selector");
  const { allowRepeats = false, prompt = defaultPrompt, maxAttempts = 3 } = options;
  return async (turn) => {
    const names = turn.participants.map(({ name }) => name);
    const own = names.filter((name) => allowRepeats || name !== turn.last);
    const candidates = (await options.candidates?.(turn)) ?? (own.length > 0 ? own : names);
    const [first] = candidates;
    if (first === undefined) {
      throw new TroupeError("invalid-argument", "The candidates of a selector are at least one name.");
    }
    if (candidates.length === 1) return first;
    const messages: { source: "user" | "selector"; content: string }[] = [
      { source: "user", content: prompt(turn, candidates) },
    ];
    for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
      const answer = await ask(messages, { signal: turn.signal });
      const mentioned = names.filter((name) => mentions(answer, name));
      const [chosen] = mentioned;
      if (chosen !== undefined && mentioned.length === 1 && (allowRepeats || chosen !== turn.last)) return chosen;
      messages.push({ source: "selector", content: answer });
      messages.push({ source: "user", content: `${objection(mentioned)} Choose one of: ${candidates.join(", ")}.` });
    }
    return turn.last === "" ? first : turn.last;
  };
}

function objection(mentioned: readonly string[]): string {
  if (mentioned.length === 0) return "Your answer names no participant.";
  if (mentioned.length > 1) return "Your answer names more than one participant.";
  return `${mentioned[0]} has just spoken, and may not speak again.`;
}

/** Whether a text names a participant as a word of its own. Models write `_` in names as a space or with a backslash, too. */
function mentions(text: string, name: string): boolean {
  const padded = ` ${text} `;
  return [name, name.replaceAll("_", " "), name.replaceAll("_", "\\_")].some((form) => {
    for (let at = padded.indexOf(form, 1); at > 0; at = padded.indexOf(form, at + 1)) {
      if (!isWord(padded[at - 1]) && !isWord(padded[at + form.length])) return true;
    }
    return false;
  });
}

function isWord(character: string | undefined): boolean {
  return character === undefined || /[\p{L}\p{N}_]/u.test(character);
}

function defaultPrompt({ participants, thread }: Turn, candidates: readonly string[]): string {
  const roles = participants.map(({ name, description }) => `${name}: ${description.replaceAll(/\s+/g, " ")}`);
  const said = thread.map(({ source, content }) => `${source}: ${content}`);
  return [
    "These participants work on a task in one conversation:",
    ...roles,
    "",
    "The conversation so far:",
    ...said,
    "",
    `Who should speak next? Answer with one name of these alone: ${candidates.join(", ")}.`,
  ].join("\n");
}

/** Returns the participants that a policy has chosen, each once, with their notes. Throws `invalid-argument` for a name that no participant has. */
export function speakersOf(team: string, chosen: Speakers, participants: readonly Participant[]): readonly Chosen[] {
  const list: readonly (string | Speaker)[] = typeof chosen === "string" || !isList(chosen) ? [chosen] : chosen;
  const speakers = new Map<string, Chosen>();
  for (const one of list) {
    const { name, note = "" } = typeof one === "string" ? { name: one } : one;
    const member = participants.find((other) => other.name === name);
    if (member === undefined) {
      const names = participants.map((other) => other.name).join(", ");
      throw new TroupeError(
        "invalid-argument",
        `${quoted(name)} was chosen to speak in the team ${team}, and is not one of its participants: ${names}.`,
      );
    }
    speakers.set(name, { member, note });
  }
  return [...speakers.values()];
}

/** A participant whose turn it is. */
export interface Chosen {
  readonly member: Participant;
  readonly note: string;
}

function isList(chosen: Speaker | readonly (string | Speaker)[]): chosen is readonly (string | Speaker)[] {
  return Array.isArray(chosen);
}

/** Returns the agent of a participant in a team with this key. */
export function agentOf({ agent }: Participant, key: string): AgentId {
  return typeof agent === "string" ? new AgentId(agent, key) : agent;
}

/** Sources in a thread that are no participants. */
const otherSources = ["user", "team"];

/** Throws `invalid-argument` for a list without participants, and for names that are not free. */
export function assertParticipants(participants: readonly Participant[] | undefined): void {
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
