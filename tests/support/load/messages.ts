import { defineMessage, type MessageOf } from "troupe";
import * as z from "zod";

/** Says again what it was asked, so that an answer that went astray is known by its contents. */
export const Told = defineMessage("Told", z.object({ caller: z.string(), number: z.number(), text: z.string() }));
export const Ask = defineMessage("Ask", z.object({ caller: z.string(), number: z.number(), text: z.string() }), {
  answer: Told,
});
/** An event; `number` counts the events of its publisher on its topic. */
export const Note = defineMessage("Note", z.object({ publisher: z.string(), number: z.number(), text: z.string() }));

export type Told = MessageOf<typeof Told>;
export type Ask = MessageOf<typeof Ask>;
export type Note = MessageOf<typeof Note>;
