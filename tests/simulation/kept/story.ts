import type { Activation, KeptLedger, Turn, Written } from "./kept-ledger.ts";

/** What the states of a world say about its turns. */
export class Story {
  readonly #kept: KeptLedger;
  readonly #turns: ReadonlyMap<string, Turn>;
  /** The first state that has each line. */
  readonly #firsts = new Map<string, Written>();
  /** Activations with a turn that destroys the agent. */
  readonly #destroyers: ReadonlySet<Activation>;
  /** Agents, each with the causes that have a line. */
  readonly #causes = new Map<string, Set<string>>();

  constructor(kept: KeptLedger) {
    this.#kept = kept;
    this.#destroyers = new Set(kept.turns.filter(({ destroys }) => destroys).map(({ activation }) => activation));
    this.#turns = new Map(kept.turns.map((turn) => [turn.token, turn]));
    for (const [agent, all] of kept.written) {
      const causes = new Set<string>();
      this.#causes.set(agent, causes);
      for (const written of all) {
        for (const line of written.list) {
          if (this.#firsts.has(line)) continue;
          this.#firsts.set(line, written);
          const cause = line.slice(0, line.indexOf("@"));
          causes.add(cause);
          // Of a tick, the reminder too.
          causes.add(cause.split(".")[0] ?? cause);
        }
      }
    }
  }

  turn(token: string): Turn | undefined {
    return this.#turns.get(token);
  }

  /** When its line was stored first. Of a turn of an activation that destroys its agent: when the state was deleted. */
  writtenAt(turn: Turn): number | undefined {
    const first = this.#firsts.get(turn.token);
    if (first !== undefined || turn.isReading || turn.ended !== "well" || !this.#destroyers.has(turn.activation))
      return first?.at;
    const deletion = this.#kept.written
      .get(turn.agent)
      ?.find(({ write, at }) => write === "delete" && at > turn.begunAt);
    return deletion === undefined || this.#wasUndone(turn, deletion.at) ? undefined : deletion.at;
  }

  /**
   * Whether nothing but the turn itself can have been written: its line was stored, or the state was deleted and no one else wanted that:
   * no other turn of the activation, no turn of a later activation that was stored by that deletion, and no program. A deletion by others
   * leaves nothing that tells whether a turn before it was written or undone. What that turn sent shows it, and `effects` looks at that.
   */
  hasLeftTrace(turn: Turn): boolean {
    if (this.#firsts.has(turn.token)) return true;
    const deletedAt = turn.destroys ? this.writtenAt(turn) : undefined;
    if (deletedAt === undefined) return false;
    const { turns, destroys } = this.#kept;
    const isByOther = turns.some((other) => {
      if (other === turn || !other.destroys || other.agent !== turn.agent) return false;
      return other.activation === turn.activation || this.writtenAt(other) === deletedAt;
    });
    const isByProgram = destroys.some(
      ({ agent, askedAt, endedAt }) => agent === turn.agent && askedAt < deletedAt && endedAt > turn.begunAt,
    );
    return !isByOther && !isByProgram;
  }

  /** Whether its effects may leave: it was written, or a call that came back to it has deleted the state that it wanted to be deleted. */
  hasWritten(turn: Turn): boolean {
    return this.writtenAt(turn) !== undefined || this.#deletionsInside(turn).length > 0;
  }

  /**
   * Whether an effect from that moment may leave though its turn fails later: a turn inside it has written it by a deletion. A commit has what the
   * turns around it have changed and sent so far, also a `destroySelf` that the outer one has called. No list tells of that: the deletion leaves none.
   */
  hasLeftInside(turn: Turn, moment: number): boolean {
    return this.#deletionsInside(turn).some((at) => at > moment);
  }

  /** When a turn's effect from that moment was written: with the turn, or the agent's next commit if that was before. Infinity: never. */
  effectAt(turn: Turn, moment: number): number {
    const { agent } = turn;
    const first = this.writtenAt(turn);
    // The next commit may be one that was under way when the turn began.
    if (first !== undefined && first > moment) return first;
    return (
      this.#kept.written.get(agent)?.find(({ at, isStock }) => !isStock && at > moment)?.at ?? Number.POSITIVE_INFINITY
    );
  }

  /**
   * Whether a turn that failed may have left its line: it had saved, or a call that came back to it was stored. So does a turn beside it that
   * saves: one that its own caller had given up, and for which the path of a call without its handler's signal stands.
   */
  isExposed(turn: Turn): boolean {
    if (turn.hasSaved || this.#hasSavedBeside(turn)) return true;
    const first = this.#firsts.get(turn.token);
    return first?.list.some((line) => this.#isInside(this.#turns.get(line), turn)) === true;
  }

  /** Whether the line is of a turn that was stored in part: the rest may have failed, also after its handler. */
  mayComeAgain(line: string): boolean {
    const turn = this.#turns.get(line);
    return turn !== undefined && this.isExposed(turn);
  }

  /**
   * Whether the turn was stored at its end, with all its effects. A state that was deleted after the end of the activation may have been
   * deleted by another one, which has handled the message again: the turn had met another writer.
   */
  isKept(turn: Turn): boolean {
    const { deactivatedAt = Number.POSITIVE_INFINITY } = turn.activation;
    const writtenAt = this.writtenAt(turn);
    if (turn.ended !== "well" || writtenAt === undefined || this.isExposed(turn)) return false;
    return this.#firsts.has(turn.token) || writtenAt < deactivatedAt;
  }

  /** Whether an agent has a line of that cause, or of a tick of that reminder. */
  has(agent: string, cause: string): boolean {
    return this.#causes.get(agent)?.has(cause) === true;
  }

  /** Whether the state was deleted after that moment, and all that was kept for the agent. */
  hasDeleted(agent: string, since = 0): boolean {
    return this.#kept.written.get(agent)?.some(({ write, at }) => write === "delete" && at > since) === true;
  }

  /** Whether others have written the agent's state: then a turn may be tried again, behind later ones. */
  hasConflicts(agent: string): boolean {
    return this.#kept.hasOtherWriters(agent);
  }

  #hasSavedBeside({ activation, begunAt, endedAt, token }: Turn): boolean {
    const { at: writtenAt = endedAt } = this.#firsts.get(token) ?? {};
    if (writtenAt >= endedAt) return false;
    return this.#kept.turns.some(
      (other) =>
        other.activation === activation && other.hasSaved && other.begunAt < endedAt && other.endedAt > begunAt,
    );
  }

  /** Whether a turn was undone before that moment: the store could not write it, its message came again, or the line of a turn behind it was stored without its own. */
  #wasUndone({ activation, cause, call, destroys, begunAt, endedAt }: Turn, moment: number): boolean {
    // The store has refused the turn's own commit. One that wanted the deletion itself stays in question.
    const { plan, outcome } = call ?? {};
    const isRefused = outcome?.at === "failed" && outcome.code === "state-unavailable";
    if (isRefused && !destroys && plan?.kept?.isRepeated !== true) return true;
    return this.#kept.turns.some((later) => {
      if (later.activation !== activation || later.begunAt < begunAt || later.begunAt > moment) return false;
      const { at = moment } = this.#firsts.get(later.token) ?? {};
      return (later.cause === cause && later.begunAt > begunAt) || (later.begunAt > endedAt && at < moment);
    });
  }

  /** When turns inside that one were written, if one of its activation destroys the agent. */
  #deletionsInside(turn: Turn): readonly number[] {
    if (!this.#destroyers.has(turn.activation)) return [];
    return this.#kept.turns
      .filter((inner) => this.#isInside(inner, turn))
      .map((inner) => this.writtenAt(inner))
      .filter((at) => at !== undefined);
  }

  #isInside(inner: Turn | undefined, outer: Turn): boolean {
    if (inner === undefined || inner === outer || inner.activation !== outer.activation) return false;
    // It may end later: a turn waits for those inside it that it has given up.
    return inner.begunAt > outer.begunAt && inner.begunAt < outer.endedAt;
  }
}
