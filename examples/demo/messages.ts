import { defineMessage } from "troupe";
import { z } from "zod";

/** An event that every reader on every worker receives. */
export const News = defineMessage("News", z.object({ headline: z.string() }));
/** An event with which a reader reports where it received the news. */
export const Heard = defineMessage("Heard", z.object({ worker: z.string(), headline: z.string() }));

export const Poem = defineMessage("Poem", z.object({ text: z.string() }));
export const AskForPoem = defineMessage("AskForPoem", z.object({ about: z.string() }), { answer: Poem });

export const Tally = defineMessage("Tally", z.object({ visitors: z.int() }));
export const Visit = defineMessage("Visit", z.object({ visitor: z.string() }), { answer: Tally });

export const Guests = defineMessage("Guests", z.object({ names: z.array(z.string()), worker: z.string() }));
export const Sign = defineMessage("Sign", z.object({ name: z.string() }), { answer: Guests });
