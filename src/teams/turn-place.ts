import type { MessageMetadata } from "../core/internal.ts";

/** The place of a turn: the thread, and the number of its messages that the participant had been given before. */
export interface TurnPlace {
  readonly thread: string;
  readonly from: number;
}

/** Name under which the place travels with a `TakeTurn`. A field would be refused by the dataclasses of Python participants. */
const name = "troupe-turn";

const pattern = /^([\w-]{1,64})\/(\d{1,9})$/;

/** Returns the metadata that tells the place. A turn that is asked for again has the same place. */
export function placeMetadata({ thread, from }: TurnPlace): MessageMetadata {
  return { [name]: `${thread}/${from}` };
}

/** Reads the place of a `TakeTurn`. Undefined: its sender does not tell it. */
export function placeOf(metadata: MessageMetadata): TurnPlace | undefined {
  const [, thread, from] = pattern.exec(metadata[name] ?? "") ?? [];
  return thread === undefined || from === undefined ? undefined : { thread, from: Number(from) };
}
