import { type Commit, nextTurn } from "../../core/internal.ts";
import { type CommitMoment, type EncodedWrite, encodeCommit } from "./encode-writes.ts";

/** Writes of one call, which may still be encoded. */
export type Encoding = readonly EncodedWrite[] | Promise<readonly EncodedWrite[]>;

/** Encodes commits. It copies their bytes at once. If one has much mail, others have turns of the event loop between its slices. */
export function encodeCommits(commits: readonly Commit[], moment: CommitMoment): Encoding {
  const begun = commits.map((commit) => {
    const steps = encodeCommit(commit, moment);
    return { steps, first: steps.next() };
  });
  const encoded = begun.flatMap(({ first }) => (first.done === true ? [first.value] : []));
  return encoded.length === begun.length ? encoded : encodeInTurns(begun);
}

async function encodeInTurns(
  begun: readonly {
    readonly steps: Generator<void, EncodedWrite>;
    readonly first: IteratorResult<void, EncodedWrite>;
  }[],
): Promise<readonly EncodedWrite[]> {
  const encoded: EncodedWrite[] = [];
  for (const { steps, first } of begun) {
    let step = first;
    for (; step.done !== true; step = steps.next()) await nextTurn();
    encoded.push(step.value);
  }
  return encoded;
}

/** Lets writes go in the order of their calls, though some of them are still encoded. */
export class EncodingOrder {
  /** Ends with the last writes that others have to wait for. */
  #last: Promise<void> | undefined;

  /** Resolves to the writes when those of the calls before are encoded. Undefined: they may go at once. */
  wait(writes: Encoding): Promise<readonly EncodedWrite[]> | undefined {
    if (this.#last === undefined && !(writes instanceof Promise)) return undefined;
    const inTurn = after(this.#last, writes);
    const ended = inTurn.then(
      () => undefined,
      () => undefined,
    );
    this.#last = ended;
    void ended.then(() => {
      if (this.#last === ended) this.#last = undefined;
    });
    return inTurn;
  }
}

async function after(before: Promise<void> | undefined, writes: Encoding): Promise<readonly EncodedWrite[]> {
  await before;
  return writes;
}
