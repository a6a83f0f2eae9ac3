import { nextTurn } from "../../clock.ts";
import { mailOfSlice } from "../fit-mail.ts";
import { copyOfRunChange } from "../judge-runs.ts";
import type { Commit, Mail } from "../state-store.ts";

/** Runs all slices at once. */
export function whole<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Runs one slice in a turn of the event loop. */
export async function inTurns<T>(steps: Generator<void, T>): Promise<T> {
  let step = steps.next();
  for (; step.done !== true; step = steps.next()) await nextTurn();
  return step.value;
}

/** A commit that waits, with the bytes of its mail in one buffer. */
export interface HeldCommit {
  /** Its mail still has the bytes of the caller. */
  readonly commit: Commit;
  readonly frames: Uint8Array;
  readonly lengths: readonly number[];
}

/** Copies the bytes of a commit that waits, those of its mail into one buffer: memory for each of thousands would take long. */
export function heldCommit(commit: Commit): HeldCommit {
  const { write, reminders, mail, remembered, runs } = commit;
  const lengths = mail.map(({ frame }) => frame.length);
  const frames = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const { frame } of mail) {
    frames.set(frame, at);
    at += frame.length;
  }
  const copy: Commit = {
    ...commit,
    write: write.at === "put" ? { ...write, data: new Uint8Array(write.data) } : write,
    reminders: reminders.map((change) =>
      change.at === "set" ? { ...change, message: new Uint8Array(change.message) } : change,
    ),
    remembered: remembered.map((one) => ({ ...one, answer: one.answer && new Uint8Array(one.answer) })),
    runs: runs?.map(copyOfRunChange),
  };
  return { commit: copy, frames, lengths };
}

/** Gives each message of a commit its own bytes, in slices. */
export function* ownCommit({ commit, frames, lengths }: HeldCommit): Generator<void, Commit> {
  const mail: Mail[] = [];
  let at = 0;
  for (const [index, one] of commit.mail.entries()) {
    if (index > 0 && index % mailOfSlice === 0) yield;
    const from = at;
    at += lengths[index] ?? 0;
    mail.push({ ...one, frame: frames.subarray(from, at) });
  }
  return { ...commit, mail };
}
