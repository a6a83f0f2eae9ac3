import type { StoredRun } from "../../core/internal.ts";
import { bytesOfName, bytesOfTexts } from "../waiting-bytes.ts";
import type { Answers } from "./asks.ts";

// About how many bytes answers take until their store has given them to those who asked.

/** Bytes of an object beside its texts and data. */
const objectBytes = 200;

/** Sizes of the answers to questions that read. */
export const answerBytes = {
  load: (loaded: Answers["load"]): number =>
    typeof loaded === "object" && "data" in loaded ? objectBytes + loaded.data.length : objectBytes,
  remembered: (found: Answers["remembered"]): number =>
    objectBytes + bytesOfTexts(found?.id, found?.principal) + (found?.answer?.length ?? 0),
  list: ({ records }: Answers["list"]): number =>
    sumOf(records, ({ agent, contentType }) => bytesOfName(agent) + bytesOfTexts(contentType)),
  reminders: (reminders: Answers["reminders"]): number =>
    sumOf(
      reminders,
      ({ agent, name, rule, message }) => bytesOfName(agent) + bytesOfTexts(name, rule) + message.length,
    ),
  mail: (mail: Answers["mail"]): number =>
    sumOf(mail, ({ id, receiver, sender, frame }) => {
      return bytesOfTexts(id) + bytesOfName(receiver) + bytesOfName(sender) + frame.length;
    }),
  deadLetters: ({ letters }: Answers["deadLetters"]): number =>
    sumOf(letters, ({ id, mailbox, why, frame }) => bytesOfTexts(id, why.text) + bytesOfName(mailbox) + frame.length),
  readRun: (page: Answers["readRun"]): number => {
    if (page === undefined) return objectBytes;
    const { run, message, chunks, outcome } = page;
    return bytesOfRun(run) + (message?.length ?? 0) + (outcome?.length ?? 0) + sumOf(chunks, ({ length }) => length);
  },
  listRuns: ({ runs }: Answers["listRuns"]): number => sumOf(runs, bytesOfRun),
  stats: ({ types }: Answers["stats"]): number => sumOf(types, ({ type }) => bytesOfTexts(type)),
};

function bytesOfRun({ agent, id, principal, owner }: StoredRun): number {
  return objectBytes + bytesOfName(agent) + bytesOfTexts(id, principal, owner);
}

function sumOf<Item>(items: readonly Item[], bytesOf: (item: Item) => number): number {
  let bytes = objectBytes;
  for (const item of items) bytes += objectBytes + bytesOf(item);
  return bytes;
}
