import { type AgentName, textOfName } from "./agent-name.ts";
import { fullMail, type MailBounds, type MailSizes, mailboxTooSmall, mailLimitText, mailSize } from "./mail-bounds.ts";
import type { CommitOutcome, Mail } from "./state-store.ts";

/** Whether a store has space for the mail of a commit. `buried`: indexes of the mail that finds none, and is a dead letter. */
export type MailFit = { readonly at: "fits"; readonly buried: readonly number[] } | RefusedCommit;

type RefusedCommit = Extract<CommitOutcome, { readonly at: "refused" }>;

/** The bounds of a store, and what its mail has. */
export interface FittingStore {
  readonly bounds: MailBounds;
  readonly sizesOf: (mailbox: AgentName) => MailSizes;
}

const all: MailFit = { at: "fits", buried: [] };

/** Messages that one slice of work takes. */
export const mailOfSlice = 256;

/** Fits the mail of a commit into its mailboxes. What a dead letter leaves free, the rest may have. */
export function fitMail(mail: readonly Mail[], store: FittingStore): MailFit {
  const steps = fitMailInSlices(mail, store);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The same in slices: it yields between two of them. */
export function* fitMailInSlices(mail: readonly Mail[], store: FittingStore): Generator<void, MailFit> {
  const full = yield* fullMailboxes(mail, store);
  if (full.size === 0) return all;
  const buried = mail.flatMap(({ receiver, whenFull }, index) =>
    whenFull === "bury" && full.has(textOfName(receiver)) ? [index] : [],
  );
  const leftOut = new Set(buried);
  const rest = mail.filter((_, index) => !leftOut.has(index));
  const [refused] = (buried.length === 0 ? full : yield* fullMailboxes(rest, store)).values();
  return refused ?? { at: "fits", buried };
}

/** The mailboxes of a commit that do not take all of its mail for them, each with what would refuse the commit. */
function* fullMailboxes(
  mail: readonly Mail[],
  { bounds, sizesOf }: FittingStore,
): Generator<void, ReadonlyMap<string, RefusedCommit>> {
  const full = new Map<string, RefusedCommit>();
  let looked = 0;
  for (const [text, { receiver, added, tooLong }] of yield* addedBy(mail, bounds)) {
    looked += 1;
    if (looked % mailOfSlice === 0) yield;
    if (tooLong !== undefined) {
      full.set(text, { at: "refused", limit: tooLong, mailbox: receiver });
      continue;
    }
    const bound = fullMail(sizesOf(receiver), added, bounds);
    if (bound === undefined) continue;
    full.set(text, { at: "refused", limit: mailLimitText(bound, bounds), isMailboxFull: true, mailbox: receiver });
  }
  return full;
}

interface AddedMail {
  readonly receiver: AgentName;
  readonly added: MailSizes;
  /** The limit that one of the messages is over by itself. */
  readonly tooLong: string | undefined;
}

/** Sums what a commit adds to each of its mailboxes, with all that it adds to their types and to the store. */
function* addedBy(mail: readonly Mail[], bounds: MailBounds): Generator<void, ReadonlyMap<string, AddedMail>> {
  const ofTypes = new Map<string, number>();
  const boxes = new Map<
    string,
    { receiver: AgentName; messages: number; bytes: number; tooLong: string | undefined }
  >();
  let bytes = 0;
  for (const [index, { receiver, kind, frame }] of mail.entries()) {
    if (index % mailOfSlice === mailOfSlice - 1) yield;
    if (kind === "emptied") continue;
    const size = mailSize(frame.length);
    const text = textOfName(receiver);
    const box = boxes.get(text) ?? { receiver, messages: 0, bytes: 0, tooLong: undefined };
    boxes.set(text, box);
    box.messages += 1;
    box.bytes += size;
    box.tooLong ??= mailboxTooSmall(frame.length, bounds);
    ofTypes.set(receiver.type, (ofTypes.get(receiver.type) ?? 0) + size);
    bytes += size;
  }
  const added = new Map<string, AddedMail>();
  for (const [text, { receiver, messages, bytes: mailboxBytes, tooLong }] of boxes) {
    const typeBytes = ofTypes.get(receiver.type) ?? 0;
    added.set(text, { receiver, tooLong, added: { messages, mailboxBytes, typeBytes, bytes } });
  }
  return added;
}

/** The parts of a commit's mail that a store treats in different ways. Indexes are those of the given commit. */
export interface SortedMail {
  /** The mail that mailboxes keep. */
  readonly kept: readonly Mail[];
  /** The mail that is a dead letter at once. */
  readonly buried: readonly Mail[];
  readonly buriedIndexes: readonly number[];
}

/** Sorts the mail of a commit. `known`: indexes of what its mailboxes were given before. `buried`: indexes among the rest. */
export function sortMail(mail: readonly Mail[], known: readonly number[], buried: readonly number[]): SortedMail {
  if (known.length === 0 && buried.length === 0) return { kept: mail, buried: [], buriedIndexes: [] };
  const isKnown = new Set(known);
  const isBuried = new Set(buried);
  const left = mail.map((one, index) => ({ one, index })).filter(({ index }) => !isKnown.has(index));
  const dead = left.filter((_, at) => isBuried.has(at));
  return {
    kept: left.filter((_, at) => !isBuried.has(at)).map(({ one }) => one),
    buried: dead.map(({ one }) => one),
    buriedIndexes: dead.map(({ index }) => index),
  };
}

/** Mail that no mailbox has kept now: its indexes, and how many older letters were forgotten for it. */
export interface LeftMail {
  readonly known: readonly number[];
  readonly buried: readonly number[];
  readonly forgotten: number;
}

/** Adds to a committed outcome what became of mail that no mailbox has kept now. */
export function withLeftMail(
  written: Extract<CommitOutcome, { readonly at: "committed" }>,
  { known, buried, forgotten }: LeftMail,
): CommitOutcome {
  if (known.length === 0 && buried.length === 0) return written;
  return {
    ...written,
    ...(known.length > 0 && { knownMail: known }),
    ...(buried.length > 0 && { buriedMail: buried }),
    ...(forgotten > 0 && { forgottenLetters: forgotten }),
  };
}
