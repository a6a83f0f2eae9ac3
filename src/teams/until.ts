import { assertKind, assertOptions, listOf, number, optionShape, quoted, TroupeError, text } from "../core/internal.ts";
import type { Turn } from "./next.ts";
import type { Spoken } from "./thread.ts";

/** Looks at the messages that are new, and returns the reason to stop. Undefined: the run continues. */
export type Check = (turn: Turn, delta: readonly Spoken[]) => string | undefined | Promise<string | undefined>;

/** A condition that counts or remembers something during a run. */
export interface Condition {
  /** Returns the check of one run. */
  begin(): Check;
}

/** When a run stops: a function that remembers nothing, or a condition. */
export type Until = Check | Condition;

/** Begins the check of one run. */
export function beginCheck(until: Until): Check {
  return typeof until === "function" ? until : until.begin();
}

/** A condition that looks at each new message. */
function forEach(reasonOf: (said: Spoken) => string | undefined): Check {
  return (_, delta) => {
    for (const said of delta) {
      const reason = reasonOf(said);
      if (reason !== undefined) return reason;
    }
    return undefined;
  };
}

/** Stops when one of the conditions says so. The reasons of all that do are joined. */
export function any(...conditions: readonly Until[]): Condition {
  assertSome(conditions, "any");
  return {
    begin() {
      const checks = conditions.map(beginCheck);
      return async (turn, delta) => {
        const reasons = await Promise.all(checks.map((check) => check(turn, delta)));
        const given = reasons.filter((reason) => reason !== undefined);
        return given.length > 0 ? given.join(", ") : undefined;
      };
    },
  };
}

/** Stops when each of the conditions has said so once in the run. The reasons are joined in the order in which they came. */
export function all(...conditions: readonly Until[]): Condition {
  assertSome(conditions, "all");
  return {
    begin() {
      let open = conditions.map(beginCheck);
      const given: string[] = [];
      return async (turn, delta) => {
        const reasons = await Promise.all(open.map((check) => check(turn, delta)));
        open = open.filter((_, at) => reasons[at] === undefined);
        given.push(...reasons.filter((reason) => reason !== undefined));
        return open.length === 0 ? given.join(", ") : undefined;
      };
    },
  };
}

function assertSome(conditions: readonly Until[], name: string): void {
  if (conditions.length > 0) return;
  throw new TroupeError("invalid-argument", `${name} needs at least one condition, such as maxMessages(20).`);
}

/** Stops when the run has so many messages; the task counts. */
export function maxMessages(most: number): Condition {
  assertKind("maxMessages", most, number({ from: 1 }));
  return {
    begin() {
      let count = 0;
      return (_, delta) => {
        count += delta.length;
        if (count < most) return undefined;
        return `Maximum number of messages ${most} reached, current message count: ${count}`;
      };
    },
  };
}

/** Options of `mention`. */
export interface MentionOptions {
  /** Sources whose messages count. Default: all, the user's too. */
  readonly sources?: readonly string[] | undefined;
}

const mentionShape = optionShape<MentionOptions>({ sources: listOf(text) });

/** Stops when a message contains a text. */
export function mention(part: string, options: MentionOptions = {}): Check {
  assertKind("mention", part, text);
  assertOptions(options, mentionShape, "mention");
  const { sources } = options;
  return forEach(({ source, content }) => {
    const counts = sources === undefined || sources.includes(source);
    return counts && content.includes(part) ? `Text '${part}' mentioned` : undefined;
  });
}

/** Stops when one of these sources has said something. */
export function saidBy(...sources: readonly string[]): Check {
  return forEach(({ source }) => (sources.includes(source) ? `'${source}' answered` : undefined));
}

/** Stops when a participant hands over to this name. */
export function handoffTo(target: string): Check {
  assertKind("handoffTo", target, text);
  return forEach(({ source, handoff }) =>
    handoff === target ? `Handoff to ${target} from ${source} detected.` : undefined,
  );
}

/** Bounds of `tokens`; at least one is given. */
export interface TokenBounds {
  /** Tokens read and written together. */
  readonly total?: number | undefined;
  readonly prompt?: number | undefined;
  readonly completion?: number | undefined;
}

/** Stops when the turns of the run have used so many tokens. A participant that tells no tokens counts as 0. */
export function tokens({ total, prompt, completion }: TokenBounds): Condition {
  const bounds = [total, prompt, completion];
  if (bounds.every((bound) => bound === undefined)) {
    throw new TroupeError("invalid-argument", "tokens needs a bound: total, prompt or completion.");
  }
  for (const bound of bounds) if (bound !== undefined) assertKind("tokens", bound, number({ from: 1 }));
  return {
    begin() {
      let [read, written] = [0, 0];
      return (_, delta) => {
        for (const { prompt_tokens, completion_tokens } of delta) {
          read += prompt_tokens;
          written += completion_tokens;
        }
        const isReached = [read + written, read, written].some(
          (count, at) => count >= (bounds[at] ?? Number.POSITIVE_INFINITY),
        );
        if (!isReached) return undefined;
        return `Token usage limit reached, total token count: ${read + written}, prompt token count: ${read}, completion token count: ${written}.`;
      };
    },
  };
}

/** Stops after the turn in which the run has lasted this long. A turn that takes too long fails by the team's `turnTimeoutMs`. */
export function timeout(ms: number): Check {
  assertKind("timeout", ms, number({ from: 1 }));
  return ({ elapsedMs }) => (elapsedMs >= ms ? `Timeout of ${ms / 1_000} seconds reached` : undefined);
}

/** Stops when the result of this tool came among the chunks of a turn. It needs the team's option `shareChunks`. */
export function toolCalled(tool: string): Check {
  assertKind("toolCalled", tool, text);
  return forEach(({ tools }) => (tools.includes(tool) ? `Function '${tool}' was executed.` : undefined));
}

/** Messages of a pair that hand over to and fro until a run stops. */
const mostPingPong = 6;

/** Returns the reason to stop if two participants hand over to each other without end. */
export function pingPong(thread: readonly Spoken[]): string | undefined {
  const pair = thread.slice(-mostPingPong);
  const [one, other] = pair;
  if (pair.length < mostPingPong || one === undefined || other === undefined) return undefined;
  if (one.participant === other.participant) return undefined;
  const isPair = pair.every(({ participant, handoff }, at) => {
    const [from, to] = at % 2 === 0 ? [one, other] : [other, one];
    return participant === from.participant && handoff === to.participant && handoff !== "";
  });
  return isPair ? `Ping-pong between ${quoted(one.participant)} and ${quoted(other.participant)}` : undefined;
}
