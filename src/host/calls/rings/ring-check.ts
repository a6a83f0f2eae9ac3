import { hashOfText, type RingPart, waitingTurns } from "../../../core/internal.ts";
import { pathText } from "../../../protocol/internal.ts";
import { limits } from "../../limits.ts";
import type { AskedWait, CheckedWaits, CheckWaits } from "./ring-messages.ts";

/** A call that a host has reported to the one that searches. */
export interface RingCall {
  /** Its request id at the host of its target. */
  readonly id: string;
}

/** A ring that a search has found in what hosts have told. `last`: its call that was reported last. */
export interface SuspectedRing<Call extends RingCall = RingCall> {
  readonly last: Call;
  readonly text: string;
  readonly parts: readonly RingPart<Call>[];
}

/** The answers of hosts to one question. `isComplete`: all of them have answered. */
export interface Answers {
  readonly answers: readonly CheckedWaits[];
  readonly isComplete: boolean;
}

/** The outcome of a check. */
export interface Checked {
  /** Of each ring the version of the report of its last call. Undefined: it was not found to be true. */
  readonly versions: readonly (number | undefined)[];
  /** Calls that are over for good. */
  readonly over: readonly string[];
  /** Waits that their host knows to be over. */
  readonly ended: readonly AskedWait[];
}

/** Counts the ids that a question about a ring names. */
export function idsIn({ parts }: SuspectedRing): number {
  return parts.reduce((sum, part) => sum + 1 + callsOf(part).length, 0);
}

// protocol.md §12.10
/**
 * Finds out which rings are true. What was told may be out of date, and never was true at one moment. So each host is asked twice. A report with one
 * version in both answers was true between them, and so was each call that is pending in the second. The second question names the calls at the
 * hosts of their callers too, which may have heard of their end. If all parts of a ring hold, it was there when the second question left; and no ring
 * ends by itself. A call that no host answers for counts as over.
 */
export async function checkRings(
  rings: readonly SuspectedRing[],
  ask: (question: CheckWaits) => Promise<Answers>,
): Promise<Checked> {
  const waits = rings.flatMap(({ parts }) => parts.map(waitOf));
  const calls = [...new Set(rings.flatMap(({ parts }) => parts.flatMap(callsOf)))];
  const first = await ask({ waits, calls });
  const callers = first.answers.flatMap(({ pending }) => [...pending.values()]).filter((id) => id !== "");
  const second = await ask({ waits, calls: [...new Set([...calls, ...callers])] });
  const pending = new Map(second.answers.flatMap((answer) => [...answer.pending]));
  const isPending = (id: string): boolean => {
    const caller = pending.get(id);
    return caller !== undefined && (caller === "" || pending.has(caller));
  };
  const [before, after] = [versionsIn(first, waits.length), versionsIn(second, waits.length)];
  let at = 0;
  const versions = rings.map((ring) => {
    const start = at;
    at += ring.parts.length;
    const holds = (part: RingPart<RingCall>, index: number): boolean => {
      const version = after[start + index] ?? 0;
      return version > 0 && version === before[start + index] && isPending(part.to.id) && isAwaited(part, isPending);
    };
    const last = ring.parts.findIndex(({ from }) => from === ring.last);
    return last >= 0 && ring.parts.every(holds) ? after[start + last] : undefined;
  });
  const told = new Set(second.answers.flatMap(({ over }) => over));
  // No host that is up knows the others.
  const isOver = (id: string): boolean => {
    const caller = pending.get(id);
    if (told.has(id) || (caller !== undefined && told.has(caller))) return true;
    return second.isComplete && !isPending(id);
  };
  return { versions, over: calls.filter(isOver), ended: waits.filter((_, index) => after[index] === -1) };
}

function waitOf({ from, token }: RingPart<RingCall>, index: number, parts: readonly RingPart<RingCall>[]): AskedWait {
  // Each call of a ring is the end of the part before the one that begins with it.
  const path = parts.at(index - 1)?.path ?? [];
  return { id: from.id, token, pathHash: hashOfText(pathText(path)) };
}

/** Returns the ids of all calls on which it depends whether the turn of a part waits for its call. */
function callsOf({ to, path }: RingPart<RingCall>): readonly string[] {
  return [to.id, ...path.flatMap(({ token, via = [] }) => [token, ...via.map((call) => call.token)])].filter(isCallId);
}

/** Whether a text can be the request id of a host. Workers write paths, and may write anything into them. */
export function isCallId(text: string): boolean {
  return text.length <= limits.hostRequestIdChars;
}

function isAwaited({ token, path }: RingPart<RingCall>, isPending: (id: string) => boolean): boolean {
  return waitingTurns(path, (call) => !isPending(call.token)).some((turn) => turn.token === token);
}

/** Of each wait what the one host says that knows it. */
function versionsIn({ answers }: Answers, count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => answers.find(({ waits }) => waits[index])?.waits[index] ?? 0);
}
