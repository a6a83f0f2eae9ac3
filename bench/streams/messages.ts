import { defineMessage } from "troupe";
import { z } from "zod";

/** One part of an answer, also as an event. */
export const Part = defineMessage("Part", z.object({ content: z.string() }));
/** The end of an answer. */
export const Whole = defineMessage("Whole", z.object({ parts: z.number() }));
/** Asks for an answer in parts. */
export const AskParts = defineMessage("AskParts", z.object({ parts: z.number() }), { answer: Whole, chunk: Part });
/** Asks for the same parts as events. */
export const AskEvents = defineMessage("AskEvents", z.object({ parts: z.number(), topic: z.string() }), {
  answer: Whole,
});

/** Parts of one stream. */
export const partsPerStream = 1_000;
/** The content of a part with 100 bytes of JSON. */
export const content = "x".repeat(100 - '{"content":""}'.length);
