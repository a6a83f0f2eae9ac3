import { Buffer } from "node:buffer";

/** Agents of shared types that an event is for, as the frame for their worker names them: those known before, and others. */
export interface Recipients {
  readonly known: Uint8Array | undefined;
  text: string;
}

// protocol.md §11.14
/** Stands before the names of an event that is for these agents alone. */
export const onlyThese = Buffer.from("!");

/** The names as one text. */
export function bytesOf({ known, text }: Recipients): Uint8Array {
  if (known === undefined) return Buffer.from(text);
  return text === "" ? known : Buffer.concat([known, Buffer.from(`,${text}`)]);
}
